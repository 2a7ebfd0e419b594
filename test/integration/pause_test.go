package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"berth/test/host"
)

// counting starts a container that counts in /run/n.
func counting(t *testing.T, h *host.Host, name string) *container {
	t.Helper()
	c := start(t, h, name, "", "/bin/sh", "-c", "trap 'exit 0' TERM; n=0; while :; do echo $((n += 1)) > /run/n; sleep 0.01; done")
	c.t = t
	return c
}

func state(t *testing.T, h *host.Host, name string) string {
	t.Helper()
	for _, s := range ps(t, h) {
		if s.Name == name {
			return s.State
		}
	}
	return "gone"
}

func TestPause(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := counting(t, h, "box")
		count := func() string {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/run/n", c.leader()))
			if err != nil {
				return ""
			}
			return string(data)
		}
		eventually(t, "it counts", func() bool { return state(t, h, "box") == "running" && count() != "" })
		for range 2 { // once more changes nothing
			if got := berth(t, h, "pause", "box"); got != (result{}) {
				t.Errorf("pause: %+v", got)
			}
		}
		if got := state(t, h, "box"); got != "paused" {
			t.Errorf("ps says %q", got)
		}
		if got := c.property("FreezerState"); got != "frozen" {
			t.Errorf("systemd says %q", got)
		}
		if got := berth(t, h, "inspect", "box"); !strings.Contains(got.Stdout, "(running, paused)") {
			t.Errorf("inspect says nothing of it: %+v", got)
		}
		before := count()
		time.Sleep(100 * time.Millisecond)
		if after := count(); after != before {
			t.Errorf("it went on from %s to %s", before, after)
		}
		for _, args := range [][]string{{"exec", "box", "--", "true"}, {"shell", "box"}} {
			got := berth(t, h, args...)
			if got.Status != 125 {
				t.Errorf("%v: %+v, want status 125", args, got)
			}
			oneLine(t, got.Stderr, `"box" is paused`, "berth resume box")
		}
		for range 2 {
			if got := berth(t, h, "resume", "box"); got != (result{}) {
				t.Errorf("resume: %+v", got)
			}
		}
		if got := state(t, h, "box"); got != "running" {
			t.Errorf("ps says %q", got)
		}
		eventually(t, "it goes on", func() bool { return count() != before })
		if got := c.sh("echo in"); got != "in" {
			t.Errorf("exec: %q", got)
		}
	})
}

// What ends a container ends a paused one.
func TestEndOfPausedContainer(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, test := range []struct {
			name   string
			end    []string
			status int
		}{
			{"stop", []string{"berth", "stop", "box"}, 0},
			{"kill", []string{"berth", "kill", "box", "--signal=KILL"}, 137},
		} {
			t.Run(test.name, func(t *testing.T) {
				c := counting(t, h, "box")
				berth(t, h, "pause", "box")
				began := time.Now()
				if got := run(t, h, "timeout", append([]string{patience}, test.end...)...); got != (result{}) {
					t.Errorf("got %+v", got)
				}
				if got := c.wait(); got.Status != test.status {
					t.Errorf("the payload: %+v, want status %d", got, test.status)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("took %v: it was killed, not stopped", took)
				}
			})
		}
	})
}

func TestPauseOfSlice(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "[resources]\nSlice = \"held.slice\"\n")
		c := beginContainer(t, h, "box", "run", "box", "--", "sleep", "1000")
		c.awaitStart()
		shell(t, h, "systemctl freeze held.slice")
		thaw := func() { shell(t, h, "systemctl thaw held.slice") }
		defer thaw()
		eventually(t, "ps says paused", func() bool { return state(t, h, "box") == "paused" })
		// In systemd 252 a slice's units are frozen each by itself.
		if got := berth(t, h, "resume", "box"); got.Status == 1 {
			oneLine(t, got.Stderr, "cannot", "box")
		} else if now := state(t, h, "box"); got.Status != 0 || now != "running" {
			t.Errorf("resume: %+v; it is %s", got, now)
		}
		thaw()
		c.stop()
	})
}

func TestPauseOfNothing(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, command := range []string{"pause", "resume"} {
			got := berth(t, h, command, "nothing")
			if got.Status != 1 {
				t.Errorf("%s: %+v", command, got)
			}
			oneLine(t, got.Stderr, `"nothing"`, "berth ps")
		}
	})
}
