package launcher

import (
	"bytes"
	"strings"
	"testing"

	"berth/mountguard"

	"github.com/google/go-cmp/cmp"
)

// Line 1 of each file is a process.command.
func TestPlanGuard(t *testing.T) {
	const mounts = "\n[[mounts]]\ntype='bind'\nsource='/srv/a'\ntarget='/a'\nread_only=true\n[sandbox]\nBindReadOnlyPaths='/srv/b:/b'\n"
	none := map[string]Lock{"/": LockNone, "/proc": LockNone, "/sys": LockNone, "/sys/fs/cgroup": LockNone, "/dev": LockNone, "/tmp": LockNone, "/a": LockNone, "/b": LockNone}
	usual := map[string]Lock{"/": LockBoth, "/proc": LockBoth, "/sys": LockBoth, "/sys/fs/cgroup": LockFlags, "/dev": LockFlags, "/tmp": LockFlags, "/a": LockFlags, "/b": LockFlags}
	for _, test := range []struct {
		name, text string
		want       mountguard.Policy
		traps      bool
		locks      map[string]Lock
	}{
		{"nothing said", "", mountguard.Policy{Enabled: true, Unmounts: true}, true, usual},
		{"off", "mountguard.enabled=false", mountguard.Policy{Unmounts: true}, false, usual},
		{"unmounts denied", "mountguard.immutable_unmounts='deny'", mountguard.Policy{Enabled: true}, true,
			map[string]Lock{"/": LockBoth, "/proc": LockBoth, "/sys": LockBoth, "/sys/fs/cgroup": LockBoth, "/dev": LockBoth, "/tmp": LockBoth, "/a": LockBoth, "/b": LockBoth}},
		{"unmounts denied by the kernel alone", "mountguard={enabled=false, immutable_unmounts='deny'}", mountguard.Policy{}, false,
			map[string]Lock{"/": LockBoth, "/proc": LockBoth, "/sys": LockBoth, "/sys/fs/cgroup": LockBoth, "/dev": LockBoth, "/tmp": LockBoth, "/a": LockBoth, "/b": LockBoth}},
		{"remounts allowed", "mountguard.immutable_remounts='allow'", mountguard.Policy{Enabled: true, Remounts: true, Unmounts: true}, true,
			map[string]Lock{"/": LockPlace, "/proc": LockBoth, "/sys": LockBoth, "/sys/fs/cgroup": LockNone, "/dev": LockNone, "/tmp": LockNone, "/a": LockNone, "/b": LockFlags}},
		{"remounts allowed, unmounts not", "mountguard={immutable_remounts='allow', immutable_unmounts='deny'}", mountguard.Policy{Enabled: true, Remounts: true}, true,
			map[string]Lock{"/": LockPlace, "/proc": LockBoth, "/sys": LockBoth, "/sys/fs/cgroup": LockPlace, "/dev": LockPlace, "/tmp": LockPlace, "/a": LockPlace, "/b": LockBoth}},
		{"no user namespace", "users.map='host'", mountguard.Policy{Remounts: true, Unmounts: true}, false, none},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := parse(t, "process.command = ['true']\n"+test.text+mounts)
			p, err := MakePlan(c, goldenHost(c), goldenBlock, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, p.Guard); diff != "" {
				t.Errorf("policy (-want +got)\n%s", diff)
			}
			if got := len(p.Traps) > 0; got != test.traps {
				t.Errorf("got the traps %v, want some: %v", p.Traps, test.traps)
			}
			locks := map[string]Lock{"/": p.Root.Lock}
			for _, m := range p.Mounts {
				if _, wanted := test.locks[m.Target]; wanted {
					locks[m.Target] = m.Lock
				}
			}
			if diff := cmp.Diff(test.locks, locks); diff != "" {
				t.Errorf("locks (-want +got)\n%s", diff)
			}
		})
	}
}

// What the filter denies needs nobody to look at it.
func TestPlanTraps(t *testing.T) {
	all := strings.Join(mountguard.Traps(mountguard.Policy{Enabled: true}), " ")
	for _, test := range []struct{ name, sandbox, want string }{
		{"no filter", "", all},
		{"one that says nothing of mounts", "SystemCallFilter='~@clock'", all},
		{"services don't mount", "SystemCallFilter='@system-service'", ""},
		{"one call is left", "SystemCallFilter=['@system-service', 'umount2']", "umount2"},
		{"mounting denied", "SystemCallFilter='~@mount open_tree_attr'", ""},
		{"a call that is newer than the group", "SystemCallFilter='~@mount'", "open_tree_attr"},
		{"other ABIs gone", "SystemCallArchitectures='native'", strings.Replace(all, " umount ", " ", 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := parse(t, "process.command = ['true']\n[sandbox]\n"+test.sandbox)
			p, err := MakePlan(c, goldenHost(c), goldenBlock, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, strings.Join(p.Traps, " ")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if !p.Guard.Enabled {
				t.Error("the guard is off")
			}
		})
	}
	for setting, want := range map[string]bool{"ProtectProc='invisible'": true, "ProcSubset='pid'": true, "ProtectProc='default'": false} {
		c := parse(t, "process.command = ['true']\n[sandbox]\n"+setting)
		p, err := MakePlan(c, goldenHost(c), goldenBlock, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Guard.KeepProc != want {
			t.Errorf("%s: KeepProc is %v", setting, p.Guard.KeepProc)
		}
	}
}

// Without notifications the guard can't be, unless nobody wants it.
func TestPlanWithoutNotifications(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "x.toml: mountguard.enabled: they are gone; --best-effort goes on without it",
		"[mountguard]\nenabled = true": "x.toml:3:1: mountguard.enabled: they are gone; --best-effort goes on without it",
	} {
		c := parse(t, "process.command = ['true']\n"+text)
		h := goldenHost(c)
		h.NoNotify = "they are gone"
		if _, err := MakePlan(c, h, goldenBlock, Options{}); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
		p, err := MakePlan(c, h, goldenBlock, Options{BestEffort: true})
		if err != nil {
			t.Fatal(err)
		}
		if p.Guard.Enabled || len(p.Traps) > 0 {
			t.Errorf("%q: the guard is on", text)
		}
		if diff := cmp.Diff([]string{"mountguard.enabled: not enforced: they are gone"}, p.Warnings); diff != "" {
			t.Errorf("%q: warnings (-want +got)\n%s", text, diff)
		}
	}
}

func TestPlanTextOfGuard(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "looks at fsmount fsopen"},
		{"mountguard.enabled=false", "mount guard     off\n"},
		{"users.map='host'", "off: without a user namespace the kernel locks no mount\n"},
		{"sandbox.SystemCallFilter='~@mount open_tree_attr'", "nothing to look at: the filter denies the calls\n"},
		{"mountguard.immutable_unmounts='deny'", "stay mounted\n"},
		{"mountguard.immutable_remounts='allow'", "may be remounted, but for what rules make of paths\n"},
	} {
		c := parse(t, "process.command = ['true']\n"+test.text)
		p, err := MakePlan(c, goldenHost(c), goldenBlock, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := p.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), test.want) {
			t.Errorf("%q: %q is not in\n%s", test.text, test.want, b.String())
		}
	}
}
