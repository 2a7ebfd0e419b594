package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

func TestExecJoinsEverything(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, test := range []struct{ name, body string }{
			{"private", ""},
			{"host network", "[network]\nmode = \"host\"\n"},
			{"no root", "[users]\nmap_root = false\n[process]\nuser = \"www-data\"\n"},
			{"another user", "[process]\nuser = \"www-data\"\nworking_directory = \"/usr\"\nenvironment = { MARK = \"set\" }\nhostname = \"other\"\n"},
		} {
			t.Run(test.name, func(t *testing.T) {
				const tell = `
for kind in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$kind; done
grep ^0: /proc/self/cgroup
grep -E '^(Uid|Gid|Groups|Cap.*|NoNewPrivs|Seccomp|Umask):' /proc/self/status
id; pwd; uname -n; echo $HOME $PATH ${MARK:-} $container; readlink /proc/self/root; ls -di /`
				c := start(t, h, "box", test.body, "sh", "-c", "{ "+tell+"\n}; echo ready; exec sleep 1000")
				c.waitFor("ready")
				if got, want := c.sh(tell)+"\nready\n", c.stdout.String(); got != want {
					t.Errorf("exec:\n%s\npayload:\n%s", got, want)
				}
				c.stop()
			})
		}
	})
}

func TestExecStatusAndStreams(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		got := runWithInput(t, h, "in\n", "berth", "exec", "box", "--", "sh", "-c", "cat; echo err >&2; exit 9")
		if want := (result{"in\n", "err\n", 9}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		for _, test := range []struct {
			command []string
			want    int
		}{
			{[]string{"true"}, 0},
			{[]string{"sh", "-c", "kill -KILL $$"}, 137},
			{[]string{"sh", "-c", "kill -TERM $$"}, 143},
			{[]string{"no-such-program"}, 127},
			{[]string{"/etc/passwd"}, 126},
		} {
			if got := berth(t, h, append([]string{"exec", "box", "--"}, test.command...)...); got.Status != test.want {
				t.Errorf("%v: got %+v, want status %d", test.command, got, test.want)
			}
		}
		if got := shell(t, h, "berth exec box -- sh -c 'yes 123456789012345 | head -c 10485760' | wc -c; berth exec box -- yes | head -n 1"); got != "10485760\ny" {
			t.Errorf("pipeline: got %q", got)
		}
		if !c.running() {
			t.Error("a command's end ended the container")
		}
	})
}

func TestExecOptions(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		idle(t, h, "box", "")
		for _, test := range []struct {
			args []string
			want string
		}{
			{[]string{"--user=www-data", "--", "id", "-un"}, "www-data"},
			{[]string{"--user=1234:4321", "--", "sh", "-c", "echo $(id -u):$(id -g)"}, "1234:4321"},
			{[]string{"--working-directory=/usr", "--", "pwd"}, "/usr"},
			{[]string{"--setenv=A=b", "--", "sh", "-c", "echo $A"}, "b"},
		} {
			got := berth(t, h, append([]string{"exec", "box"}, test.args...)...)
			if strings.TrimSpace(got.Stdout) != test.want {
				t.Errorf("%v: got %+v, want %q", test.args, got, test.want)
			}
		}
		for _, args := range [][]string{{"--user=nobody-such", "--", "true"}, {"--user=70000", "--", "true"}, {"--working-directory=/no/such", "--", "true"}} {
			got := berth(t, h, append([]string{"exec", "box"}, args...)...)
			if got.Status != 125 {
				t.Errorf("%v: got %+v, want status 125", args, got)
			}
			oneLine(t, got.Stderr, "berth: cannot")
		}
	})
}

// A payload that takes PID 1 over is no init for others: here it is a sleep.
func TestExecIntoContainerWhosePayloadIsStopped(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := start(t, h, "box", "", "sh", "-c", "echo ready; kill -STOP $$; sleep 1000")
		c.waitFor("ready")
		if got := c.sh("echo alive"); got != "alive" {
			t.Errorf("got %q", got)
		}
		berth(t, h, "kill", "box", "-s", "CONT")
	})
}

func TestExecPassesSignals(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		command := begin(t, h, "berth", "exec", "box", "--", "sh", "-c", "trap 'echo got HUP' HUP; trap 'echo got TERM; exit 5' TERM; echo ready; while :; do sleep 1000 & wait; done")
		command.waitFor("ready")
		command.signal(unix.SIGHUP)
		command.waitFor("got HUP")
		command.signal(unix.SIGTERM)
		if got := command.wait(); got.Status != 5 {
			t.Errorf("got %+v, want status 5", got)
		}
		if !c.running() {
			t.Error("a signal to berth exec ended the container")
		}
	})
}

// kill -9 of berth exec ends its command.
func TestExecEndsWithItsBerth(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		before := len(processesBelow(t, c.scope()))
		for range 5 {
			command := begin(t, h, "berth", "exec", "box", "--", "sh", "-c", "echo ready; exec sleep 1000")
			command.waitFor("ready")
			command.signal(unix.SIGKILL)
			command.wait()
		}
		eventually(t, "the commands are gone", func() bool { return len(processesBelow(t, c.scope())) == before })
		for delay := range 15 {
			command := begin(t, h, "berth", "exec", "box", "--", "sleep", "1000")
			time.Sleep(time.Duration(delay) * time.Millisecond)
			command.signal(unix.SIGKILL)
			command.wait()
		}
		eventually(t, "the commands killed while starting are gone", func() bool { return len(processesBelow(t, c.scope())) == before })
	})
}

func TestExecEndsWithContainer(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		command := begin(t, h, "berth", "exec", "box", "--", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
		command.waitFor("ready")
		c.stop()
		if got := command.wait(); got.Status != 137 {
			t.Errorf("got %+v, want status 137", got)
		}
	})
}

// What a command leaves in the background goes on, and nobody waits for it.
func TestExecBackgroundChild(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		got := berth(t, h, "exec", "box", "--", "sh", "-c", "(sleep 0.3; echo x > /tmp/later; sleep 1000) & echo over")
		if got.Status != 0 || got.Stdout != "over\n" {
			t.Errorf("got %+v", got)
		}
		eventually(t, "the background child went on", func() bool { return run(t, h, "berth", "exec", "box", "--", "test", "-e", "/tmp/later").Status == 0 })
		c.stop()
	})
}

func TestExecErrors(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := berth(t, h, "exec", "box", "--", "true")
		if got.Status != 125 {
			t.Errorf("nothing runs: got %+v", got)
		}
		oneLine(t, got.Stderr, `"box"`)
		got = berth(t, h, "exec", "../box", "--", "true")
		if got.Status != 125 {
			t.Errorf("a path: got %+v", got)
		}
		idle(t, h, "box", "")
		got = berth(t, h, "exec", "box")
		if got.Status != 125 {
			t.Errorf("no command: got %+v", got)
		}
	})
}

// Everything below the container's root is what its payload makes of it by the
// time that a command enters.
func TestExecIntoHostileContainer(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/run/canary", "untouched")
		for _, test := range []struct {
			name, prepare string
			status        int
		}{
			{"no /dev/pts", "umount /dev/pts", 125},
			{"/dev/pts is a tmpfs", "mount -t tmpfs none /dev/pts; touch /dev/pts/ptmx /dev/pts/0", 125},
			{"/dev/pts is a symlink", "umount /dev/pts; rmdir /dev/pts; ln -s /proc/1/root/dev/pts /dev/pts", 125},
			{"/dev/pts is another's", "mount -t devpts -o newinstance,max=1,ptmxmode=000 none /dev/pts", 125},
			{"/proc unmounted", "umount -l /proc", 0},
			{"passwd is a FIFO", "rm /etc/passwd; mkfifo /etc/passwd", 125},
			{"passwd is endless", "rm /etc/passwd; ln -s /dev/zero /etc/passwd", 125},
			{"passwd is huge", "truncate -s 1G /etc/passwd", 125},
		} {
			t.Run(test.name, func(t *testing.T) {
				c := start(t, h, "box", unrestricted, "sh", "-c", test.prepare+"; echo ready; exec sleep 1000")
				c.waitFor("ready")
				began := time.Now()
				got := berth(t, h, "exec", "--terminal", "box", "--", "true")
				if got.Status != test.status {
					t.Errorf("got %+v, want status %d", got, test.status)
				}
				if test.status == 125 {
					oneLine(t, got.Stderr, "berth: cannot")
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				c.stop()
			})
		}
		if got := shell(t, h, "cat /run/canary"); got != "untouched" {
			t.Error("the host was changed")
		}
	})
}

// A payload can't get hold of a command before that is inside for good.
func TestExecCannotBeTraced(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		// Opens what it can of every new process, as fast as it can.
		c := start(t, h, "box", "", "perl", "-e", `
$| = 1; print "ready\n";
while (1) {
	opendir(D, "/proc");
	for my $pid (grep /^\d+$/ && $_ != $$, readdir D) {
		my $exe = readlink("/proc/$pid/exe") // "";
		next unless $exe =~ /berth/ && $pid != 1;
		for my $fd (3..9) {
			my $pidfd = syscall(434, $pid, 0);
			print "took $fd of $exe\n" if $pidfd >= 0 && syscall(438, $pidfd, $fd, 0) >= 0;
			POSIX::close($pidfd) if defined &POSIX::close;
		}
	}
}`)
		c.waitFor("ready")
		for range 20 {
			c.sh("true")
		}
		if strings.Contains(c.stdout.String(), "took") {
			t.Errorf("%s", &c.stdout)
		}
		berth(t, h, "kill", "box", "-s", "KILL")
		c.wait()
	})
}

func TestShell(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		idle(t, h, "box", "")
		got := runWithInput(t, h, "echo $0 $((6*7)); exit 3\n", "timeout", patience, "berth", "shell", "box")
		if got.Status != 3 || !strings.Contains(got.Stdout, "bash 42") {
			t.Errorf("got %+v", got)
		}
		got = runWithInput(t, h, "id -u\n", "timeout", patience, "berth", "shell", "box", "--user=nobody")
		if got.Status != 1 && got.Status != 0 {
			t.Errorf("a user whose shell is nologin: got %+v", got)
		}
	})
}

func TestExecCostsNothingThatStays(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		leader := c.leader()
		descriptors := func() string { return shell(t, h, fmt.Sprintf("ls /proc/%d/fd | wc -l", insidePID(t, leader))) }
		c.sh("true")
		before := descriptors()
		for range 20 {
			c.sh("true")
		}
		if after := descriptors(); after != before {
			t.Errorf("PID 1 had %s descriptors and has %s", before, after)
		}
	})
}
