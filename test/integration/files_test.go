package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"berth/test/host"
)

// tree describes every file below a directory of the host but for access times.
func tree(t *testing.T, h *host.Host, dir string) string {
	t.Helper()
	return shell(t, h, "cd "+dir+" && find . -printf '%p %y %m %U:%G %s %n %l\\n' | sort")
}

func TestRootDirectoryIsNotChowned(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		shell(t, h, "cd /srv/root; mkdir -p home/worker opt/x; touch home/worker/f opt/x/f; chown -R 1000:1001 home/worker; chown 1500:1600 opt/x/f; chmod 4755 usr/bin/true")
		before := tree(t, h, root)
		body := unrestricted + fmt.Sprintf("[root]\ndirectory = %q\n", root)
		got := inside(t, h, body, "stat -c '%u:%g %a' / /usr/bin/true /home/worker /home/worker/f /opt/x/f; ls / > /dev/null")
		if want := "0:0 755\n0:0 4755\n1000:1001 755\n1000:1001 644\n1500:1600 644"; got != want {
			t.Errorf("inside: got\n%s\nwant\n%s", got, want)
		}
		if diff := cmp.Diff(before, tree(t, h, root)); diff != "" {
			t.Errorf("the root directory changed (-before +after):\n%s", diff)
		}
	})
}

func TestRootDirectoryFilesMadeInside(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		body := unrestricted + fmt.Sprintf("[root]\ndirectory = %q\n", root)
		inside(t, h, body, "touch /root-made; mkdir /dir; touch /dir/f; chown 1000:1001 /dir/f; chown 65534:65534 /dir")
		if got := shell(t, h, "cd /srv/root; stat -c '%n %u:%g' root-made dir dir/f"); got != "root-made 0:0\ndir 65534:65534\ndir/f 1000:1001" {
			t.Errorf("on disk: %q", got)
		}
		inside(t, h, body+"[process]\nuser = \"worker\"\n", "test ! -w /dir && test ! -w /etc/passwd && touch /tmp/x")
		if got := runContainer(t, h, "box", body, "/bin/chown", "65536", "/dir/f"); got.Status == 0 {
			t.Error("a file was given to a user beyond the block")
		}
	})
}

func TestRootReadOnly(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		before := tree(t, h, root)
		got := inside(t, h, unrestricted+fmt.Sprintf("[root]\ndirectory = %q\nread_only = true\n", root), "touch /x 2>&1 || true; touch /usr/x 2>&1 || true; touch /tmp/x /run/x /dev/shm/x && echo writable")
		if strings.Count(got, "Read-only file system") != 2 || !strings.HasSuffix(got, "writable") {
			t.Errorf("got %q", got)
		}
		if diff := cmp.Diff(before, tree(t, h, root)); diff != "" {
			t.Errorf("the root directory changed (-before +after):\n%s", diff)
		}
	})
}

// systemd-nspawn(1), --volatile=, says what each of them means.
func TestRootVolatile(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		shell(t, h, "cd /srv/root; mkdir -p var/lib srv; echo kept > var/lib/data; echo conf > etc/conf")
		for _, test := range []struct {
			mode string
			want string // what the script below prints
			kept string // what is in the directory afterwards
		}{
			{"no", "var conf wrote-/ wrote-/usr wrote-/var wrote-/etc", "etc/new new usr/new var/new"},
			{"overlay", "var conf wrote-/ wrote-/usr wrote-/var wrote-/etc", ""},
			{"state", "no-var conf wrote-/var", ""},
			{"yes", "no-var no-conf wrote-/ wrote-/var wrote-/etc", ""},
		} {
			t.Run(test.mode, func(t *testing.T) {
				body := unrestricted + fmt.Sprintf("[root]\ndirectory = %q\nvolatile = %q\n", root, test.mode)
				got := inside(t, h, body, `
test -e /var/lib/data && echo var || echo no-var
test -e /etc/conf && echo conf || echo no-conf
mkdir /var /etc 2>/dev/null || true
for dir in / /usr /var /etc; do (touch $dir/new) 2>/dev/null && echo wrote-$dir; done
true`)
				if got := strings.Join(strings.Fields(got), " "); got != test.want {
					t.Errorf("inside: got %q, want %q", got, test.want)
				}
				kept := shell(t, h, "cd /srv/root; find . -name new -printf '%P\\n' -delete | sort")
				if got := strings.Join(strings.Fields(kept), " "); got != test.kept {
					t.Errorf("kept: got %q, want %q", got, test.kept)
				}
			})
		}
	})
}

func TestHostTreeIsNeverWritten(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", unrestricted)
		before := tree(t, h, "/etc")
		got := inside(t, h, unrestricted, `
touch /made /etc/made /usr/bin/made /srv/made /var/made /opt/made
rm -f /etc/hostname /usr/bin/stat
echo changed > /etc/fstab
chown 33 /etc/hosts
mount -t tmpfs none /mnt
ls -d /made /etc/made; cat /etc/fstab`)
		if got != "/etc/made\n/made\nchanged" {
			t.Errorf("inside: %q", got)
		}
		if got := shell(t, h, "ls -d /made /etc/made /usr/bin/made /srv/made /var/made /opt/made 2>/dev/null || true; cat /etc/fstab; stat -c %u /etc/hosts; ls /etc/hostname /usr/bin/stat"); got != "0\n/etc/hostname\n/usr/bin/stat" {
			t.Errorf("on the host: %q", got)
		}
		if diff := cmp.Diff(before, tree(t, h, "/etc")); diff != "" {
			t.Errorf("the host changed (-before +after):\n%s", diff)
		}
	})
}

func TestHostTreeIsHidden(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, path := range []string{
			"/root/.canary", "/home/someone/canary", "/etc/ssh/ssh_host_rsa_key", "/etc/ssl/private/key.pem",
			"/var/log/canary", "/var/tmp/canary", "/var/lib/private/canary", "/mnt/canary", "/media/canary", "/etc/credstore/canary",
		} {
			writeFile(t, h, path, "secret")
		}
		shell(t, h, "chmod 700 /etc/credstore") // as systemd makes it
		got := inside(t, h, unrestricted, `
find /root /home /etc/ssl/private /var/log /var/tmp /var/lib/private /mnt /media /etc/credstore /boot -mindepth 1 2>&1
ls /etc/shadow /etc/gshadow /etc/shadow- /etc/gshadow- /etc/ssh/ssh_host_rsa_key /etc/machine-id 2>/dev/null || true
test -d /root && test -d /home && test -d /var/log && test -f /etc/passwd && echo there`)
		if got != "there" {
			t.Errorf("seen:\n%s", got)
		}
		// What a symlink leads out of the tree to is not looked at through it.
		if link := inside(t, h, unrestricted, "readlink /var/run"); link != "/run" {
			t.Errorf("/var/run leads to %q", link)
		}
		got = inside(t, h, unrestricted+"[root]\nvolatile = \"yes\"\n", "ls -A / | tr '\\n' ' '; ls -A /root /home /etc /var 2>/dev/null | grep -v : || true; ls /usr/bin/env")
		if strings.Contains(got, "shadow") || !strings.HasSuffix(got, "/usr/bin/env") {
			t.Errorf("volatile = yes: %s", got)
		}
	})
}

// A world-readable directory with a secret in it is not shown either where the
// container's user database makes another user of its owner.
func TestHostTreePermissionsHold(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/usr/local/share/canary/of-a-user", "secret")
		shell(t, h, "chown 70000:70000 /usr/local/share/canary/of-a-user; chmod 600 /usr/local/share/canary/of-a-user")
		got := inside(t, h, "", "stat -c %u:%g /usr/local/share/canary/of-a-user; cat /usr/local/share/canary/of-a-user 2>&1 || true")
		if !strings.HasPrefix(got, "65534:65534\n") || strings.Contains(got, "secret") {
			t.Errorf("a file of a user beyond the block: %q", got)
		}
	})
}

func TestBindIDMap(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, test := range []struct {
			idmap string
			seen  string // owners inside of the directory, the owner's file, root's file
			made  string // owner on disk of a file that the container's root makes; "" if it may not
		}{
			{"owner", "0:0 0:0 65534:65534", "4321:4322"},
			{"identity", "4321:4322 4321:4322 0:0", "0:0"},
			{"no", "65534:65534 65534:65534 65534:65534", ""},
		} {
			t.Run(test.idmap, func(t *testing.T) {
				shell(t, h, "mkdir -p /srv/canary; touch /srv/canary/owners /srv/canary/roots; chown 4321:4322 /srv/canary /srv/canary/owners; chmod 755 /srv/canary")
				defer func() { shell(t, h, "rm -r /srv/canary") }()
				body := fmt.Sprintf("[[mounts]]\ntype = \"bind\"\nsource = \"/srv/canary\"\ntarget = \"/srv/www\"\nidmap = %q\n", test.idmap)
				got := inside(t, h, body, "cd /srv/www; echo $(stat -c %u:%g . owners roots); (touch made) 2>/dev/null || true")
				if got != test.seen {
					t.Errorf("inside: got %q, want %q", got, test.seen)
				}
				if got := shell(t, h, "cd /srv/canary; stat -c %u:%g made 2>/dev/null || true; stat -c %u:%g owners roots"); got != strings.TrimPrefix(test.made+"\n4321:4322\n0:0", "\n") {
					t.Errorf("on disk: got %q", got)
				}
			})
		}
	})
}

func TestBindOptions(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "mkdir -p /srv/canary/sub; printf '#!/bin/sh\\necho ran\\n' > /srv/canary/program; chmod 755 /srv/canary/program; mount -t tmpfs inner /srv/canary/sub; touch /srv/canary/sub/deep")
		defer func() { shell(t, h, "umount /srv/canary/sub; rm -r /srv/canary") }()
		for _, test := range []struct{ options, script, want string }{
			{``, "cd /srv/www; touch made && rm made && echo wrote; ./program; ls sub", "wrote\nran\ndeep"},
			{`read_only = true`, "cd /srv/www; (touch made sub/made) 2>/dev/null || echo refused; ./program; ls sub", "refused\nran\ndeep"},
			{`options = ["noexec"]`, "cd /srv/www; ./program 2>/dev/null || echo refused", "refused"},
			{`options = ["norbind"]`, "cd /srv/www; ls -A sub", ""},
			{``, "grep ' /srv/www ' /proc/self/mountinfo | cut -d' ' -f6 | sed s/,idmapped//", "rw,nosuid,nodev,relatime"},
			{`options = ["suid", "dev", "noatime"]`, "grep ' /srv/www ' /proc/self/mountinfo | cut -d' ' -f6 | sed s/,idmapped//", "rw,noatime"},
		} {
			t.Run(test.options+test.want, func(t *testing.T) {
				body := "[[mounts]]\ntype = \"bind\"\nsource = \"/srv/canary\"\ntarget = \"/srv/www\"\n" + test.options + "\n"
				if got := inside(t, h, body, test.script); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		}
	})
}

func TestBindFile(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/srv/canary/file", "content")
		body := "[[mounts]]\ntype = \"bind\"\nsource = \"/srv/canary/file\"\ntarget = \"/srv/new/place\"\nread_only = true\n"
		if got := inside(t, h, body, "cat /srv/new/place; (echo x > /srv/new/place) 2>/dev/null || echo refused"); got != "contentrefused" {
			t.Errorf("got %q", got)
		}
		shell(t, h, "test ! -e /srv/new")
	})
}

func TestTmpfsMount(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := "[[mounts]]\ntype = \"tmpfs\"\ntarget = \"/srv/cache\"\noptions = [\"size=1M\", \"mode=0750\"]\n"
		got := inside(t, h, body, "stat -c '%u:%g %a' /srv/cache; touch /srv/cache/x; head -c 2000000 /dev/zero > /srv/cache/big 2>/dev/null || echo full; stat -f -c %T /srv/cache")
		if got != "0:0 750\nfull\ntmpfs" {
			t.Errorf("got %q", got)
		}
	})
}

func TestOverlayMount(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "mkdir -p /srv/canary/a /srv/canary/b /srv/canary/upper /srv/canary/work; echo a > /srv/canary/a/both; echo b > /srv/canary/b/both; echo b > /srv/canary/b/only; chown -R 4321:4321 /srv/canary/*")
		defer func() { shell(t, h, "rm -r /srv/canary") }()
		script := "cd /srv/www; cat both only; stat -c %u:%g both; rm only; echo new > both; touch made; ls"
		want := "a\nb\n0:0\nboth\nmade"
		const overlay = "[[mounts]]\ntype = \"overlay\"\nsource = [\"/srv/canary/a\", \"/srv/canary/b\"]\ntarget = \"/srv/www\"\n"
		if got := inside(t, h, overlay, script); got != want {
			t.Errorf("in memory: got %q, want %q", got, want)
		}
		if got := shell(t, h, "cat /srv/canary/a/both /srv/canary/b/both /srv/canary/b/only; ls -A /srv/canary/upper /srv/canary/a | tr '\\n' ' '"); got != "a\nb\nb\n/srv/canary/a: both  /srv/canary/upper: " {
			t.Errorf("layers: %q", got)
		}
		if got := inside(t, h, overlay+"upper = \"/srv/canary/upper\"\nwork = \"/srv/canary/work\"\n", script); got != want {
			t.Errorf("on disk: got %q, want %q", got, want)
		}
		if got := shell(t, h, "cd /srv/canary/upper; cat both; stat -c '%n %u:%g %F' *; cat ../a/both ../b/only"); got != "new\nboth 4321:4321 regular file\nmade 4321:4321 regular empty file\nonly 4321:4321 character special file\na\nb" && !strings.Contains(got, "made 4321:4321") {
			t.Errorf("upper: %q", got)
		}
	})
}

// A setuid program that the container's root makes is one of the host's root,
// for whoever can reach it there: berth says so.
func TestReachableRootIsWarnedOf(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "mkdir -p /usr/local/share/canary /srv/canary")
		defer func() { shell(t, h, "rmdir /usr/local/share/canary /srv/canary") }()
		for _, test := range []struct {
			source, options string
			warned          bool
		}{
			{"/usr/local/share/canary", "", true},
			{"/usr/local/share/canary", "read_only = true\n", false},
			{"/srv/canary", "", false},
		} {
			body := fmt.Sprintf("[[mounts]]\ntype = \"bind\"\nsource = %q\ntarget = \"/srv/www\"\n%s", test.source, test.options)
			got := runContainer(t, h, "box", body, "true")
			if warned := strings.Contains(got.Stderr, "mounts[0].source"); got.Status != 0 || warned != test.warned {
				t.Errorf("%s %s: got %+v, want a warning: %v", test.source, test.options, got, test.warned)
			}
		}
	})
}
