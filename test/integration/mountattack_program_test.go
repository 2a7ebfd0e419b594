package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"berth/test/host"
)

// attempt is a line of mountattack's: see test/mountattack/mountattack.h.
type attempt struct {
	context, abi, form, operation, mount string
	errno, effect                        string
}

func (a attempt) String() string {
	return strings.Join([]string{a.context, a.abi, a.form, a.operation, a.mount, a.errno, a.effect}, " ")
}

// control tells whether the line is no attempt, but about what the program can
// find out at all.
func (a attempt) control() bool { return strings.HasPrefix(a.operation, "control-") }

func parseAttempts(output string) ([]attempt, error) {
	var all []attempt
	for line := range strings.Lines(strings.ReplaceAll(output, "\r\n", "\n")) {
		f := strings.Fields(line)
		if len(f) != 7 {
			if line == "end\n" {
				return all, nil
			}
			return nil, fmt.Errorf("mountattack printed %q", line)
		}
		all = append(all, attempt{f[0], f[1], f[2], f[3], f[4], f[5], f[6]})
	}
	return nil, fmt.Errorf("mountattack did not come to its end:\n%s", output)
}

var mountAttack = program{name: "mountattack"}

// attackedMounts lays out what mountattack attacks: a root with the program, and
// a directory of the host for all its mounts in /srv, which is the canary: after
// the test it must be as it was, as must be the host's mounts.
func attackedMounts(t *testing.T, h *host.Host) {
	t.Helper()
	if err := mountAttack.build("-std=gnu11", "-D_GNU_SOURCE"); err != nil {
		t.Fatal(err)
	}
	smallRoot(t, h)
	shell(t, h, `
cd /srv/root; mkdir -p usr/sbin srv/ro srv/rw srv/nosuid srv/nodev srv/noexec; touch srv/node; ln -s usr/sbin sbin
cp /opt/berth/bin/test/mountattack usr/bin/; cp usr/bin/mountattack usr/sbin/init
mkdir -p /srv/canary/sub
for dir in /srv/canary /srv/canary/sub; do
	cp usr/bin/mountattack $dir/program; cp usr/bin/mountattack $dir/setuid; mknod -m 666 $dir/device c 1 5
	echo content > $dir/file
done
chown -R 4321:4321 /srv/canary; chmod 4755 /srv/canary/setuid /srv/canary/sub/setuid`)
	look := func() (string, error) {
		return h.Shell(context.Background(), "cd /srv; find canary root -printf '%p %y %m %U:%G %s %n\\n' | sort; find canary -type f | sort | xargs md5sum; cut -d' ' -f4- /proc/1/mountinfo")
	}
	before, err := look()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if after, err := look(); err != nil || after != before {
			t.Errorf("the host was touched (%v):\n%s", err, cmp.Diff(before, after))
		}
		h.Remove("/srv/canary")
	})
}

// attackedBody is the file of a container with mounts of every kind. The options
// are such that each mount has one flag that no other has, as far as can be.
func attackedBody(head string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n[root]\ndirectory = \"/srv/root\"\nread_only = true\n", head)
	for _, m := range []struct{ source, target, options string }{
		{"/srv/canary", "/srv/ro", `read_only = true`},
		{"/srv/canary", "/srv/rw", `options = ["suid", "dev"]`},
		{"/srv/canary", "/srv/nosuid", `options = ["nosuid", "dev"]`},
		{"/srv/canary", "/srv/nodev", `options = ["suid", "nodev"]`},
		{"/srv/canary", "/srv/noexec", `options = ["suid", "dev", "noexec"]`},
		{"/dev/zero", "/srv/node", `options = ["dev"]`},
	} {
		fmt.Fprintf(&b, "[[mounts]]\ntype = \"bind\"\nsource = %q\ntarget = %q\n%s\n", m.source, m.target, m.options)
	}
	b.WriteString("[sandbox]\nProtectKernelTunables = true\n")
	return b.String()
}

// attack runs mountattack as the payload of a container.
func attack(t *testing.T, h *host.Host, head string, arguments ...string) []attempt {
	t.Helper()
	return attackAs(t, h, head, append([]string{"/usr/bin/mountattack"}, arguments...)...)
}

// attackAs is attack with a command of the caller's, or the arguments of an init.
func attackAs(t *testing.T, h *host.Host, head string, command ...string) []attempt {
	t.Helper()
	define(t, h, "box", attackedBody(head))
	got := run(t, h, "timeout", append([]string{"--kill-after=2", "120", "berth", "run", "box", "--"}, command...)...)
	if got.Status != 0 {
		t.Fatalf("mountattack failed by itself: status %d, %s", got.Status, got.Stderr)
	}
	all, err := parseAttempts(got.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
