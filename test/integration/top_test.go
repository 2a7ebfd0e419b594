package integration

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

// usage is what berth top --json tells of a container at least.
type usage struct {
	Name     string   `json:"name"`
	State    string   `json:"state"`
	Scope    string   `json:"scope"`
	CPU      *float64 `json:"cpu"`
	Memory   *uint64  `json:"memory"`
	Tasks    *uint64  `json:"tasks"`
	Pressure struct {
		CPU *float64 `json:"cpu"`
	} `json:"pressure"`
	Refused *uint64 `json:"refused"`
}

// top is one sample, by name.
func top(t *testing.T, h *host.Host) []usage {
	t.Helper()
	var sample struct {
		Containers []usage `json:"containers"`
	}
	berthJSON(t, h, &sample, "top", "--json", "--interval", "500ms", "--sort", "name")
	return sample.Containers
}

func TestTop(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		if got := berth(t, h, "top", "--interval", "100ms"); got.Status != 0 || !strings.HasPrefix(got.Stdout, "NAME") || strings.Count(got.Stdout, "\n") != 1 {
			t.Errorf("nothing runs: got %+v", got)
		}
		start(t, h, "busy", "", "sh", "-c", "while :; do :; done")
		idle(t, h, "calm", "[mountguard]\nenabled = false\n")
		list := top(t, h)
		if len(list) != 2 || list[0].Name != "busy" || list[1].Name != "calm" {
			t.Fatalf("got %+v", list)
		}
		busy, calm := list[0], list[1]
		if busy.CPU == nil || calm.CPU == nil || *busy.CPU < 5 || *busy.CPU > 120 || *calm.CPU > 5 {
			t.Errorf("CPU: got %+v and %+v", busy.CPU, calm.CPU)
		}
		if busy.State != "running" || busy.Scope != "berth-busy.scope" {
			t.Errorf("got %+v", busy)
		}
		// What the kernel counts is there, and nothing else is made up.
		for file, known := range map[string]bool{
			"memory.current": busy.Memory != nil, "pids.current": busy.Tasks != nil, "cpu.pressure": busy.Pressure.CPU != nil,
		} {
			if exists := run(t, h, "test", "-e", "/sys/fs/cgroup/machine.slice/berth-busy.scope/"+file).Status == 0; exists != known {
				t.Errorf("%s is there: %t; it is in berth top: %t", file, exists, known)
			}
		}
		if calm.Refused != nil {
			t.Errorf("refused without a guard: %d", *calm.Refused)
		}
		berth(t, h, "pause", "calm")
		defer berth(t, h, "resume", "calm")
		if got := top(t, h)[1]; got.State != "paused" {
			t.Errorf("paused: got %+v", got)
		}
	})
}

// What mountguard refuses in a container is counted for that one.
func TestTopCountsRefusals(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", unrestricted+`
[[mounts]]
type = "bind"
source = "/usr/share"
target = "/mnt"
read_only = true
`)
		idle(t, h, "other", unrestricted)
		if got := top(t, h); len(got) != 2 || got[0].Refused == nil || *got[0].Refused != 0 {
			t.Fatalf("nothing is refused yet: got %+v", got)
		}
		for range 3 {
			c.sh("mount -o remount,rw,bind /mnt || true")
		}
		got := top(t, h)
		if got[0].Refused == nil || *got[0].Refused < 3 || got[1].Refused == nil || *got[1].Refused != 0 {
			t.Errorf("refused: got %+v", got)
		}
	})
}

// A supervisor that doesn't answer holds nobody up.
func TestTopWithStoppedSupervisor(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		c.signal(unix.SIGSTOP)
		defer c.signal(unix.SIGCONT)
		got := run(t, h, "timeout", "5", "berth", "top", "--interval", "100ms", "--iterations", "3")
		if got.Status != 0 || strings.Count(got.Stdout, "box ") != 3 {
			t.Errorf("got %+v", got)
		}
	})
}

// Containers that come and go in the midst of a run of samples.
func TestTopWhileContainersComeAndGo(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		const samples = 60
		watch := begin(t, h, "berth", "top", "--json", "--interval", "100ms", "--iterations", strconv.Itoa(samples))
		seen := func() int { return strings.Count(watch.stdout.String(), `"name":"box"`) }
		for range 5 { // too short for a sample, most of them
			idle(t, h, "box", "").stop()
		}
		for range 3 {
			before := seen()
			c := idle(t, h, "box", "")
			eventually(t, "the container is seen", func() bool { return seen() > before })
			c.stop()
		}
		got := watch.wait()
		if got.Status != 0 || got.Stderr != "" || strings.Count(got.Stdout, "\n") != samples {
			t.Fatalf("got %+v", got)
		}
		for line := range strings.Lines(got.Stdout) {
			var sample struct{ Containers []usage }
			if err := json.Unmarshal([]byte(line), &sample); err != nil || len(sample.Containers) > 1 {
				t.Errorf("%q: %v", line, err)
			}
		}
	})
}

func TestTopOnTerminal(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		// The end of a session's first process throws away what nobody has read yet.
		s := beginOnTerminal(t, h, "sh", "-c", "berth top --interval 200ms --sort name || exit; sleep 0.5")
		s.waitFor("berth top: 0 containers")
		eventually(t, "the terminal is raw", func() bool { return isRaw(s.modes()) })
		idle(t, h, "box", "")
		s.waitFor("box  running")
		// Only what changes is drawn, characters of what was there before are kept.
		s.typed("?")
		s.waitFor("any key goes back")
		s.typed("x/zzz\r")
		s.waitFor("zzz")
		s.typed("\x1b")
		idle(t, h, "another", "")
		s.waitFor("2 containers")
		s.typed("\r")
		s.waitFor("COMMAND")
		s.waitFor("sleep")
		s.resize(10, 40)
		s.resize(30, 100)
		s.typed("q")
		s.waitFor("\x1b[?1049l") // the screen of before is there again
		if got := s.wait(); got.Status != 0 {
			t.Errorf("got status %d\n%q", got.Status, got.Stdout)
		}
		if after := s.modes(); after != s.before {
			t.Errorf("the terminal's modes: %+v, before %+v", after, s.before)
		}
	})
}

func TestTopOnTerminalEnds(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		idle(t, h, "box", "")
		for _, test := range []struct {
			name string
			end  func(s *session)
		}{
			{"Ctrl-C", func(s *session) { s.typed("\x03") }},
			{"terminated", func(s *session) { s.signal(unix.SIGTERM) }},
		} {
			t.Run(test.name, func(t *testing.T) {
				s := beginOnTerminal(t, h, "env", "NO_COLOR=1", "berth", "top")
				s.waitFor("box  running")
				test.end(s)
				got := s.wait()
				if after := s.modes(); got.Status != 0 || after != s.before {
					t.Errorf("status %d, modes %+v, before %+v", got.Status, after, s.before)
				}
				if strings.Contains(got.Stdout, "\x1b[33") || strings.Contains(got.Stdout, "\x1b[1m") {
					t.Errorf("colours in spite of NO_COLOR: %q", got.Stdout)
				}
			})
		}
	})
}

// Without somebody who types there is a table, on a terminal too.
func TestTopIsOnlyLiveForPeople(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		idle(t, h, "box", "")
		s := beginOnTerminal(t, h, "sh", "-c", "berth top --interval 100ms < /dev/null; TERM=dumb berth top --interval 100ms; berth top --interval 100ms | cat; berth top --interval 100ms --iterations 1; sleep 0.5")
		if got := s.wait(); got.Status != 0 || strings.Contains(got.Stdout, "\x1b[?1049h") || strings.Count(got.Stdout, "box ") != 4 {
			t.Errorf("got %+v", got)
		}
	})
}
