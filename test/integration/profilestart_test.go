package integration

import (
	"strings"
	"testing"

	"berth/test/host"
)

// What each built-in profile does to a payload, as it finds it.
func TestProfilesStart(t *testing.T) {
	const all = "000001ffffffffff"
	withBerth(t, func(t *testing.T, h *host.Host) {
		hosts := "other" // a machine of ours may lack some itself
		if shell(t, h, "sed -n 's/^CapBnd:.//p' /proc/self/status") == all {
			hosts = "all"
		}
		for _, test := range []struct{ profile, body, want string }{
			{"default", "", "bounding other, filtered, nnp 1, /etc ro, /run rw, inet ok"},
			{"nonetwork", "", "bounding other, filtered, nnp 1, /etc ro, /run rw, inet no"},
			{"strict", "", "bounding none, filtered, nnp 1, /etc ro, /run rw, inet no"},
			// The guard of mounts is a filter as well.
			{"trusted", "users.map = \"host\"\n", "bounding " + hosts + ", open, nnp 0, /etc rw, /run rw, inet ok"},
			{"trusted", "mountguard.enabled = false\n", "bounding all, open, nnp 0, /etc rw, /run rw, inet ok"},
			{"system", "mountguard.enabled = false\n", "bounding all, open, nnp 0, /etc rw, /run rw, inet ok"},
		} {
			t.Run(test.profile, func(t *testing.T) {
				define(t, h, "box", "profile = \""+test.profile+"\"\n"+test.body)
				// Without a pids controller here, strict's TasksMax can't be enforced.
				got := berth(t, h, "run", "--best-effort", "box", "--", "/bin/sh", "-c", `
exec 2>/dev/null
field() { sed -n "s/^$1:.//p" /proc/self/status; }
case $(field CapBnd) in 0000000000000000) b=none;; `+all+`) b=all;; *) b=other;; esac
[ $(field Seccomp) = 2 ] && s=filtered || s=open
writable() { (echo x > $1/berth-probe) && echo "$1 rw" || echo "$1 ro"; }
inet() { perl -e 'exit !socket(S, 2, 1, 0)' && echo ok || echo no; }
echo "bounding $b, $s, nnp $(field NoNewPrivs), $(writable /etc), $(writable /run), inet $(inet)"`)
				if got.Status != 0 || strings.TrimSpace(got.Stdout) != test.want {
					t.Errorf("got %+v, want %q", got, test.want)
				}
			})
		}
		shell(t, h, "test ! -e /etc/berth-probe")
	})
}

// A limit on tasks that is too small for a start holds for what was started.
func TestSmallTasksMax(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "profile = \"strict\"\n")
		c := beginContainer(t, h, "box", "run", "--best-effort", "box", "--", "sleep", "1000")
		c.awaitStart()
		if got := shell(t, h, "systemctl show --property=TasksMax --value berth-box.scope"); got != "4" {
			t.Errorf("TasksMax is %s, want 4", got)
		}
		c.stop()
	})
}
