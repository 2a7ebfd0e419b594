package integration

import (
	"slices"
	"strings"
	"testing"

	"berth/config"
	"berth/launcher"
	"berth/profiles"
	"berth/sandbox"
	"berth/test/host"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// notTakenOver are the assignments of portablectl's profiles that berth's don't
// have, each with its reason.
var notTakenOver = map[string]string{
	"BindLogSockets=yes": "what the payload writes is in the journal anyway, under the container's name alone",
	"BindReadOnlyPaths=/dev/log /run/systemd/journal/socket /run/systemd/journal/stdout": "the same in systemd 252",

	"BindReadOnlyPaths=/etc/machine-id":             "a container is not that machine",
	"BindReadOnlyPaths=-/etc/resolv.conf":           "with network.mode = host the launcher binds it, without nobody can be asked",
	"BindReadOnlyPaths=/run/dbus/system_bus_socket": "behind it are the host's services",
	"BindPaths=/run":                                "the container's /run is its own; [[mounts]] can have the host's",
	"DynamicUser=yes":                               "the container's block of IDs; impliedByDynamicUser is written out",
	"DelegateNamespaces=no":                         "the container's namespaces belong to its user namespace, by which its loopback interface comes up",
}

// impliedByDynamicUser is what unit_patch_contexts of systemd's src/core/unit.c
// sets along, in all versions.
var impliedByDynamicUser = []string{
	"PrivateTmp=yes", "RemoveIPC=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "RestrictSUIDSGID=yes",
}

// addedToDynamicUser is what berth's profiles have besides.
var addedToDynamicUser = []string{
	"ReadWritePaths=/run", // the container's own tmpfs
}

// TestProfilesMeanPortablectls compares the built-in profiles with the files of the
// installed systemd. No suite has all assignments of notTakenOver, all together
// do.
func TestProfilesMeanPortablectls(t *testing.T) {
	used := map[string]bool{}
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		for _, name := range []string{"default", "nonetwork", "strict", "trusted"} {
			t.Run(name, func(t *testing.T) {
				lines := serviceConf(shell(t, h, "cat /usr/lib/systemd/portable/profile/"+name+"/service.conf"))
				compareProfile(t, name, lines, used)
			})
		}
	})
	if len(hosts) == 3 && !t.Failed() {
		for line := range notTakenOver {
			if !used[line] {
				t.Errorf("no profile of systemd has %q any more", line)
			}
		}
	}
}

func compareProfile(t *testing.T, name string, lines []string, used map[string]bool) {
	if slices.Contains(lines, "DynamicUser=yes") {
		lines = slices.Concat(impliedByDynamicUser, addedToDynamicUser, lines)
	}
	want, wantResources := sandbox.New(), []string(nil)
	for _, line := range lines {
		setting, value, _ := strings.Cut(line, "=")
		_, err := sandbox.Lookup(setting)
		switch {
		case notTakenOver[line] != "":
			used[line] = true
		case err == nil:
			set(t, want, setting, value)
		default:
			wantResources = append(wantResources, line)
		}
	}

	p, err := profiles.Search{}.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	got, gotResources := sandbox.New(), []string(nil)
	for _, line := range assignments(p.Sandbox()) {
		setting, value, _ := strings.Cut(line, "=")
		set(t, got, setting, value)
	}
	sorted := cmpopts.SortSlices(strings.Compare)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(sandbox.Settings{}), cmpopts.EquateEmpty(), sorted); diff != "" {
		t.Errorf("[sandbox]: -systemd +berth\n%s", diff)
	}
	gotResources = assignments(launcher.EffectiveResources(p))
	if diff := cmp.Diff(wantResources, gotResources, sorted); diff != "" {
		t.Errorf("[resources]: -systemd +berth\n%s", diff)
	}
}

func set(t *testing.T, s *sandbox.Settings, name, value string) {
	t.Helper()
	if err := s.Set(name, value); err != nil {
		t.Errorf("%s=%s: %v", name, value, err)
	}
}

func assignments(settings []config.Setting) []string {
	var lines []string
	for _, s := range settings {
		for _, v := range s.Values {
			lines = append(lines, s.Name+"="+v)
		}
	}
	return lines
}

// serviceConf returns the assignments of a unit file.
func serviceConf(text string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && line[0] != '#' && line[0] != '[' {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestProfilesOfAHost looks up profiles as a host has them.
func TestProfilesOfAHost(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		buildBerth(t)
		leavesNothing(t, h)
		writeFile(t, h, "/etc/berth/profiles/house.toml", "description = 'of this house'\nextends = './default.toml'\n[sandbox]\n# a reason\nUMask = '7'\n")
		writeFile(t, h, "/etc/berth/profiles/default.toml", "extends = 'default'\n[sandbox]\nProtectHme = true\n")
		writeFile(t, h, "/etc/berth/web.toml", "profile = 'house'\nprocess.command = ['true']\nusers.map = 'host'\n")
		defer shell(t, h, "rm -r /etc/berth/profiles /etc/berth/web.toml")

		want := result{Status: 1, Stderr: "" +
			"/etc/berth/profiles/default.toml:3:1: sandbox.ProtectHme: unknown setting: did you mean \"ProtectHome\"?\n" +
			"/etc/berth/web.toml:3:7: users.map: \"host\" needs the profile trusted, or one that extends it\n"}
		if diff := cmp.Diff(want, run(t, h, "berth", "check", "web")); diff != "" {
			t.Errorf("berth check: -want +got\n%s", diff)
		}

		writeFile(t, h, "/etc/berth/profiles/default.toml", "extends = 'default'\n[sandbox]\nProtectHome = 'tmpfs'\n")
		shown := run(t, h, "berth", "profiles", "house").Stdout
		for _, line := range []string{
			"# /etc/berth/profiles/house.toml, which extends /etc/berth/profiles/default.toml, which extends profile default",
			"# a reason (/etc/berth/profiles/house.toml:5)\nUMask = \"7\"",
			"(/etc/berth/profiles/default.toml:3)\nProtectHome = \"tmpfs\"",
		} {
			if !strings.Contains(shown, line) {
				t.Errorf("berth profiles house lacks %q:\n%s", line, shown)
			}
		}
		if list := run(t, h, "berth", "profiles").Stdout; !strings.Contains(list, "of this house") {
			t.Errorf("berth profiles lacks house:\n%s", list)
		}
		if shell(t, h, "grep -cw pids /sys/fs/cgroup/cgroup.controllers || true") == "0" {
			want := result{Status: 1, Stderr: "profile strict:16:1: resources.TasksMax: this host has no pids controller in its unified cgroup hierarchy; --best-effort goes on without it\n"}
			if diff := cmp.Diff(want, run(t, h, "berth", "check", "web", "--profile", "strict", "-p", "users.map=auto")); diff != "" {
				t.Errorf("an unenforceable setting of a profile: -want +got\n%s", diff)
			}
		}
	})
}
