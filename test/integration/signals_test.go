package integration

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

// catcher prints the names of the signals that it gets.
const catcher = `
for signal in TERM INT HUP QUIT USR1 USR2 ALRM; do trap "echo got $signal" $signal; done
echo ready
while :; do sleep 1000 & wait; kill $!; done`

func TestSignalsReachPayload(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := start(t, h, "box", "", "sh", "-c", catcher)
		c.waitFor("ready")
		for _, test := range []struct {
			name   string
			signal unix.Signal
		}{
			{"TERM", unix.SIGTERM}, {"INT", unix.SIGINT}, {"HUP", unix.SIGHUP}, {"QUIT", unix.SIGQUIT},
			{"USR1", unix.SIGUSR1}, {"USR2", unix.SIGUSR2}, {"ALRM", unix.SIGALRM},
		} {
			c.signal(test.signal)
			c.waitFor("got " + test.name + "\n")
		}
		if !c.running() {
			t.Fatal("berth ended by a signal that the payload handled")
		}
		if got := berth(t, h, "kill", "box", "--signal=KILL"); got.Status != 0 {
			t.Errorf("berth kill: %+v", got)
		}
		if got := c.wait(); got.Status != 137 {
			t.Errorf("after SIGKILL: status %d, want 137", got.Status)
		}
	})
}

func TestSignalStatusIsPayloads(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, test := range []struct {
			name   string
			signal unix.Signal
		}{
			{"TERM", unix.SIGTERM}, {"INT", unix.SIGINT}, {"HUP", unix.SIGHUP}, {"USR1", unix.SIGUSR1},
		} {
			t.Run(test.name, func(t *testing.T) {
				c := start(t, h, "box", "", "sleep", "1000")
				c.signal(test.signal)
				if got, want := c.wait().Status, 128+int(test.signal); got != want {
					t.Errorf("got status %d, want %d", got, want)
				}
			})
		}
	})
}

// A signal that comes while berth is still starting isn't lost: the container
// must not outlive it.
func TestSignalWhileStarting(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		for delay := range 20 {
			c := begin(t, h, "berth", "run", "box", "--", "sleep", "1000")
			time.Sleep(time.Duration(delay*delay) * 100 * time.Microsecond)
			c.signal(unix.SIGTERM)
			// 125 before there was a payload.
			if got := c.wait(); got.Status != 128+int(unix.SIGTERM) && got.Status != 125 {
				t.Errorf("after %d: got %+v, want status 143 or 125", delay, got)
			}
		}
	})
}

func TestKillReachesPayloadAlone(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := start(t, h, "box", "", "sh", "-c", `trap 'echo payload' USR1; (trap 'echo child' USR1; echo ready; while :; do sleep 1000 & wait; done) & while :; do wait; done`)
		c.waitFor("ready")
		if got := berth(t, h, "kill", "box", "-s", "USR1"); got.Status != 0 {
			t.Fatalf("berth kill: %+v", got)
		}
		c.waitFor("payload")
		if got := shell(t, h, "systemctl kill --signal=USR1 berth-box.scope"); got != "" {
			t.Error(got)
		}
		c.waitFor("child")
	})
}

func TestKillErrors(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := berth(t, h, "kill", "box")
		if got.Status != 1 {
			t.Errorf("nothing runs: got %+v", got)
		}
		oneLine(t, got.Stderr, `"box"`, "berth ps")
		got = berth(t, h, "kill", "box", "-s", "NOSUCH")
		if got.Status != 1 {
			t.Errorf("no such signal: got %+v", got)
		}
		oneLine(t, got.Stderr, "NOSUCH")
	})
}
