package integration

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"berth/internal/fsguard"
	"berth/test/host"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// opened are files by the type of their file system, as containers and services
// see them. That of "/" depends on the host.
var opened = []struct{ path, kind string }{
	{"/etc/passwd", "root"}, {"/proc/version", "proc"}, {"/sys/kernel/notes", "sysfs"}, {"/dev/null", "tmpfs"},
	{"/run", "tmpfs"}, {"/sys/fs/cgroup/cgroup.controllers", "cgroup2"}, {"/dev/pts", "devpts"},
}

// openScript opens them with what the shell has built in: a program could not
// even be executed.
func openScript() string {
	var b strings.Builder
	b.WriteString("for f in")
	for _, o := range opened {
		b.WriteString(" " + o.path)
	}
	b.WriteString(`; do m=$( ( : < $f ) 2>&1 ) && m=ok; case $m in *": Operation not permitted") m=EPERM;; esac; echo "$f $m"; done`)
	return b.String()
}

// restrictions are values of RestrictFileSystems= and what they mean; ROOT stands
// for the type of "/".
var restrictions = []struct {
	name, value string
	allow       bool
	kinds       []string
}{
	{"allow the root", "ROOT", true, nil},
	{"allow several", "ROOT sysfs devpts", true, []string{"sysfs", "devpts"}},
	{"allow a group", "ROOT @basic-api", true, []string{"proc", "sysfs", "tmpfs", "cgroup2", "devpts"}},
	{"deny one", "~proc", false, []string{"proc"}},
	{"deny several", "~proc sysfs cgroup2", false, []string{"proc", "sysfs", "cgroup2"}},
	{"deny a group", "~@temporary", false, []string{"tmpfs"}},
	{"deny what isn't there", "~btrfs @network", false, nil},
}

func TestRestrictFileSystems(t *testing.T) {
	withBerth(t, func(t *testing.T, shared *host.Host) {
		needsGuard(t)
		h := ownHost(t, shared)
		root := shell(t, h, "stat --file-system --format=%T / | sed 's,^ext2/ext3$,ext4,'")
		bySystemd := systemdRestricts(t, h)
		for _, test := range restrictions {
			t.Run(test.name, func(t *testing.T) {
				value := strings.ReplaceAll(test.value, "ROOT", root)
				var want strings.Builder
				for _, o := range opened {
					answer := "EPERM"
					named := slices.Contains(test.kinds, o.kind) || slices.Contains(test.kinds, root) && o.kind == "root" ||
						strings.Contains(test.value, "ROOT") && (o.kind == "root" || o.kind == root)
					if named == test.allow {
						answer = "ok"
					}
					fmt.Fprintln(&want, o.path, answer)
				}
				if root == "tmpfs" && !test.allow && slices.Contains(test.kinds, "tmpfs") {
					t.Skip("the shell itself lies on a tmpfs")
				}
				got := runContainer(t, h, "restricted", fmt.Sprintf("[sandbox]\nRestrictFileSystems = %q", value), "sh", "-c", openScript())
				if diff := cmp.Diff(result{Stdout: want.String()}, got); diff != "" {
					t.Errorf("berth: %s", diff)
				}
				if !bySystemd {
					return
				}
				got = run(t, h, "systemd-run", "--wait", "--pipe", "--quiet", "--collect", "--expand-environment=no", "-p", "RestrictFileSystems="+value, "sh", "-c", openScript())
				if diff := cmp.Diff(result{Stdout: want.String()}, got); diff != "" {
					t.Errorf("systemd: %s", diff)
				}
			})
		}
	})
}

// systemdRestricts has the host's systemd look for BPF among the security modules
// once more, with securityfs mounted: it has none in a container, which a private
// host is for it. The answer tells whether it enforces the setting now.
func systemdRestricts(t *testing.T, h *host.Host) bool {
	t.Helper()
	shell(t, h, "mountpoint --quiet /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security; systemctl daemon-reexec")
	enforced := run(t, h, "systemd-run", "--wait", "--pipe", "--quiet", "--collect", "-p", "RestrictFileSystems=~proc", "cat", "/proc/version").Status != 0
	t.Logf("systemd enforces it: %v", enforced)
	return enforced
}

// needsGuard skips where the kernel refuses: BPF is no active security module, or
// root may not load programs for security hooks.
func needsGuard(t *testing.T) {
	t.Helper()
	err := fsguard.Asked()
	if err == nil {
		if err = fsguard.Probe(fsguard.Layout{}); err != nil && !errors.Is(err, unix.EPERM) {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Skipf("this kernel enforces no RestrictFileSystems=: %v", err)
	}
}

// Where the kernel refuses, as systemd makes it do here, nobody is made to believe
// in the setting.
func TestRestrictFileSystemsRefused(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "refused", "[sandbox]\nRestrictFileSystems = \"~proc\"")
		refused := func(args ...string) result {
			t.Helper()
			return run(t, h, "systemd-run", append([]string{"--quiet", "--wait", "--pipe", "--collect",
				"--property=SystemCallFilter=~bpf", "--property=SystemCallErrorNumber=EPERM", "berth", "run"}, args...)...)
		}
		got := refused("refused", "--", "true")
		if got.Status != 125 || !strings.Contains(got.Stderr, "sandbox.RestrictFileSystems: ") {
			t.Errorf("without the kernel's help: got %+v", got)
		}
		got = refused("--best-effort", "refused", "--", "true")
		if got.Status != 0 || !strings.Contains(got.Stderr, "sandbox.RestrictFileSystems: not enforced: ") {
			t.Errorf("--best-effort: got %+v", got)
		}
	})
}

// withLoneRoot makes a host's /srv/lone a root on a tmpfs, while berth itself is on
// another file system, and gives test the file of a container that may open what
// is on types of file systems.
func withLoneRoot(t *testing.T, test func(t *testing.T, h *host.Host, body func(value string) string)) {
	t.Helper()
	withBerth(t, func(t *testing.T, h *host.Host) {
		needsGuard(t)
		if shell(t, h, "stat --file-system --format=%T /opt/berth") == "tmpfs" {
			t.Skip("berth itself lies on a tmpfs")
		}
		shell(t, h, "mkdir -p /srv/lone && mount -t tmpfs tmpfs /srv/lone && cp -a /opt/debian/. /srv/lone")
		defer shell(t, h, "umount /srv/lone && rmdir /srv/lone")
		test(t, h, func(value string) string {
			return fmt.Sprintf("[root]\ndirectory = \"/srv/lone\"\n[sandbox]\nRestrictFileSystems = %q", value)
		})
	})
}

// What berth needs for itself may lie on file systems that the container has no
// use for; its program may not.
func TestRestrictFileSystemsAndBerth(t *testing.T) {
	withLoneRoot(t, func(t *testing.T, h *host.Host, body func(string) string) {
		if got := runContainer(t, h, "lone", body("tmpfs"), "sh", "-c", "echo in"); got.Stdout != "in\n" || got.Status != 0 {
			t.Errorf("its root's type alone: got %+v", got)
		}
		if got := runContainer(t, h, "lone", body("~tmpfs"), "true"); got.Status != 126 {
			t.Errorf("the payload's program denied: got %+v, want status 126", got)
		}
		c := idle(t, h, "lone", body("tmpfs"))
		defer c.stop()
		for path, status := range map[string]int{"/etc/passwd": 0, "/proc/version": 1} {
			if got := berth(t, h, "exec", "lone", "--", "cat", path); got.Status != status {
				t.Errorf("berth exec, %s: got %+v, want status %d", path, got, status)
			}
		}
		// What it executes is judged: here berth's own program, of the process that asks.
		if got := berth(t, h, "exec", "lone", "--", "/proc/self/exe"); got.Status != 126 {
			t.Errorf("berth exec of a program on another file system: got %+v, want status 126", got)
		}
	})
}

// An init is the container's first process itself.
func TestRestrictFileSystemsOfInit(t *testing.T) {
	withLoneRoot(t, func(t *testing.T, h *host.Host, body func(string) string) {
		const init = `#!/bin/sh
[ $$ = 1 ] && read line < /etc/passwd && ! read line < /proc/version && echo restricted
`
		shell(t, h, "rm /srv/lone/sbin/init; cat > /srv/lone/sbin/init <<'END'\n"+init+"END\nchmod +x /srv/lone/sbin/init")
		got := runContainer(t, h, "lone", "profile = \"system\"\n"+body("tmpfs devpts")+"\n[process]\nboot = true")
		if !strings.Contains(got.Stdout, "restricted") {
			t.Errorf("got %+v", got)
		}
	})
}
