package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

// canary is what a hostile root points at, on the host: files that a container
// must neither change nor show, in directories that nothing may be made in.
const canary = "/srv/canary"

// withCanary lays it out and fails the test if it is not the same afterwards.
func withCanary(t *testing.T, h *host.Host) {
	t.Helper()
	shell(t, h, "mkdir -p "+canary+"/dir; echo secret > "+canary+"/file; echo secret > "+canary+"/dir/file; mkdir -p /srv/empty")
	look := func() (string, error) {
		return h.Shell(context.Background(), "find "+canary+" /srv/empty /etc/resolv.conf /tmp -printf '%p %y %m %U:%G %s %T@ %C@\\n' | sort; cat "+canary+"/file; ls -A / /etc /run /srv /dev /usr | grep -vE '^(berth|pristine|root)$'")
	}
	before, err := look()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if after, err := look(); err != nil || after != before {
			t.Errorf("the host was touched (%v):\n%s\nbefore:\n%s", err, after, before)
		}
		h.Remove(canary)
		h.Remove("/srv/empty")
	})
}

// Symlinks wherever berth mounts something.
func TestHostileSymlinks(t *testing.T) {
	destinations := map[string]string{
		"absolute":      canary + "/dir",
		"relative":      "../../../../../../../.." + canary + "/dir",
		"dangling":      canary + "/not-there",
		"to /":          "/",
		"to /..":        "/../../..",
		"to proc":       "/proc/1/root" + canary + "/dir",
		"to self":       "/proc/self/cwd",
		"to a file":     canary + "/file",
		"chain":         "/chain/a",
		"loop":          "/loop",
		"empty dir":     "/srv/empty",
		"deep dangling": "/srv/empty/a/b/c",
	}
	places := strings.Fields("proc sys dev run tmp etc usr/share sys/fs dev/pts dev/shm run/lock srv srv/data etc/resolv.conf var var/log")
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		withCanary(t, h)
		shell(t, h, "mkdir -p /srv/root/chain; ln -s /chain/b /srv/root/chain/a; ln -s ../../../../"+canary+"/dir /srv/root/chain/b; ln -s /loop /srv/root/loop; cp -a /srv/root /srv/pristine")
		defer func() { h.Remove("/srv/pristine") }()
		body := fmt.Sprintf(`
[root]
directory = %q
[network]
mode = "host"
[[mounts]]
type = "bind"
source = "/usr/share"
target = "/srv/data"
read_only = true
[[mounts]]
type = "bind"
source = "/etc/hosts"
target = "/srv/data-file"
read_only = true
[[mounts]]
type = "tmpfs"
target = "/var/log/deep/er"
`, root)
		define(t, h, "box", body)
		started := 0
		for name, destination := range destinations {
			for _, place := range places {
				shell(t, h, fmt.Sprintf("rm -rf /srv/root; cp -a /srv/pristine /srv/root; cd /srv/root; mkdir -p %[1]q; rm -rf %[1]q; ln -s %[2]q %[1]q", place, destination))
				got := berth(t, h, "run", "box", "--", "/usr/bin/sh", "-c", "cat "+canary+"/file "+canary+"/dir/file /proc/1/root"+canary+"/file 2>/dev/null; /usr/bin/touch "+canary+"/dir/made "+canary+"/not-there /srv/empty/made 2>/dev/null; echo up")
				switch {
				case got.Status == 0 && strings.HasSuffix(got.Stdout, "up\n"):
					started++
				case got.Status == 125 || got.Status == 126 || got.Status == 127:
					oneLine(t, got.Stderr, "berth: cannot")
				default:
					t.Errorf("/%s → %s (%s): got %+v", place, destination, name, got)
				}
				if strings.Contains(got.Stdout, "secret") {
					t.Errorf("/%s → %s (%s): the host's file was shown", place, destination, name)
				}
			}
		}
		if started < 50 {
			t.Errorf("only %d containers started: is the root good at all?", started)
		}
		t.Logf("%d started", started)
	})
}

// Things of other kinds than they should be.
func TestHostileFiles(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		withCanary(t, h)
		shell(t, h, "cp -a /srv/root /srv/pristine")
		defer func() { h.Remove("/srv/pristine") }()
		define(t, h, "box", fmt.Sprintf("[root]\ndirectory = %q\n[network]\nmode = \"host\"\n[process]\nuser = \"worker\"\n", root))
		for _, test := range []struct {
			name, script string
			starts       bool
		}{
			{"nothing", "true", true},
			{"/proc is a file", "rmdir proc; touch proc", false},
			{"/proc is missing", "rmdir proc", true},
			{"/dev is a file", "rmdir dev; touch dev", false},
			{"/sys is a FIFO", "rmdir sys; mkfifo sys", false},
			{"/etc is a file", "rm -r etc; touch etc", false},
			{"/tmp is a device", "rmdir tmp; mknod tmp c 1 5", false},
			{"/run is not writable", "chmod 0 run", true},
			{"/etc/passwd is a FIFO", "rm etc/passwd; mkfifo etc/passwd", false},
			{"/etc/passwd is a directory", "rm etc/passwd; mkdir etc/passwd", false},
			{"/etc/passwd is a device", "rm etc/passwd; mknod etc/passwd c 1 5", false},
			{"/etc/passwd is a gigabyte", "truncate -s 1G etc/passwd", false},
			{"/etc/group is a gigabyte", "truncate -s 1G etc/group", false},
			{"/etc/passwd leads to /dev/zero", "ln -sf /dev/zero etc/passwd", false},
			{"/etc/passwd leads to the host", "ln -sf " + canary + "/file etc/passwd", false},
			{"/etc/passwd is garbage", "head -c 100000 /dev/urandom > etc/passwd", false},
			{"/etc/passwd is missing", "rm etc/passwd", false},
			{"a user with wild numbers", "echo 'worker:x:-1:99999999999:::' > etc/passwd", false},
			{"a user that is root", "echo 'worker:x:0:0::/:/bin/sh' > etc/passwd", true},
			{"/etc/resolv.conf is a directory", "mkdir etc/resolv.conf", true},
			{"/etc/resolv.conf leads to the host", "ln -s /srv/canary/file etc/resolv.conf", true},
			{"setuid shell", "chown 1000 usr/bin/ls; chmod 6755 usr/bin/*", true},
			{"no sh", "rm usr/bin/sh", false},
			{"sh is a FIFO", "rm usr/bin/sh; mkfifo usr/bin/sh", false},
			{"sh is a device", "rm usr/bin/sh; mknod -m 755 usr/bin/sh c 1 5", false},
			{"no loader", "rm -r usr/lib64; rm -f lib64", false},
		} {
			t.Run(test.name, func(t *testing.T) {
				shell(t, h, "rm -rf /srv/root; cp -a /srv/pristine /srv/root; cd /srv/root; "+test.script)
				began := time.Now()
				got := berth(t, h, "run", "box", "--", "/usr/bin/sh", "-c", "echo up")
				if starts := got.Status == 0 && got.Stdout == "up\n"; starts != test.starts {
					t.Errorf("got %+v, want start: %v", got, test.starts)
				}
				if !test.starts {
					if got.Status < 125 || got.Status > 127 {
						t.Errorf("got status %d", got.Status)
					}
					oneLine(t, got.Stderr, "berth: cannot")
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		}
	})
}

// A second process swaps directories of the root with symlinks to the host
// while containers start.
func TestHostileRenames(t *testing.T) {
	withAttacks(t)
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		withCanary(t, h)
		shell(t, h, `
cd /srv/root; mkdir -p srv/data srv/deep/er swap etc
i=0; for path in srv srv/data proc dev run tmp etc/deep sys; do
	mkdir -p $path; i=$((i+1)); ln -s /srv/canary/dir swap/$i
done
mkdir swap/in; ln -s ../../../../../../srv/canary swap/relative
cp -a /srv/root /srv/pristine`)
		defer func() { h.Remove("/srv/pristine") }()
		define(t, h, "box", fmt.Sprintf(`
[root]
directory = %q
[[mounts]]
type = "bind"
source = "/usr/share"
target = "/srv/data"
read_only = true
[[mounts]]
type = "tmpfs"
target = "/srv/deep/er/than/this"
[[mounts]]
type = "bind"
source = "/etc/hosts"
target = "/etc/deep/file"
read_only = true
`, root))
		all := 0
		for _, pair := range [][2]string{
			{"srv", "swap/1"}, {"srv/data", "swap/2"}, {"proc", "swap/3"}, {"dev", "swap/4"}, {"run", "swap/5"}, {"etc/deep", "swap/7"}, {"sys", "swap/8"}, {"srv", "swap/relative"}, {"tmp", "swap/in"},
		} {
			shell(t, h, "rm -rf /srv/root; cp -a /srv/pristine /srv/root")
			attack := begin(t, h, attackProgram, "exchange", root+"/"+pair[0], root+"/"+pair[1])
			started, refused := 0, 0
			for deadline := time.Now().Add(attackTime(t) / 9); time.Now().Before(deadline); {
				got := berth(t, h, "run", "box", "--", "/usr/bin/sh", "-c", "cat "+canary+"/file "+canary+"/dir/file 2>/dev/null; /usr/bin/touch "+canary+"/dir/made 2>/dev/null; echo up")
				switch {
				case got.Status == 0 && strings.HasSuffix(got.Stdout, "up\n") && !strings.Contains(got.Stdout, "secret"):
					started++
				case got.Status >= 125 && got.Status <= 127:
					oneLine(t, got.Stderr, "berth: cannot")
					refused++
				default:
					t.Errorf("%v: got %+v", pair, got)
				}
			}
			if !attack.running() {
				t.Errorf("%v: the attack ended: %s", pair, &attack.stderr)
			}
			attack.signal(unix.SIGKILL)
			attack.wait()
			t.Logf("%v: %d started, %d refused", pair, started, refused)
			all += started
		}
		if all == 0 {
			t.Error("no container started: is the root good at all?")
		}
	})
}
