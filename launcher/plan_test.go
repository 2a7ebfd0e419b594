package launcher

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"berth/config"
	"berth/units"

	"github.com/google/go-cmp/cmp"
)

// TestMakePlanRefuses names every refusal of a plan, with its whole text. Line
// 1 of each file is a process.command.
func TestMakePlanRefuses(t *testing.T) {
	bare := func(h *Host) { h.Controllers = nil }
	old := func(h *Host) { h.SystemdVersion = 252 }
	without := func(path string) func(*Host) {
		return func(h *Host) { h.Sources[path] = Source{Err: "no such file or directory"} }
	}
	file := func(path string) func(*Host) {
		return func(h *Host) { h.Sources[path] = Source{} }
	}
	tests := []struct {
		name, text string
		host       func(*Host)
		want       string
	}{
		// The root.
		{"a root that is not there", "root.directory = '/srv/a'", without("/srv/a"),
			`x.toml:2:6: root.directory: cannot use "/srv/a" as the root: no such file or directory`},
		{"a root that is a file", "root.directory = '/srv/a'", file("/srv/a"),
			`x.toml:2:6: root.directory: cannot use "/srv/a" as the root: not a directory`},

		// The sandbox.
		{"each wrong value of a list", "[sandbox]\nSystemCallFilter = ['@system-servce', '@privileged', '@mont']", nil,
			"x.toml:3:1: sandbox.SystemCallFilter: unknown group of system calls \"@mont\", did you mean \"@mount\"?\n" +
				"x.toml:3:1: sandbox.SystemCallFilter: unknown group of system calls \"@system-servce\", did you mean \"@system-service\"?"},
		{"an unknown setting once", "[sandbox]\nProtectHme = ['a', 'b']", nil,
			`x.toml:3:1: sandbox.ProtectHme: unknown setting: did you mean "ProtectHome"?`},
		{"a network of its own and the host's", "network.mode = 'host'\n[sandbox]\nPrivateNetwork = true", nil,
			`x.toml:4:1: sandbox.PrivateNetwork: contradicts network.mode = "host"`},
		{"a bind that is not there", "[sandbox]\nBindPaths = '/srv/a:/a'", without("/srv/a"),
			`x.toml:3:1: sandbox.BindPaths: cannot mount "/srv/a": no such file or directory`},

		// Mounts.
		{"a source that is not there", "[[mounts]]\ntype='bind'\nsource='/srv/a'\ntarget='/a'", without("/srv/a"),
			`x.toml:4:1: mounts[0].source: cannot mount "/srv/a": no such file or directory`},
		{"the second mount's source", "[[mounts]]\ntype='tmpfs'\ntarget='/b'\n[[mounts]]\ntype='bind'\nsource='/srv/a'\ntarget='/a'", without("/srv/a"),
			`x.toml:7:1: mounts[1].source: cannot mount "/srv/a": no such file or directory`},
		{"a lower layer that is a file", "[[mounts]]\ntype='overlay'\nsource='/srv/a'\ntarget='/a'", file("/srv/a"),
			`x.toml:4:1: mounts[0].source: cannot mount "/srv/a": an overlay's layers are directories`},
		{"an upper layer that is not there", "[[mounts]]\ntype='overlay'\nsource='/srv/a'\nupper='/srv/u'\nwork='/srv/w'\ntarget='/a'", without("/srv/u"),
			`x.toml:5:1: mounts[0].upper: cannot mount "/srv/u": no such file or directory`},
		{"a work directory that is a file", "[[mounts]]\ntype='overlay'\nsource='/srv/a'\nupper='/srv/u'\nwork='/srv/w'\ntarget='/a'", file("/srv/w"),
			`x.toml:6:1: mounts[0].work: cannot mount "/srv/w": an overlay's layers are directories`},
		{"the terminal's place", "process.terminal = true\n[[mounts]]\ntype='tmpfs'\ntarget='/dev/pts'", nil,
			"x.toml:5:1: mounts[0].target: /dev/pts is the container's terminal's, which it has for boot, terminal or berth run on one"},
		{"the owner of a container without root", "process.user = '1'\nusers.map_root = false\n[[mounts]]\ntype='bind'\nsource='/srv/a'\ntarget='/a'\nidmap='owner'", nil,
			"x.toml:8:1: mounts[0].idmap: owner is about the container's root, which users.map_root = false removes: use identity or no"},
		{"the same by default", "process.user = '1'\nusers.map_root = false\n[[mounts]]\ntype='bind'\nsource='/srv/a'\ntarget='/a'", nil,
			"x.toml:4:3: mounts[0].idmap: owner is about the container's root, which users.map_root = false removes: use identity or no"},

		// Resources that this host can't enforce.
		{"no controller", "resources.MemoryMax = '1M'", bare,
			"x.toml:2:11: resources.MemoryMax: this host has no memory controller in its unified cgroup hierarchy; --best-effort goes on without it"},
		{"an old systemd", "resources.MemoryZSwapMax = '1M'", old,
			"x.toml:2:11: resources.MemoryZSwapMax: needs systemd 253 or later, this is 252; --best-effort goes on without it"},

		// Resources that no host takes.
		{"a setting misspelt", "resources.MemoryMaxx = '1M'", nil,
			`x.toml:2:11: resources.MemoryMaxx: unknown setting: did you mean "MemoryMax"?`},
		{"a setting of cgroup v1", "resources.MemoryLimit = '1M'", nil,
			"x.toml:2:11: resources.MemoryLimit: is a setting of cgroup v1: use MemoryMax"},
		{"a setting of services", "resources.Restart = 'always'", nil,
			"x.toml:2:11: resources.Restart: a scope does not take it: it is a setting of services; it belongs in [service]"},
		{"a setting of the sandbox", "resources.ProtectSystem = 'strict'", nil,
			"x.toml:2:11: resources.ProtectSystem: is a sandbox setting: it belongs in [sandbox]"},
		{"a setting of units", "resources.After = 'a.service'", nil,
			"x.toml:2:11: resources.After: is a setting of units, not a resource: it belongs in [service]"},
		{"a wrong value", "resources.MemoryMax = 'much'", nil,
			`x.toml:2:11: resources.MemoryMax: must be a size such as 512M, a percentage or infinity, not "much"`},
		{"a wrong value on a bare host", "resources.MemoryMax = 'much'", bare,
			`x.toml:2:11: resources.MemoryMax: must be a size such as 512M, a percentage or infinity, not "much"`},

		// All at once, from top to bottom.
		{"everything", "root.directory = '/srv/a'\n[resources]\nRestart = 'no'\nTasksMax = -1\nMemoryMax = 1", func(h *Host) { bare(h); without("/srv/a")(h) },
			strings.Join([]string{
				`x.toml:2:6: root.directory: cannot use "/srv/a" as the root: no such file or directory`,
				"x.toml:4:1: resources.Restart: a scope does not take it: it is a setting of services; it belongs in [service]",
				`x.toml:5:1: resources.TasksMax: must be a number of tasks, a percentage below 100% or infinity, not "-1"`,
				"x.toml:6:1: resources.MemoryMax: this host has no memory controller in its unified cgroup hierarchy; --best-effort goes on without it",
			}, "\n")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := parse(t, "process.command = ['true']\n"+test.text)
			h := goldenHost(c)
			if test.host != nil {
				test.host(&h)
			}
			_, err := MakePlan(c, h, goldenBlock, Options{})
			var list config.Errors
			if !errors.As(err, &list) {
				t.Fatalf("got the error %v, want config.Errors", err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// With --best-effort a plan goes on without what the host can't enforce, and
// says so. A property that systemd knows is sent all the same: it then shows
// what was wanted, and holds as soon as there is a controller.
func TestMakePlanBestEffort(t *testing.T) {
	tests := []struct {
		name, text string
		host       Host
		warnings   []string
		properties []string // without DevicePolicy
	}{
		{"all there", "MemoryMax = 5", Host{Controllers: []string{"memory"}}, nil, []string{"MemoryMax"}},
		{"no controller", "MemoryMax = 5\nTasksMax = 6", Host{Controllers: []string{"pids"}},
			[]string{"resources.MemoryMax: not enforced: this host has no memory controller in its unified cgroup hierarchy"},
			[]string{"MemoryMax", "TasksMax"}},
		{"an old systemd", "MemoryZSwapMax = 5\nMemoryMax = 6", Host{SystemdVersion: 252, Controllers: []string{"memory"}},
			[]string{"resources.MemoryZSwapMax: not enforced: needs systemd 253 or later, this is 252"},
			[]string{"MemoryMax"}},
		{"neither", "MemoryZSwapMax = 5", Host{SystemdVersion: 252},
			[]string{"resources.MemoryZSwapMax: not enforced: needs systemd 253 or later, this is 252"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := parse(t, "process.command = ['true']\n[resources]\n"+test.text)
			p, err := MakePlan(c, test.host, goldenBlock, Options{BestEffort: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.warnings, p.Warnings); diff != "" {
				t.Errorf("warnings (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(append(test.properties, "DevicePolicy"), propertyNames(p.Unit.Properties)); diff != "" {
				t.Errorf("properties (-want +got)\n%s", diff)
			}
		})
	}
	t.Run("a mistake stays one", func(t *testing.T) {
		c := parse(t, "process.command = ['true']\nresources.Restart = 'no'")
		if _, err := MakePlan(c, goldenHost(c), goldenBlock, Options{BestEffort: true}); err == nil {
			t.Error("a scope got a setting of services")
		}
	})
}

func propertyNames(properties []units.Property) []string {
	names := make([]string, len(properties))
	for i, p := range properties {
		names[i] = p.Name
	}
	return names
}

// What is private in the host's tree is private also where it lies on a file
// system of its own, whose overlay is another.
func TestMakePlanHidesInEveryOverlay(t *testing.T) {
	c := parse(t, "process.command = ['true']")
	h := goldenHost(c)
	h.OSMounts = []string{"/usr", "/etc", "/var", "/var/lib"}
	p, err := MakePlan(c, h, goldenBlock, Options{})
	if err != nil {
		t.Fatal(err)
	}
	hidden := map[string][]string{}
	for _, m := range p.Mounts {
		if m.Type == "overlay" {
			hidden[m.Target] = m.Hidden
		}
	}
	for mount, paths := range map[string][]string{
		"/usr": nil, "/etc": {"/shadow", "/ssh/ssh_host_*_key"}, "/var": {"/log", "/lib/private"}, "/var/lib": {"/private"},
	} {
		for _, path := range paths {
			if !slices.Contains(hidden[mount], path) {
				t.Errorf("the overlay of %s shows %s", mount, path)
			}
		}
		if paths == nil && len(hidden[mount]) > 0 {
			t.Errorf("the overlay of %s hides %v", mount, hidden[mount])
		}
	}
	masked := p.OCI().Linux.MaskedPaths
	for _, path := range []string{"/etc/shadow", "/var/log", "/var/lib/private"} {
		if !slices.Contains(masked, path) {
			t.Errorf("the OCI spec shows %s", path)
		}
	}
}
