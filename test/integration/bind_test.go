package integration

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/test/host"
)

// bindSources lays out what the tests of berth bind mount: /srv/bind/dir with a file
// and a mount of its own below it, and /srv/bind/file.
func bindSources(t *testing.T, h *host.Host) {
	t.Helper()
	shell(t, h, `mkdir -p /srv/bind/dir/below; echo in dir > /srv/bind/dir/word; echo in file > /srv/bind/file
		mount -t tmpfs none /srv/bind/dir/below; echo below > /srv/bind/dir/below/word`)
	t.Cleanup(func() {
		if out, err := h.Shell(context.Background(), "umount -l /srv/bind/dir/below"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		h.Remove("/srv/bind")
	})
}

// bound runs berth bind, which has to work.
func bound(t *testing.T, h *host.Host, args ...string) {
	t.Helper()
	if got := berth(t, h, append([]string{"bind"}, args...)...); got.Status != 0 || got.Stdout+got.Stderr != "" {
		t.Fatalf("berth bind %v: %+v", args, got)
	}
}

// addedTargets are those that berth inspect lists.
func addedTargets(t *testing.T, h *host.Host, name string) string {
	t.Helper()
	var got struct {
		Added []struct {
			Target string `json:"target"`
			Source string `json:"source"`
		} `json:"added"`
	}
	berthJSON(t, h, &got, "inspect", name, "--json")
	var list []string
	for _, a := range got.Added {
		list = append(list, a.Target)
	}
	return strings.Join(list, " ")
}

func TestBind(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		bindSources(t, h)
		for _, test := range []struct {
			name         string
			args         []string // of berth bind box
			before, look string   // scripts in the container
			want         string
		}{
			{"a directory", []string{"/srv/bind/dir", "/mnt"}, "", "cat /mnt/word /mnt/below/word; touch /mnt/made && rm /mnt/made; stat -c %u:%g /mnt", "in dir\nbelow\n0:0"},
			{"a file", []string{"/srv/bind/file", "/tmp/a/b/file"}, "", "cat /tmp/a/b/file; stat -c %u /tmp/a/b", "in file\n0"},
			{"a directory that is missing", []string{"/srv/bind/dir", "/tmp/a/b"}, "", "cat /tmp/a/b/word; stat -c %u:%a /tmp/a", "in dir\n0:755"},
			{"read-only", []string{"/srv/bind/dir", "/mnt", "--read-only"}, "", "touch /mnt/made 2>&1 | grep -o Read-only; touch /mnt/below/made 2>&1 | grep -o Read-only", "Read-only\nRead-only"},
			{"not what is below", []string{"/srv/bind/dir", "/mnt", "--option=norbind"}, "", "ls /mnt/below", ""},
			{"an option", []string{"/srv/bind/dir", "/mnt", "-o", "noexec"}, "", "findmnt -no OPTIONS /mnt | grep -o noexec | head -n1", "noexec"},
			{"the same numbers", []string{"/srv/bind/dir", "/mnt", "--idmap=identity"}, "", "stat -c %u /mnt", "0"},
			{"as it is", []string{"/srv/bind/dir", "/mnt", "--idmap=no"}, "", "stat -c %u /mnt", "65534"},
			{"through a symlink", []string{"/srv/bind/dir", "/tmp/link/x"}, "mkdir /tmp/real; ln -s real /tmp/link", "cat /tmp/real/x/word", "in dir"},
			{"through one that leads out", []string{"/srv/bind/dir", "/tmp/link/x"}, "ln -s ../../../../../../tmp/up /tmp/link", "cat /tmp/up/x/word", "in dir"},
			{"on another", []string{"/srv/bind/dir", "/mnt"}, "mount -t tmpfs none /mnt", "cat /mnt/word", "in dir"},
		} {
			t.Run(test.name, func(t *testing.T) {
				c := idle(t, h, "box", unrestricted)
				c.sh(test.before)
				bound(t, h, append([]string{"box"}, test.args...)...)
				if got := c.sh(test.look); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if got := berth(t, h, "unbind", "box", test.args[1], "--lazy"); got.Status != 0 {
					t.Errorf("unbind: %+v", got)
				}
				if got := c.sh("grep -c /srv/bind /proc/self/mountinfo || true"); got != "0" || addedTargets(t, h, "box") != "" {
					t.Errorf("after unbind %s mounts are left, and listed %q", got, addedTargets(t, h, "box"))
				}
				c.stop()
			})
		}
	})
}

func TestBindErrors(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		bindSources(t, h)
		oneLine(t, berth(t, h, "bind", "none", "/srv/bind/dir", "/mnt").Stderr, `no container "none" is running`)
		oneLine(t, berth(t, h, "unbind", "none", "/mnt").Stderr, `no container "none" is running`)
		c := idle(t, h, "box", unrestricted+"[sandbox]\nReadOnlyPaths = [\"/usr\"]\nInaccessiblePaths = [\"/var/log\"]\n")
		c.sh("mkdir -p /tmp/p; mount --rbind /proc /tmp/p; ln -s /proc /tmp/toproc; ln -s ../.. /tmp/toroot; ln -s loop /tmp/loop; mkdir -m 777 /tmp/open; ln -s /etc /tmp/open/link; chown -h www-data /tmp/open/link; touch /tmp/file")
		for _, test := range []struct {
			source, target string
			want           []string
		}{
			{"/srv/bind/dir", "/", []string{`TARGET: must not be "/"`}},
			{"/srv/bind/dir", "/proc", []string{"TARGET: must not be in /proc"}},
			{"/srv/bind/dir", "/sys/fs", []string{"TARGET: must not be in /sys"}},
			{"/srv/bind/dir", "/tmp/p", []string{"leads to a proc"}},
			{"/srv/bind/dir", "/tmp/toproc", []string{"leads to a proc"}},
			{"/srv/bind/dir", "/tmp/toroot", []string{"leads to /", `must not be "/"`}},
			{"/srv/bind/dir", "/tmp/loop", []string{"too many levels of symbolic links"}},
			{"/srv/bind/dir", "/tmp/open/link", []string{"symlink of user"}},
			{"/srv/bind/dir", "/tmp/file", []string{"not a directory"}},
			{"/srv/bind/file", "/tmp/open", []string{"is a directory in the container"}},
			{"/srv/bind/dir", "/tmp/file/x", []string{"passes through something that is not a directory"}},
			{"/srv/bind/dir", "/usr/made", []string{"read-only in the container"}},
			{"/srv/bind/dir", "relative", []string{"TARGET: must be an absolute path"}},
			{"/srv/bind/none", "/mnt", []string{"SOURCE: no such file or directory"}},
		} {
			got := berth(t, h, "bind", "box", test.source, test.target)
			if got.Status != 1 || got.Stdout != "" {
				t.Errorf("%s on %s: %+v", test.source, test.target, got)
			}
			oneLine(t, got.Stderr, append(test.want, "berth: cannot mount")...)
		}
		for _, target := range []string{"/proc", "/tmp", "/mnt", "/nowhere"} {
			oneLine(t, berth(t, h, "unbind", "box", target).Stderr, "berth bind has mounted nothing there")
		}
		if got := c.sh("grep -c /srv/bind /proc/self/mountinfo || true; ls /etc/made /usr/made 2>/dev/null || true"); got != "0" || addedTargets(t, h, "box") != "" {
			t.Errorf("something was mounted or made: %s", got)
		}
	})
}

// What is added is locked as what the container has started with.
func TestBindIsLocked(t *testing.T) {
	const attempts = `
try() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo $name: yes; else echo $name: no; fi; }
try rw mount -o remount,bind,rw /mnt
try suid mount -o remount,bind,suid /mnt
mkdir -p /tmp/copy
try copy mount --bind /mnt /tmp/copy
try copy-rw mount -o remount,bind,rw /tmp/copy
try nested unshare -Urm mount -o remount,bind,rw /mnt
try move mount --move /mnt /tmp
try nested-umount unshare -Urm umount -l /mnt
try umount umount -l /mnt
`
	withBerth(t, func(t *testing.T, h *host.Host) {
		bindSources(t, h)
		for _, test := range []struct{ name, body, want string }{
			{"as usual", "", "rw: no, suid: no, copy: yes, copy-rw: no, nested: no, move: no, nested-umount: no, umount: yes"},
			{"without a guard", "[mountguard]\nenabled = false\n", "rw: no, suid: no, copy: yes, copy-rw: no, nested: no, move: yes, nested-umount: no, umount: no"},
			{"unmounts denied", "[mountguard]\nimmutable_unmounts = \"deny\"\n", "rw: no, suid: no, copy: yes, copy-rw: no, nested: no, move: no, nested-umount: no, umount: no"},
			{"unmounts denied by the kernel alone", "[mountguard]\nenabled = false\nimmutable_unmounts = \"deny\"\n", "rw: no, suid: no, copy: yes, copy-rw: no, nested: no, move: no, nested-umount: no, umount: no"},
			{"remounts allowed", "[mountguard]\nimmutable_remounts = \"allow\"\n", "rw: yes, suid: yes, copy: yes, copy-rw: yes, nested: yes, move: no, nested-umount: no, umount: yes"},
		} {
			t.Run(test.name, func(t *testing.T) {
				c := idle(t, h, "box", unrestricted+test.body)
				bound(t, h, "box", "/srv/bind/file", "/tmp/file")
				bound(t, h, "box", "/srv/bind/dir", "/mnt", "--read-only", "--option=norbind")
				if got := strings.ReplaceAll(c.sh(attempts), "\n", ", "); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
				c.stop()
			})
		}
	})
}

func TestBindFollowsRules(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		bindSources(t, h)
		// The profile default: the root is read-only.
		c := idle(t, h, "box", "[sandbox]\nReadOnlyPaths = [\"-/srv/data/below\"]\nInaccessiblePaths = [\"-/srv/data/word\"]\n")
		bound(t, h, "box", "/srv/bind/dir", "/run/data")
		bound(t, h, "box", "/srv/bind/dir", "/srv")
		const look = `for f in /run/data/made /run/data/below/made /srv/made; do touch $f && rm $f; done; cat /run/data/word`
		if got := c.sh(look); got != "in dir" {
			t.Errorf("got %q", got)
		}
		c.stop()
		c = idle(t, h, "box", unrestricted+"[sandbox]\nReadOnlyPaths = [\"-/mnt/data/below\"]\nInaccessiblePaths = [\"-/mnt/data/word\"]\n")
		bound(t, h, "box", "/srv/bind/dir", "/mnt/data")
		if got := c.sh("touch /mnt/data/made && rm /mnt/data/made; touch /mnt/data/below/made 2>&1 | grep -o Read-only; umount /mnt/data/word 2>/dev/null || cat /mnt/data/word 2>&1 | grep -o denied"); got != "Read-only\ndenied" {
			t.Errorf("with rules for what is added later: got %q", got)
		}
	})
}

func TestUnbind(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		bindSources(t, h)
		for _, guard := range []string{"", "[mountguard]\nimmutable_unmounts = \"deny\"\n"} {
			c := idle(t, h, "box", unrestricted+guard)
			bound(t, h, "box", "/srv/bind/dir", "/mnt", "-o", "norbind")
			c.sh("cd /mnt; sleep 1000 </dev/null >/dev/null 2>&1 &")
			oneLine(t, berth(t, h, "unbind", "box", "/mnt").Stderr, "in use", "--lazy")
			if got := c.sh("cat /mnt/word"); got != "in dir" || addedTargets(t, h, "box") != "/mnt" {
				t.Errorf("after it was refused: %q", got)
			}
			if got := berth(t, h, "unbind", "box", "/mnt", "--lazy"); got.Status != 0 {
				t.Errorf("lazily: %+v", got)
			}
			c.sh("[ ! -e /mnt/word ]; ! grep ' /mnt ' /proc/self/mountinfo")
			// The last of several at one place is the first to go.
			bound(t, h, "box", "/srv/bind/dir", "/mnt", "-o", "norbind")
			bound(t, h, "box", "/usr", "/mnt", "-o", "norbind", "--read-only")
			for _, want := range []string{"/mnt/bin", "/mnt/word"} {
				c.sh("[ -e " + want + " ]")
				if got := berth(t, h, "unbind", "box", "/mnt"); got.Status != 0 {
					t.Errorf("with %s: %+v", want, got)
				}
			}
			c.sh("! grep ' /mnt ' /proc/self/mountinfo")
			// What the container mounts over it is not berth's.
			bound(t, h, "box", "/srv/bind/dir", "/mnt", "-o", "norbind")
			c.sh("mount -t tmpfs none /mnt; touch /mnt/own")
			if got := berth(t, h, "unbind", "box", "/mnt"); got.Status != 1 {
				t.Errorf("what lies below another was unmounted: %+v", got)
			}
			c.sh("[ -e /mnt/own ]")
			c.stop()
		}
	})
}

// A path that changes all the time leads nowhere but into the container.
func TestBindUnderAttack(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		bindSources(t, h)
		withCanary(t, h)
		c := idle(t, h, "box", unrestricted)
		c.sh(`mkdir -p /tmp/a/b /tmp/real/b; ln -s ../../../../../../../..` + canary + ` /tmp/evil
			(while :; do mv -T /tmp/a /tmp/was; mv -T /tmp/evil /tmp/a; mv -T /tmp/a /tmp/evil; mv -T /tmp/was /tmp/a; done) </dev/null >/dev/null 2>&1 &`)
		worked := 0
		for range 40 {
			got := berth(t, h, "bind", "box", "/srv/bind/dir", "/tmp/a/b/dir")
			if got.Status == 0 {
				worked++
				continue
			}
			oneLine(t, got.Stderr, "berth: cannot mount")
		}
		t.Logf("%d of 40 worked", worked)
		if got := shell(t, h, "grep -c bind/dir /proc/self/mountinfo"); got != "1" { // the tmpfs of bindSources
			t.Errorf("%s mounts on the host", got)
		}
	})
}

func TestBindAtOnce(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		bindSources(t, h)
		c := idle(t, h, "box", unrestricted)
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() { bound(t, h, "box", "/srv/bind/dir", fmt.Sprintf("/tmp/at/%d", i)) })
		}
		all.Wait()
		if got := c.sh("cat /tmp/at/*/word | sort | uniq -c | tr -s ' '"); got != " 12 in dir" {
			t.Errorf("got %q", got)
		}
		if got := len(strings.Fields(addedTargets(t, h, "box"))); got != 12 {
			t.Errorf("%d are listed", got)
		}
	})
}

// hangingOverlay mounts, in perl, an overlay whose lower layer is a file system that
// answers no lookup. An overlay asks its layers as who has mounted it, so that this is
// what the host's own processes wait for; FUSE alone refuses them. See
// fuse_allow_current_process in the kernel's fs/fuse/dir.c, and mount(2), fork(2).
const hangingOverlay = `
	open(my $fuse, "+<", "/dev/fuse") or die; mkdir "/tmp/$_" for "hang", "lower", "over";
	sub mount { my @a = @_; syscall(165, $a[0], $a[1], $a[2], 0, $a[3]) == 0 or die "mount @a: $!" }
	my $number = fileno($fuse);
	mount("hang", "/tmp/hang", "fuse", "fd=$number,rootmode=40000,user_id=0,group_id=0,allow_other");
	if (fork() == 0) {
		while (sysread($fuse, my $request, 1 << 17)) {
			my ($length, $opcode, $unique) = unpack("LLQ", $request);
			next if $opcode == 1 || $opcode == 2; # LOOKUP, FORGET
			my ($error, $body) = (-38, "");
			($error, $body) = (0, pack("LLLLSSLLSS x32", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0)) if $opcode == 26; # INIT
			($error, $body) = (0, pack("QLL Q6 L3 LLLLLLL", 1000, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 040755, 2, 0, 0, 0, 4096, 0)) if $opcode == 3; # GETATTR
			($error, $body) = (0, pack("x40 LLL x28", 4096, 255, 4096)) if $opcode == 17; # STATFS
			syswrite($fuse, pack("LlQ", 16 + length($body), $error, $unique) . $body);
		}
		exit;
	}
	mount("over", "/tmp/over", "overlay", "lowerdir=/tmp/hang:/tmp/lower");
	$| = 1; print "ready\n"; sleep 1000`

// A file system of the container's that never answers keeps nothing waiting but what
// leads there.
func TestBindToWhatNeverAnswers(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		bindSources(t, h)
		body := unrestricted + "[[mounts]]\ntype = \"bind\"\nsource = \"/dev/fuse\"\ntarget = \"/dev/fuse\"\noptions = [\"dev\"]\n[resources]\nDeviceAllow = [\"/dev/fuse rw\"]\n"
		c := start(t, h, "box", body, "perl", "-e", hangingOverlay)
		c.waitFor("ready")
		bound(t, h, "box", "/srv/bind/dir", "/mnt")
		oneLine(t, berth(t, h, "bind", "box", "/srv/bind/dir", "/tmp/over/x").Stderr, "the container's file systems do not answer")
		oneLine(t, berth(t, h, "unbind", "box", "/mnt").Stderr, "another change of its mounts has not ended")
		if got := addedTargets(t, h, "box"); got != "/mnt" {
			t.Errorf("listed: %q", got)
		}
		if got := c.sh("cat /mnt/word"); got != "in dir" {
			t.Errorf("got %q", got)
		}
		began := time.Now()
		if got := berth(t, h, "stop", "box"); got.Status != 0 || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), got)
		}
	})
}
