package integration

import (
	"fmt"
	"strings"
	"testing"

	"berth/test/host"
)

func TestCopy(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", unrestricted)
		shell(t, h, "mkdir -p /srv/cp/d; cd /srv/cp; echo in > f; chmod 640 f; ln -s f d/link; echo deep > d/g")
		t.Cleanup(func() { h.Remove("/srv/cp") })
		c.sh("mkdir -p /tmp/dir; echo out > /tmp/o; chown 33:33 /tmp/o; ln -s dir /tmp/to-dir; ln -s /etc/hostname /tmp/dir/abs; mkfifo /tmp/dir/fifo")
		for _, test := range []struct {
			name, script string
			want         string // a script's output, here or inside
			inside       string
		}{
			{"in, new name", "berth cp f box:/tmp/new", "0:0 640 in", "stat -c %u:%g\\ %a /tmp/new | tr '\\n' ' '; cat /tmp/new"},
			{"in, a relative path", "berth cp f box:tmp/rel", "in", "cat /tmp/rel"},
			{"in, into a directory", "berth cp f box:/tmp/dir", "in", "cat /tmp/dir/f"},
			{"in, by a symlink", "berth cp f box:/tmp/to-dir/sym", "in", "cat /tmp/dir/sym"},
			{"in, a directory", "berth cp d box:/tmp/", "deep\nf", "cat /tmp/d/g; readlink /tmp/d/link"},
			{"in, its contents", "berth cp d/. box:/tmp/dir", "deep", "cat /tmp/dir/g"},
			{"in, owners", "chown 33:7 f; berth cp -a f box:/tmp/a; chown 0:0 f", "33:7 640", "stat -c %u:%g\\ %a /tmp/a"},
			{"in, archive", "tar -c f d | berth cp - box:/tmp/dir", "deep", "cat /tmp/dir/d/g"},
			{"out, a file", "berth cp box:/tmp/o . ; stat -c %u:%g o; cat o", "0:0\nout", ""},
			{"out, owners", "berth cp --archive box:/tmp/o oo; stat -c %u:%g oo", "33:33", ""},
			{"out, a directory", "berth cp box:/tmp/dir new 2>/dev/null; ls new; readlink new/abs", "abs\nd\nf\ng\nlink\nsym\n/etc/hostname", ""},
			{"out, archive", "berth cp box:/tmp/dir - 2>/dev/null | tar -t | sort | head -n 3", "dir/\ndir/abs\ndir/d/", ""},
			{"out, of the kernel's", "berth cp box:/proc/version v; grep -c ^Linux v; berth cp box:/dev - 2>/dev/null | tar -t | grep pts/", "1\ndev/pts/\n", ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				got := run(t, h, "timeout", patience, "sh", "-c", "cd /srv/cp; "+test.script)
				if test.inside != "" && got.Status == 0 {
					got.Stdout = c.sh(test.inside)
				}
				if !strings.HasPrefix(got.Stdout, test.want) {
					t.Errorf("got %+v, want %q", got, test.want)
				}
			})
		}
	})
}

func TestCopyRefuses(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "mkdir -p /srv/cp/d; cd /srv/cp; echo in > f; chown 70000 d")
		t.Cleanup(func() { h.Remove("/srv/cp") })
		idle(t, h, "box", "") // the profile leaves /usr read-only
		for _, test := range []struct{ args, want string }{
			{"f g", "NAME:PATH"},
			{"box:/a box:/b", "both are in containers"},
			{"f box:/no/such/file", "no such file"},
			{"f box:/tmp/no/", "no such file"},
			{"none box:/tmp", `"/srv/cp/none": no such file`},
			{"box:/none .", `"/none": no such file`},
			{"box:/dev/null .", "neither a file nor a directory"},
			{"f box:/usr/f", "read-only file system"},
			{"f box:/proc/sys/kernel/f", ""},
			{"d box:/etc/passwd", "not a directory"},
			{"box:/etc f", "not a directory"},
			{"-a d box:/tmp/", "user 70000 or group 0 does not exist there"},
			{"f nothing:/tmp", `"nothing"`},
			{"- box:/etc/passwd", "not a directory"},
		} {
			got := run(t, h, "timeout", patience, "sh", "-c", "cd /srv/cp; exec berth cp "+test.args+" </dev/null")
			if got.Status != 1 {
				t.Errorf("%s: %+v, want status 1", test.args, got)
			}
			oneLine(t, got.Stderr, "berth: ", test.want)
		}
		if got := shell(t, h, "cd /srv/cp; ls; cat f"); got != "d\nf\nin" {
			t.Errorf("left %q", got)
		}
	})
}

// Paths that the container has prepared lead nowhere but into the container.
func TestCopyStaysInContainer(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", unrestricted)
		writeFile(t, h, "/srv/cp/secret", "host")
		writeFile(t, h, "/srv/cp/f", "in")
		c.sh(`mkdir -p /srv/cp /tmp/out; echo container > /srv/cp/secret; ln -s /srv/cp/secret /tmp/abs
			ln -s ../../../../../../srv/cp/secret /tmp/rel; ln -s ../../../../../srv/cp /tmp/dir; ln -s /proc/1/root /tmp/root; ln -s /proc/self/exe /tmp/self`)
		for _, path := range []string{"/tmp/abs", "/tmp/rel", "/../../srv/cp/secret", "/tmp/dir/secret", "/tmp/dir/../../srv/cp/secret"} {
			got := run(t, h, "timeout", patience, "sh", "-c", "berth cp box:"+path+" - | tar -xO")
			if got.Stdout != "container\n" {
				t.Errorf("out of %s: %+v", path, got)
			}
		}
		for _, path := range []string{"/tmp/root/etc/passwd", "/tmp/self", "/proc/1/root", "/proc/1/cwd", "/proc/1/exe", "/proc/self/fd/3"} {
			if got := run(t, h, "timeout", patience, "sh", "-c", "berth cp box:"+path+" - | tar -t"); got.Stdout != "" {
				t.Errorf("out of %s: %+v", path, got)
			}
		}
		for _, path := range []string{"/tmp/abs", "/tmp/rel", "/tmp/dir/new"} {
			if got := berth(t, h, "cp", "/srv/cp/f", "box:"+path); got.Status != 0 {
				t.Errorf("into %s: %+v", path, got)
			}
		}
		if got := shell(t, h, "ls /srv/cp; cat /srv/cp/secret"); got != "f\nsecret\nhost" {
			t.Errorf("on the host: %q", got)
		}
		if got := c.sh("cat /srv/cp/secret /srv/cp/new"); got != "inin" {
			t.Errorf("inside: %q", got)
		}
	})
}

// The container changes what is copied while it is; nothing of the host's is
// touched, and no copy hangs.
func TestCopyRaces(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/srv/cp/keep/secret", "host")
		writeFile(t, h, "/srv/cp/give/given", "in")
		c := start(t, h, "box", unrestricted, "/bin/sh", "-c", `
			mkdir -p /tmp/a/b; cd /tmp/a; echo ready
			while :; do
				echo x > b/f; rm -f b/f; ln -s /srv/cp/keep/secret b/f; rm b/f; mkfifo b/f; rm b/f
				mv b c; ln -s /srv/cp/keep b; rm b; mv c b
			done`)
		c.waitFor("ready")
		for i := range 15 {
			got := run(t, h, "timeout", patience, "sh", "-c", fmt.Sprintf("cd /srv/cp; berth cp box:/tmp/a out%d; berth cp give/given box:/tmp/a/b/f; berth cp give/. box:/tmp/a/b; berth cp box:/tmp/a out", i))
			if got.Status == 124 {
				t.Fatal("hangs")
			}
		}
		if got := shell(t, h, "cd /srv/cp; ls keep; cat keep/secret; find out* -type p; grep -rl host out* 2>/dev/null || true"); got != "secret\nhost" {
			t.Errorf("got %q", got)
		}
	})
}

// What the sandbox hides doesn't keep the rest from being copied.
func TestCopyOfAll(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		idle(t, h, "box", "")
		got := run(t, h, "timeout", patience, "sh", "-c", "berth cp box:/ - | tar -t | grep -E '^(./)?(etc/passwd|usr/bin/sh|home/|proc/.*|sys/.*)$'")
		if got.Stdout != "etc/passwd\nproc/\nsys/\nusr/bin/sh\n" && got.Stdout != "./etc/passwd\n./proc/\n./sys/\n./usr/bin/sh\n" {
			t.Errorf("got %+v", got)
		}
		if !strings.Contains(got.Stderr, `skipped "home": it may not be read there`) {
			t.Errorf("no word of /home: %s", got.Stderr)
		}
		if got := run(t, h, "timeout", patience, "sh", "-c", "berth cp box:/usr - | head -c 100 > /dev/null"); strings.Contains(got.Stderr, "signal") {
			t.Errorf("a reader that ends: %+v", got)
		}
	})
}

func TestCopyIntoPausedAndHidden(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", unrestricted)
		writeFile(t, h, "/srv/cp/f", "in")
		berth(t, h, "pause", "box")
		if got := berth(t, h, "cp", "/srv/cp/f", "box:/tmp/f"); got.Status != 0 {
			t.Errorf("paused: %+v", got)
		}
		berth(t, h, "resume", "box")
		if got := c.sh("cat /tmp/f"); got != "in" {
			t.Errorf("got %q", got)
		}
		// Without a root user inside, the first there is owns what is copied.
		d := idle(t, h, "noroot", unrestricted+"[users]\nmap_root = false\n[process]\nuser = \"www-data\"\n")
		if got := berth(t, h, "cp", "/srv/cp/f", "noroot:/tmp/f"); got.Status != 0 {
			t.Errorf("no root: %+v", got)
		}
		if got := d.sh("stat -c %u /tmp/f"); got != "1" {
			t.Errorf("no root: the owner is %s", got)
		}
	})
}
