package integration

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"berth/test/host"
)

// A command beside the payload has all that a setting gives or takes from that,
// and PID 1 has no capability, whoever the payload is.
func TestAttributesOfPayloadAndExec(t *testing.T) {
	const look = `grep -vE '^(Name|Pid|Ngid|Tgid|PPid|NSpid|NSpgid|NSsid|NStgid|Vm|Rss|Huge|FDSize|Speculation|voluntary|nonvoluntary|SigQ|State|Seccomp_filters)' /proc/self/status
cat /proc/self/limits /proc/self/oom_score_adj /proc/self/coredump_filter /proc/self/timerslack_ns /proc/self/personality 2>/dev/null
set -- $(cat /proc/self/stat); echo priority ${18} nice ${19} realtime ${40} policy ${41}
umask; ionice; grep Cap /proc/1/status | sed 's/^/PID 1 /'; echo ready`
	withBerth(t, func(t *testing.T, h *host.Host) {
		for name, test := range map[string]struct{ body, want string }{
			"default":     {"", "NoNewPrivs:\t1\nSeccomp:\t2\n"},
			"no root":     {"[users]\nmap_root = false\n[process]\nuser = \"www-data\"\n", "CapPrm:\t0000000000000000\n"},
			"host's IDs":  {"profile = \"trusted\"\n[users]\nmap = \"host\"\n", "Seccomp:\t0\n"},
			"core dumps":  {"[sandbox]\nCoredumpFilter = \"0x1f\"\nProtectProc = \"invisible\"\n", "\n0000001f\n"},
			"no proc":     {"[sandbox]\nCoredumpFilter = \"0x1f\"\nReadOnlyPaths = \"/\"\nProcSubset = \"pid\"\n", "\n0000001f\n"},
			"scheduling":  {"[sandbox]\nNice = -5\nCPUAffinity = \"0\"\nIOSchedulingClass = \"idle\"\nTimerSlackNSec = \"5ms\"\n", "\nCpus_allowed_list:\t0\n"},
			"realtime":    {"profile = \"trusted\"\n[sandbox]\nCPUSchedulingPolicy = \"fifo\"\nCPUSchedulingPriority = 7\n", "realtime 7 policy 1"},
			"small":       {"[sandbox]\nLimitNOFILE = 20\nLimitNPROC = 50\nLimitAS = \"64M\"\nLimitFSIZE = 0\nLimitCPU = 2\n", "Max address space         67108864             67108864 "},
			"ambient":     {"[process]\nuser = \"www-data\"\n[sandbox]\nAmbientCapabilities = \"CAP_NET_BIND_SERVICE\"\n", "CapEff:\t0000000000000400\n"},
			"secure bits": {"[sandbox]\nSecureBits = \"noroot noroot-locked\"\n", "CapEff:\t0000000000000000\n"},
		} {
			t.Run(name, func(t *testing.T) {
				c := start(t, h, "box", test.body, "sh", "-c", look+"; sleep 1000")
				c.waitFor("ready")
				payload, _, _ := strings.Cut(c.stdout.String(), "PID 1 ")
				if !strings.Contains(payload, test.want) {
					t.Errorf("the payload lacks %q:\n%s", test.want, payload)
				}
				byExec, _, _ := strings.Cut(c.sh(look), "PID 1 ")
				if byExec, payload := strings.TrimSpace(byExec), strings.TrimSpace(payload); byExec != payload {
					t.Errorf("-payload +exec\n%s", cmp.Diff(payload, byExec))
				}
				if n := strings.Count(c.stdout.String(), "PID 1 Cap"); n != 5 && !strings.Contains(test.body, "invisible") {
					t.Errorf("%d lines about PID 1:\n%s", n, c.stdout.String())
				}
				for line := range strings.Lines(c.stdout.String()) {
					if strings.HasPrefix(line, "PID 1 ") && !strings.HasSuffix(line, "\t0000000000000000\n") {
						t.Errorf("has capabilities: %s", line)
					}
				}
				c.stop()
			})
		}
	})
}
