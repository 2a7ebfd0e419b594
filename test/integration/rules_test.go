package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

// What a rule allows again below one that forbids it is no more than the mount
// allowed by itself: the host's are read-only for a reason.
func TestRulesLoosenNothingOfTheHosts(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, `mkdir -p /srv/data/x/y; cp /bin/true /srv/data/x/y/
mount --bind /srv/data /srv/data; mount --make-private /srv/data; mount -o remount,bind,ro,noexec /srv/data`)
		defer shell(t, h, "umount /srv/data; rm -r /srv/data")
		const bind = "\n[[mounts]]\ntype = \"bind\"\nsource = \"/srv/data\"\ntarget = \"/data\"\n"
		for _, test := range []struct{ name, settings string }{
			{"execution", `NoExecPaths = "/data/x/y"`},
			{"writing", `ReadOnlyPaths = "/data/x/y"`},
			{"writing below", "ReadOnlyPaths = \"/data/x\"\nReadWritePaths = \"/data/x/y\""},
			{"execution below", "NoExecPaths = \"/data/x\"\nExecPaths = \"/data/x/y\""},
			{"below the whole", "ReadOnlyPaths = \"/\"\nNoExecPaths = \"/data\"\nReadWritePaths = \"/data/x/y\"\nExecPaths = \"/data/x/y\""},
		} {
			t.Run(test.name, func(t *testing.T) {
				got := inside(t, h, unrestricted+"[sandbox]\n"+test.settings+bind,
					"for what in 'touch /data/x/y/new' /data/x/y/true; do $what 2>/dev/null && echo \"$what\"; done; echo done")
				if got != "done" {
					t.Errorf("possible: %s", got)
				}
			})
		}
	})
}

// Two mounts on one path, by way of a symlink: rules hold for what lies on top.
func TestRulesHoldForTheUppermost(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		shell(t, h, "mkdir -p /srv/root/var /srv/data; ln -s /run /srv/root/var/run; echo visible > /srv/data/secret")
		defer shell(t, h, "rm -r /srv/data")
		got := runContainer(t, h, "box", fmt.Sprintf(unrestricted+`
[root]
directory = %q
[sandbox]
InaccessiblePaths = "-/run/secret"
[[mounts]]
type   = "bind"
source = "/srv/data"
target = "/var/run"
`, root), "/usr/bin/cat", "/run/secret", "/var/run/secret")
		if got.Status != 1 || strings.Contains(got.Stdout, "visible") || strings.Count(got.Stderr, "Permission denied") != 2 {
			t.Errorf("got %+v, want that both are denied", got)
		}
	})
}

// The container's root may unmount a tmpfs, and must not find there what a rule
// is about.
func TestRulesHoldBelowMounts(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		shell(t, h, "cp /usr/bin/umount /srv/root/usr/bin; cp -n $(ldd /usr/bin/umount | grep -o '/[^ ]*') /srv/root/usr/lib/ || true; echo visible | tee /srv/root/tmp/secret > /srv/root/tmp/fixed")
		got := runContainer(t, h, "box", fmt.Sprintf(unrestricted+`
[root]
directory = %q
[process]
environment = { LD_LIBRARY_PATH = "/usr/lib" }
[sandbox]
InaccessiblePaths = "-/tmp/secret"
ReadOnlyPaths = "-/tmp/fixed"
`, root), "/usr/bin/sh", "-c", "umount /tmp && ! cat /tmp/secret && ! touch /tmp/fixed")
		if got.Status != 0 || got.Stdout != "" || !strings.Contains(got.Stderr, "Permission denied") || !strings.Contains(got.Stderr, "Read-only") {
			t.Errorf("got %+v, want that both are denied", got)
		}
	})
}

// Nothing at all can't be what is meant.
func TestRootIsNotInaccessible(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		shell(t, h, "ln -s .. /srv/root/etc/up")
		for _, path := range []string{"/", "/etc/up"} {
			got := runContainer(t, h, "box", fmt.Sprintf(unrestricted+"[root]\ndirectory = %q\n[sandbox]\nInaccessiblePaths = %q\n", root, path), "/usr/bin/true")
			if got.Status != 125 {
				t.Errorf("%s: got %+v, want an error", path, got)
			}
			oneLine(t, got.Stderr, "InaccessiblePaths", path)
		}
	})
}

// A second process changes where a mount's target leads to while containers
// start: the rules are for the place where it ends up.
func TestRulesWithstandRenames(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		shell(t, h, "cd /srv/root; mkdir -p a/data b/data; ln -s a to-a; ln -s b to-b; ln -s a link; mkdir /srv/data; echo visible > /srv/data/secret")
		defer shell(t, h, "rm -r /srv/data")
		define(t, h, "box", fmt.Sprintf(unrestricted+`
[root]
directory = %q
[sandbox]
InaccessiblePaths = "-/b/data/secret"
[[mounts]]
type   = "bind"
source = "/srv/data"
target = "/link/data"
`, root))
		attack := begin(t, h, "sh", "-c", "cd /srv/root; while :; do for to in to-a to-b; do cp -P $to new; mv -T new link; done; done")
		denied := 0
		for deadline := time.Now().Add(attackTime(t)); time.Now().Before(deadline); {
			got := berth(t, h, "run", "box", "--", "/usr/bin/cat", "/b/data/secret")
			switch {
			case got.Status == 0:
				t.Errorf("got %+v", got)
			case strings.Contains(got.Stderr, "Permission denied"):
				denied++
			}
		}
		attack.signal(unix.SIGKILL)
		attack.wait()
		if denied == 0 {
			t.Error("the mount was never where the rule is")
		}
	})
}
