package integration

import (
	"context"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

// session is a command of the host with a terminal, as a person has it.
type session struct {
	*background
	master *os.File
	slave  *os.File
	before unix.Termios
}

// openPTY makes a pseudoterminal outside of any host.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd uintptr
	var errno unix.Errno
	raw.Control(func(m uintptr) {
		if err = unix.IoctlSetPointerInt(int(m), unix.TIOCSPTLCK, 0); err == nil {
			fd, _, errno = unix.Syscall(unix.SYS_IOCTL, m, unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		}
	})
	if err != nil || errno != 0 {
		t.Fatalf("cannot open a pseudoterminal: %v %v", err, errno)
	}
	slave = os.NewFile(fd, "slave")
	t.Cleanup(func() {
		slave.Close()
		master.Close()
	})
	return master, slave
}

// beginOnTerminal starts a command that has a terminal of 30 rows and 100
// columns for its session.
func beginOnTerminal(t *testing.T, h *host.Host, name string, args ...string) *session {
	t.Helper()
	master, slave := openPTY(t)
	s := &session{master: master, slave: slave}
	s.background = &background{t: t, h: h, cmd: h.Command(context.Background(), name, args...), ended: make(chan struct{})}
	s.resize(30, 100)
	s.before = s.modes()
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.Env = append(s.cmd.Env, "TERM=vt220")
	s.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	s.launch()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			s.stdout.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *session) resize(rows, columns uint16) {
	s.t.Helper()
	if err := unix.IoctlSetWinsize(int(s.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) typed(text string) {
	s.t.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// modes are the terminal's, which berth changes while it runs.
func (s *session) modes() unix.Termios {
	s.t.Helper()
	modes, err := unix.IoctlGetTermios(int(s.slave.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *modes
}

func isRaw(modes unix.Termios) bool { return modes.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) == 0 }

func TestTerminal(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		for _, test := range []struct {
			name  string
			begin func(t *testing.T, script string) *session
		}{
			{"run", func(t *testing.T, script string) *session {
				return beginOnTerminal(t, h, "berth", "run", "box", "--", "sh", "-c", script)
			}},
			{"exec", func(t *testing.T, script string) *session {
				startDefined(t, h, "box", "sleep", "1000")
				return beginOnTerminal(t, h, "berth", "exec", "box", "--", "sh", "-c", script)
			}},
			{"run as another user", func(t *testing.T, script string) *session {
				return beginOnTerminal(t, h, "berth", "run", "-p", "process.user=www-data", "box", "--", "sh", "-c", script)
			}},
		} {
			t.Run(test.name, func(t *testing.T) {
				s := test.begin(t, `
test -t 0 && test -t 1 && test -t 2 && echo is a terminal
tty; stty size; echo term $TERM; : < /dev/tty && echo controlling; test -O $(tty) && echo own
trap 'echo resized $(stty size)' WINCH
trap 'echo interrupted' INT
trap 'echo suspended' TSTP
echo ready
line=
while [ -z "$line" ]; do read line || true; done
echo "line was <$line>"
while [ "$line" != quit ]; do read line || true; done
exit 6`)
				s.waitFor("ready")
				for _, want := range []string{"is a terminal\r\n", "/dev/", "30 100\r\n", "term vt220\r\n", "controlling\r\n", "own\r\n"} {
					s.waitFor(want)
				}
				eventually(t, "the outer terminal is raw", func() bool { return isRaw(s.modes()) })
				s.resize(40, 120)
				s.typed("typed text\r")
				s.waitFor("line was <typed text>")
				s.waitFor("resized 40 120")
				s.typed("\x03")
				s.waitFor("interrupted")
				s.typed("quit\r")
				if got := s.wait(); got.Status != 6 {
					t.Errorf("got status %d, want 6\n%s", got.Status, got.Stdout)
				}
				if after := s.modes(); after != s.before {
					t.Errorf("the terminal's modes: %+v, before %+v", after, s.before)
				}
			})
		}
	})
}

// However it ends.
func TestTerminalIsRestored(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		for _, test := range []struct {
			name    string
			command []string
			end     func(s *session)
			status  int
		}{
			{"by itself", []string{"sh", "-c", "sleep 0.1; exit 4"}, nil, 4},
			{"payload killed", []string{"sh", "-c", "echo ready; sleep 1000"}, func(s *session) {
				s.waitFor("ready")
				berth(t, h, "kill", "box", "-s", "KILL")
			}, 137},
			{"stopped by systemd", []string{"sh", "-c", "echo ready; sleep 1000"}, func(s *session) {
				s.waitFor("ready")
				shell(t, h, "systemctl stop berth-box.scope")
			}, 143},
			{"killed by systemd", []string{"sh", "-c", "echo ready; sleep 1000"}, func(s *session) {
				s.waitFor("ready")
				shell(t, h, "systemctl kill -s KILL berth-box.scope")
			}, 137},
			{"berth terminated", []string{"sh", "-c", "echo ready; sleep 1000"}, func(s *session) {
				s.waitFor("ready")
				s.signal(unix.SIGTERM)
			}, 143},
			{"payload makes it raw", []string{"sh", "-c", "stty raw -echo; exit 3"}, nil, 3},
			{"no such program", []string{"no-such-program"}, nil, 127},
			{"end of typing", []string{"sh", "-c", "echo ready; cat"}, func(s *session) {
				s.waitFor("ready")
				s.typed("\x04")
			}, 0},
		} {
			t.Run(test.name, func(t *testing.T) {
				s := beginOnTerminal(t, h, "berth", append([]string{"run", "box", "--"}, test.command...)...)
				if test.end != nil {
					test.end(s)
				}
				if got := s.wait(); got.Status != test.status {
					t.Errorf("got status %d, want %d\n%s", got.Status, test.status, got.Stdout)
				}
				if after := s.modes(); after != s.before {
					t.Errorf("the terminal's modes: %+v, before %+v", after, s.before)
				}
			})
		}
	})
}

func TestTerminalOutputIsComplete(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		s := beginOnTerminal(t, h, "berth", "run", "box", "--", "seq", "20000")
		if got := s.wait(); got.Status != 0 {
			t.Fatalf("status %d", got.Status)
		}
		s.waitFor("\n20000\r\n")
		if n := strings.Count(s.stdout.String(), "\n"); n != 20000 {
			t.Errorf("%d of 20000 lines", n)
		}
	})
}

// With one stream redirected there is no terminal unless the file wants one.
func TestTerminalIsOnlyForPeople(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		const tell = `for fd in 0 1 2; do test -t $fd && echo $fd; done; echo over`
		s := beginOnTerminal(t, h, "sh", "-c", "berth run box -- sh -c '"+tell+"' | cat; berth run box -- sh -c '"+tell+"' < /dev/null")
		if got := s.wait(); strings.Count(got.Stdout, "over") != 2 || strings.ContainsAny(got.Stdout, "012") {
			t.Errorf("a terminal inside: %q", got.Stdout)
		}
		got := runContainer(t, h, "box", "[process]\nterminal = true\n", "sh", "-c", "test -t 0 && test -t 1 && echo yes")
		if got.Status != 0 || strings.TrimSpace(got.Stdout) != "yes" {
			t.Errorf("terminal = true without one outside: %+v", got)
		}
	})
}

// The terminal of the person is not the container's: a payload that could
// push characters into it (TIOCSTI) would command the host.
func TestOuterTerminalIsOutOfReach(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		s := beginOnTerminal(t, h, "sh", "-c", "berth run box -- ls -l /proc/self/fd /proc/1/fd; berth run box -- sh -c 'test -t 0 || test -t 1 || test -t 2 || echo none' < /dev/null 2>/dev/null")
		got := s.wait()
		if strings.Contains(got.Stdout, "deleted") || !strings.Contains(got.Stdout, "none") {
			t.Errorf("%s", got.Stdout)
		}
	})
}

// script(1) is what many a user's pipeline has for a terminal.
func TestTerminalOfScript(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		got := shell(t, h, "timeout 20 script -qec \"berth run box -- sh -c 'tty; stty size; exit 5'\" /dev/null < /dev/null || echo $?")
		if !strings.Contains(got, "/dev/") || !strings.HasSuffix(strings.TrimSpace(got), "5") {
			t.Errorf("got %q", got)
		}
	})
}
