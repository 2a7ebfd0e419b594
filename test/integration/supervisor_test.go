package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

// attackTime bounds the tests that repeat an attack: BERTH_ATTACK_TIME, a Go
// duration, or a few seconds.
func attackTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("BERTH_ATTACK_TIME")
	if text == "" {
		return 4 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// onlyFilesAreLeft wants that nothing of a container is there whose berth was
// killed, but for files that mean nothing: the next command removes those.
func onlyFilesAreLeft(t *testing.T, h *host.Host, name string, before snapshot) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		after, err := takeSnapshot(h)
		if err != nil {
			t.Fatal(err)
		}
		left = nil
		for _, entry := range after.minus(before) {
			if !strings.HasPrefix(entry, "file ") {
				left = append(left, entry)
			}
		}
		if len(left) == 0 {
			break
		}
	}
	if len(left) != 0 {
		t.Errorf("left of %s:\n%s", name, strings.Join(left, "\n"))
		run(t, h, "systemctl", "stop", "berth-*.scope") // so that other tests aren't its victims
	}
}

// forget removes the lock files of blocks, after a look that nobody holds one:
// they stay when their holder is killed, and mean nothing.
func forget(t *testing.T, h *host.Host) {
	t.Helper()
	if list := ps(t, h); len(list) != 0 {
		t.Errorf("berth ps lists %+v", list)
	}
	files, err := filepath.Glob(filepath.Dir(blockFile(h, 0)) + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		base, err := strconv.Atoi(filepath.Base(file))
		if err != nil {
			continue
		}
		lockBlock(t, h, base).Close()
		os.Remove(file)
	}
}

func TestKilledSupervisorLeavesNothing(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		before, err := takeSnapshot(h)
		if err != nil {
			t.Fatal(err)
		}
		c := start(t, h, "box", "", "sh", "-c", "trap '' TERM HUP; setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' & while :; do sleep 1; done")
		first := inspectMap(t, c)
		c.signal(unix.SIGKILL)
		c.wait()
		onlyFilesAreLeft(t, h, "box", before)
		// The name and the block are free at once.
		again := idle(t, h, "box", "")
		if second := inspectMap(t, again); second != first {
			t.Errorf("the block %q wasn't free: the next is %q", first, second)
		}
		again.stop()
		// nspawn can have the block as well.
		again = idle(t, h, "box", "")
		again.signal(unix.SIGKILL)
		again.wait()
		onlyFilesAreLeft(t, h, "box", before)
		base, err := strconv.Atoi(strings.Fields(first)[1])
		if err != nil {
			t.Fatal(err)
		}
		lockBlock(t, h, base).Close()
		forget(t, h)
	})
}

func inspectMap(t *testing.T, c *container) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", c.leader()))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRestartAfterKilledSupervisorIsImmediate(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		for range 15 {
			c := startDefined(t, h, "box", "sleep", "1000")
			c.signal(unix.SIGKILL)
			c.wait()
			if got := berth(t, h, "run", "box", "--", "echo", "again"); got.Status != 0 || got.Stdout != "again\n" {
				t.Fatalf("got %+v", got)
			}
		}
		forget(t, h)
	})
}

// Other ways for a supervisor to die.
func TestKilledSupervisorsVariants(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		before, err := takeSnapshot(h)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			name, body string
			command    []string
		}{
			{"network of the host", "[network]\nmode = \"host\"\n", []string{"sleep", "1000"}},
			{"no root", "[users]\nmap_root = false\n[process]\nuser = \"www-data\"\n", []string{"sleep", "1000"}},
			{"frozen processes", "", []string{"sh", "-c", "kill -STOP $$"}},
			{"a user without rights over PID 1", "[process]\nuser = \"www-data\"\n", []string{"sleep", "1000"}},
			{"mounts of its own", unrestricted, []string{"sh", "-c", "mount -t tmpfs none /mnt; sleep 1000"}},
			{"cgroups of its own", unrestricted, []string{"sh", "-c", "mkdir -p /sys/fs/cgroup/a/b; echo $$ > /sys/fs/cgroup/a/b/cgroup.procs; sleep 1000"}},
			{"namespaces of its own", unrestricted, []string{"sh", "-c", "unshare --mount --pid --fork sleep 1000"}},
		} {
			t.Run(test.name, func(t *testing.T) {
				c := start(t, h, "box", test.body, test.command...)
				time.Sleep(30 * time.Millisecond)
				c.signal(unix.SIGKILL)
				c.wait()
				onlyFilesAreLeft(t, h, test.name, before)
			})
		}
		forget(t, h)
	})
}

// At every step of a start: strace kills berth when it enters its nth call of
// one kind, for growing n until the start is through. It lets go of berth's
// children, which trace others themselves.
func TestSupervisorKilledAtEveryStep(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		// Without "owner", which takes ptrace(2) before an exec. /srv/x makes berth make the
		// target in the upper layer of an overlay.
		define(t, h, "box", "[[mounts]]\ntype = \"bind\"\nsource = \"/usr\"\ntarget = \"/srv/x/y\"\nread_only = true\nidmap = \"identity\"\n")
		writeFile(t, h, "/srv/x/keep", "")
		before, err := takeSnapshot(h)
		if err != nil {
			t.Fatal(err)
		}
		steps := []string{
			"mkdirat", "unshare", "mount", "fsopen", "fsmount", "fsconfig", "move_mount", "open_tree", "mount_setattr",
			"clone", "clone3", "socketpair", "connect", "sendmsg", "recvmsg", "sendto", "flock", "prlimit64", "pidfd_open",
			"fchown", "fchownat", "mknodat", "renameat", "rename", "unlinkat", "waitid", "pidfd_send_signal", "setfsuid",
		}
		traced := func(options ...string) result {
			args := append([]string{patience, "strace", "--follow-forks", "--detach-on=execve", "--quiet=all", "--output=/dev/null"}, options...)
			return run(t, h, "timeout", append(args, "berth", "run", "box", "--", "sh", "-c", "echo up; sleep 0.01")...)
		}
		if got := traced("--trace=getcpu"); got.Stdout != "up\n" {
			t.Fatalf("the test itself is at fault, since nothing starts under strace: %+v", got)
		}
		deadline := time.Now().Add(2 * attackTime(t))
		killed := 0
		for n := 1; len(steps) > 0 && time.Now().Before(deadline); n += 1 + n/3 {
			var more []string // those that a start does more than n times
			for _, call := range steps {
				inject := fmt.Sprintf("--inject=%s:signal=SIGKILL:when=%d", call, n)
				got := traced("--trace="+call, inject)
				if got.Status == 124 {
					t.Fatalf("%s: hangs: %+v", inject, got)
				}
				if got.Status == 0 {
					continue
				}
				killed, more = killed+1, append(more, call)
				onlyFilesAreLeft(t, h, inject, before)
				if t.Failed() {
					return
				}
			}
			steps = more
		}
		if killed < 20 {
			t.Errorf("berth was killed %d times only: does strace work here?", killed)
		}
		t.Logf("killed %d times", killed)
		if got := berth(t, h, "run", "box", "--", "echo", "well"); got.Stdout != "well\n" {
			t.Errorf("afterwards: got %+v", got)
		}
		forget(t, h)
	})
}

// At any moment, as a machine short of memory would.
func TestSupervisorKilledAtAnyMoment(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		before, err := takeSnapshot(h)
		if err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(attackTime(t))
		n := 0
		for ; n < 200 && time.Now().Before(deadline); n++ {
			c := begin(t, h, "berth", "run", "box", "--", "sleep", "1000")
			time.Sleep(time.Duration(n*193%40000) * time.Microsecond)
			c.signal(unix.SIGKILL)
			c.wait()
			if n%10 == 0 {
				onlyFilesAreLeft(t, h, fmt.Sprint("round ", n), before)
			}
			if t.Failed() {
				return
			}
		}
		onlyFilesAreLeft(t, h, "the last", before)
		t.Logf("killed %d times", n)
		if got := berth(t, h, "run", "box", "--", "echo", "well"); got.Stdout != "well\n" {
			t.Errorf("afterwards: got %+v", got)
		}
		forget(t, h)
	})
}

// The container's first process may be killed as well while berth lives, by the
// OOM killer for one: then berth has to clean up behind it.
func TestChildKilledAtAnyMoment(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		before, err := takeSnapshot(h)
		if err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(attackTime(t))
		n, killed := 0, 0
		for ; n < 200 && time.Now().Before(deadline); n++ {
			c := begin(t, h, "berth", "run", "box", "--", "sleep", "1000")
			time.Sleep(time.Duration(n*193%15000) * time.Microsecond)
			for children := childrenOf(c.cmd.Process.Pid); c.running() && len(children) == 0; {
				children = childrenOf(c.cmd.Process.Pid)
			}
			for _, child := range childrenOf(c.cmd.Process.Pid) {
				if unix.Kill(child, unix.SIGKILL) == nil {
					killed++
				}
			}
			// A helper's death may go unnoticed where its work was done.
			c.cmd.Process.Signal(unix.SIGTERM)
			if got := c.wait(); got.Status != 125 && got.Status != 137 && got.Status != 143 {
				t.Errorf("round %d: got %+v", n, got)
			}
			if n%10 == 0 {
				onlyFilesAreLeft(t, h, fmt.Sprint("round ", n), before)
			}
			if t.Failed() {
				return
			}
		}
		onlyFilesAreLeft(t, h, "the last", before)
		t.Logf("killed %d children in %d starts", killed, n)
	})
}

// childrenOf lists the PIDs of a process's children.
func childrenOf(pid int) []int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var pids []int
	for _, file := range files {
		data, _ := os.ReadFile(file)
		for word := range strings.FieldsSeq(string(data)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// The state directory is not a place to be fooled by.
func TestStaleStateIsRemoved(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "mkdir -p /run/berth/dead /run/berth/box; echo '{' > /run/berth/dead/state.json; echo garbage > /run/berth/box/state.json; ln -s /etc /run/berth/link; touch /run/berth/file")
		defer func() { shell(t, h, "rm -rf /run/berth/link /run/berth/file") }()
		if list := ps(t, h); len(list) != 0 {
			t.Errorf("got %+v", list)
		}
		if got := runContainer(t, h, "box", "", "echo", "up"); got.Stdout != "up\n" {
			t.Errorf("got %+v", got)
		}
		shell(t, h, "test ! -e /run/berth/dead; test -e /etc/passwd")
		if _, err := os.Stat(filepath.Join("/proc", fmt.Sprint(h.PID()), "root/etc/passwd")); err != nil {
			t.Error(err)
		}
	})
}
