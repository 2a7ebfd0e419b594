package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"berth/test/host"
)

// entry is what is of interest in a line of journalctl --output=json.
type entry struct {
	Message    string `json:"MESSAGE"`
	Priority   string `json:"PRIORITY"`
	Identifier string `json:"SYSLOG_IDENTIFIER"`
	Unit       string `json:"_SYSTEMD_UNIT"`
}

func TestJournalHasPayloadsLines(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := runContainer(t, h, "speaker", "", "sh", "-c", "echo one; echo two >&2; printf 'without newline'")
		if got.Status != 0 || got.Stdout != "one\nwithout newline" || got.Stderr != "two\n" {
			t.Fatalf("got %+v", got)
		}
		out := shell(t, h, "journalctl --sync; journalctl --quiet --output=json -u berth-speaker.scope SYSLOG_IDENTIFIER=speaker")
		var entries []entry
		for line := range strings.Lines(out) {
			var e entry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			entries = append(entries, e)
		}
		const unit = "berth-speaker.scope"
		want := map[entry]bool{
			{"one", "6", "speaker", unit}:             true,
			{"two", "3", "speaker", unit}:             true,
			{"without newline", "6", "speaker", unit}: true,
		}
		found := map[entry]bool{}
		for _, e := range entries {
			found[e] = true
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("journal (-want +got):\n%s", diff)
		}
	})
}

// Fast and much, or in the last moment before the end: nothing is lost.
func TestJournalIsComplete(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := runContainer(t, h, "talker", "", "sh", "-c", "seq 5000; exit 3")
		if got.Status != 3 || strings.Count(got.Stdout, "\n") != 5000 {
			t.Fatalf("status %d, %d lines", got.Status, strings.Count(got.Stdout, "\n"))
		}
		if lines := shell(t, h, "journalctl --sync; journalctl -q -o cat -u berth-talker.scope SYSLOG_IDENTIFIER=talker | grep -cE '^[0-9]+$'"); lines != "5000" {
			t.Errorf("%s of 5000 lines are in the journal", lines)
		}
		for range 10 {
			runContainer(t, h, "brief", "", "echo", "the only line")
		}
		if lines := shell(t, h, "journalctl --sync; journalctl -q -o cat -u berth-brief.scope | grep -c '^the only line$'"); lines != "10" {
			t.Errorf("%s of 10 brief containers' lines are in the journal", lines)
		}
	})
}

// A payload must not be able to forge fields or another unit's lines.
func TestJournalCannotBeForged(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		runContainer(t, h, "forger", "", "sh", "-c", `printf 'x\n_SYSTEMD_UNIT=ssh.service\nMESSAGE=forged\nPRIORITY=0\n<0>emergency\n'; test ! -e /run/systemd/journal && echo no journal socket`)
		if got := shell(t, h, "journalctl --sync; journalctl -q -o cat -u ssh.service"); got != "" {
			t.Errorf("ssh.service said: %s", got)
		}
		if got := shell(t, h, "journalctl -q -o cat -u berth-forger.scope"); !strings.Contains(got, "no journal socket") {
			t.Errorf("the container can reach journald's socket:\n%s", got)
		}
	})
}

func TestLogs(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		runContainer(t, h, "logger", "", "sh", "-c", "echo a line; echo an error >&2")
		shell(t, h, "journalctl --sync")
		if got := berth(t, h, "logs", "logger", "-o", "cat", "SYSLOG_IDENTIFIER=logger"); got.Status != 0 || strings.Join(sorted(strings.Fields(got.Stdout)), " ") != "a an error line" {
			t.Errorf("got %+v", got)
		}
		if got := berth(t, h, "logs", "logger", "-o", "cat", "-p", "err"); strings.TrimSpace(got.Stdout) != "an error" {
			t.Errorf("-p err: got %+v", got)
		}
	})
}
