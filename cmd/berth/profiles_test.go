package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"berth/config"
	"berth/launcher"
	"berth/profiles"

	"github.com/google/go-cmp/cmp"
)

// TestProfileText holds that what is shown of a profile is one, and comes to the
// same without extending another.
func TestProfileText(t *testing.T) {
	inDirectory(t, map[string]string{
		"mine.toml": "description=\"a \\\"\\\\ \\u202e\"\nextends='strict'\n[sandbox]\nReadOnlyPaths=['/a', '/b']\nUMask='7'\n[resources]\nTasksMax=9",
	})
	for _, name := range append(profiles.Search{}.Names(), "mine.toml") {
		t.Run(name, func(t *testing.T) {
			p, err := launcher.LoadProfile(name)
			if err != nil {
				t.Fatal(err)
			}
			shown := berth("profiles", name)
			if err := os.WriteFile("shown.toml", []byte(shown.Stdout), 0o600); err != nil || shown.Status != 0 {
				t.Fatal(err, shown)
			}
			alone, err := launcher.LoadProfile("shown.toml")
			if err != nil {
				t.Fatalf("%v\n%s", err, shown.Stdout)
			}
			if alone.Description != p.Description || len(alone.Layers) != 1 {
				t.Errorf("got %q in %d layers, want %q", alone.Description, len(alone.Layers), p.Description)
			}
			if diff := cmp.Diff(values(launcher.EffectiveSandbox(p)), values(alone.Sandbox())); diff != "" {
				t.Errorf("[sandbox]: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(values(launcher.EffectiveResources(p)), values(alone.Resources())); diff != "" {
				t.Errorf("[resources]: -want +got\n%s", diff)
			}
		})
	}
}

func values(settings []config.Setting) map[string][]string {
	all := map[string][]string{}
	for _, s := range settings {
		all[s.Name] = append(all[s.Name], s.Values...)
	}
	return all
}

func TestProfileTextOfOwn(t *testing.T) {
	inDirectory(t, map[string]string{
		"mine.toml": "extends='trusted'\n[sandbox]\n# my own\n# reason\nProtectHome=true\nPrivateTmp=false\nUMask='7'\n",
	})
	got := berth("profiles", "mine.toml").Stdout
	want := `# mine.toml, which extends profile trusted
# users.map = "host" is allowed, to profiles that extend trusted alone

[sandbox]
# nothing: /proc, /sys and /dev are there as programs expect them (profile trusted:14)
MountAPIVFS = "yes"

# my own reason (mine.toml:5)
ProtectHome = "yes"

# files that other programs leave in /tmp and /var/tmp, and symlinks that wait there (mine.toml:6)
PrivateTmp = "no"

# ` + aboutSetting("UMask") + ` (mine.toml:7)
UMask = "7"
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestProfileJSON(t *testing.T) {
	inDirectory(t, map[string]string{"mine.toml": "extends='trusted'\nresources.TasksMax=4"})
	var got profileDescription
	if err := json.Unmarshal([]byte(berth("profiles", "mine.toml", "--json").Stdout), &got); err != nil {
		t.Fatal(err)
	}
	if !got.HostUsers || got.Name != "mine" || got.Source != "mine.toml" || len(got.Sandbox) != 2 {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{"profile trusted"}, got.BuildsOn); diff != "" {
		t.Errorf("builds on: -want +got\n%s", diff)
	}
	want := []profileSetting{{Name: "TasksMax", Values: []string{"4"}, Source: "mine.toml", Line: 2, ProtectsFrom: "fork bombs"}}
	if diff := cmp.Diff(want, got.Resources); diff != "" {
		t.Errorf("resources: -want +got\n%s", diff)
	}
}

func TestListProfiles(t *testing.T) {
	inDirectory(t, map[string]string{
		"etc/web.toml": "description='for the web'", "etc/strict.toml": "", "etc/torn.toml": "a=",
	})
	var b strings.Builder
	if err := listProfiles(&b, profiles.Search{Dirs: []string{"etc"}}, false); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`(?m) {2,}`).ReplaceAllString(b.String(), "|")
	want := `NAME|DESCRIPTION|SOURCE
default|for services: what a server needs, and little else|built in
nonetwork|for services without a network|built in
strict|-|etc/strict.toml
system|for whole systems with their own init, the default with process.boot|built in
trusted|for programs that could as well run on the host: next to no restrictions|built in
torn|cannot be used: etc/torn.toml:1:2: cannot parse TOML: expected value, not end of input|-
web|for the web|etc/web.toml
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestProfilesDocument holds that the profiles in the documentation are right.
func TestProfilesDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	found := 0
	for _, example := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(example[1], "[process]") {
			continue
		}
		found++
		if err := os.WriteFile("example.toml", []byte(example[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := launcher.LoadProfile("./example.toml"); err != nil {
			t.Errorf("%v\n%s", err, example[1])
		}
	}
	if found < 2 {
		t.Errorf("found %d profiles in it", found)
	}
}
