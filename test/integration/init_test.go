package integration

import (
	"strings"
	"testing"

	"berth/test/host"
)

// Orphans become children of PID 1, which has to wait for them.
func TestInitReapsOrphans(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := inside(t, h, "", `
for i in 1 2 3 4 5 6 7 8 9 10; do sh -c 'sh -c "exec sleep 2" & exit' ; done
sleep 0.05
echo orphans: $(grep -l '^PPid:	1$' /proc/[0-9]*/status | wc -l)
sleep 2.2
cat /proc/[0-9]*/stat | grep -c ') Z ' || true`)
		lines := strings.Split(got, "\n")
		if lines[0] != "orphans: 11" { // the payload is a child of PID 1 as well
			t.Errorf("the test itself makes no orphans: %q", got)
		}
		if lines[1] != "0" {
			t.Errorf("%s zombies are left", lines[1])
		}
	})
}

func TestEndOfPayloadEndsItsChildren(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := runContainer(t, h, "box", "", "sh", "-c", "setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' >/dev/null 2>&1 & echo started")
		if got.Status != 0 || got.Stdout != "started\n" {
			t.Fatalf("got %+v", got)
		}
		if left := shell(t, h, "systemctl list-units --all --no-legend 'berth-*.scope'"); left != "" {
			t.Errorf("left: %s", left)
		}
	})
}

// A child with the payload's output open must not keep berth waiting.
func TestEndOfPayloadDoesNotWaitForOutput(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		if got := shell(t, h, "timeout 10 berth run box -- sh -c 'sleep 1000 & echo over; exit 4' || echo $?"); got != "over\n4" {
			t.Errorf("got %q", got)
		}
	})
}

// PID 1 that the payload cannot end, stop or look into.
func TestInitWithstandsPayload(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := inside(t, h, unrestricted, `
until grep -q '^CapPrm:.0000000000000000' /proc/1/status; do sleep 0.01; done
kill -KILL 1; kill -STOP 1; kill -TERM 1; kill -SEGV 1
grep -E '^(Cap(Prm|Eff|Bnd|Inh|Amb)|NoNewPrivs|Seccomp):' /proc/1/status | tr '\n\t' '  '
echo
perl -e '$fd = syscall(434, 1, 0); print "pidfd_getfd gave a descriptor of PID 1" if syscall(438, $fd, 3, 0) >= 0'`)
		lines := strings.Split(got, "\n")
		zero := strings.Repeat("0", 16)
		for _, set := range []string{"CapPrm: ", "CapEff: ", "CapBnd: ", "CapInh: ", "CapAmb: "} {
			if !strings.Contains(lines[0], set+zero) {
				t.Errorf("PID 1 has capabilities: %s", lines[0])
			}
		}
		if len(lines) > 1 {
			t.Error(lines[1])
		}
		if !strings.Contains(lines[0], "NoNewPrivs: 1") || !strings.Contains(lines[0], "Seccomp: 2") {
			t.Errorf("PID 1: %s", lines[0])
		}
	})
}

// Also in the first moments of the payload, when PID 1 is not yet what it will be.
func TestInitWithstandsEarlySignals(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		for range 10 {
			got := berth(t, h, "run", "box", "--", "sh", "-c", "kill -SEGV 1; kill -TERM 1; kill -HUP 1; exit 7")
			if got.Status != 7 || got.Stderr != "" {
				t.Errorf("got %+v, want status 7", got)
			}
		}
	})
}

// The binary that runs as PID 1 is the host's: it must not be writable through
// /proc/1/exe (CVE-2019-5736).
func TestHostsBinaryIsNotWritable(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		// /opt/berth is read-only in this host: a copy is what could be written to.
		shell(t, h, "cp /usr/local/bin/berth /usr/local/bin/berth-copy; sha256sum /usr/local/bin/berth-copy > /run/sum")
		defer func() { shell(t, h, "rm -f /usr/local/bin/berth-copy /run/sum") }()
		define(t, h, "box", "")
		shell(t, h, `berth-copy run box -- sh -c 'printf x > /proc/1/exe; chmod 777 /proc/1/exe; cp /bin/true /proc/1/exe' 2>/dev/null || true`)
		shell(t, h, "berth-copy run box -- sleep 1000 & for try in $(seq 100); do berth-copy exec box -- sh -c 'for i in 1 2 3 4; do printf x > /proc/$i/exe; done; true' 2>/dev/null && break; sleep 0.05; done; berth stop box; wait || true")
		shell(t, h, "sha256sum --quiet --check /run/sum")
	})
}
