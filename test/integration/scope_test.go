package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"berth/test/host"
)

func TestScope(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "description = \"for the test\"\n")
		for property, want := range map[string]string{
			"ActiveState": "active",
			"SubState":    "running",
			"Slice":       "machine.slice",
			"Delegate":    "yes",
			"CollectMode": "inactive-or-failed",
			"Description": "for the test",
			"Transient":   "yes",
		} {
			if got := c.property(property); got != want {
				t.Errorf("%s: got %q, want %q", property, got, want)
			}
		}
		if got := c.property("Controller"); !strings.HasPrefix(got, ":") {
			t.Errorf("Controller: got %q, want a bus name", got)
		}
	})
}

// What systemd-run --scope makes of a property is what berth has to make of it.
func TestScopeProperties(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		settings := []struct{ toml, run, property string }{
			{`MemoryMax = "256M"`, "MemoryMax=256M", "MemoryMax"},
			{`MemoryHigh = "50%"`, "MemoryHigh=50%", "MemoryHigh"},
			{`MemorySwapMax = 0`, "MemorySwapMax=0", "MemorySwapMax"},
			{`CPUQuota = "50%"`, "CPUQuota=50%", "CPUQuotaPerSecUSec"},
			{`CPUWeight = 200`, "CPUWeight=200", "CPUWeight"},
			{`TasksMax = 200`, "TasksMax=200", "TasksMax"},
			{`IOWeight = 50`, "IOWeight=50", "IOWeight"},
			{`AllowedCPUs = "0"`, "AllowedCPUs=0", "AllowedCPUs"},
			{`IPAddressDeny = ["any"]`, "IPAddressDeny=any", "IPAddressDeny"},
			{`IPAddressAllow = ["localhost", "192.0.2.0/24"]`, "IPAddressAllow=localhost", "IPAddressAllow"},
			{`DevicePolicy = "strict"`, "DevicePolicy=strict", "DevicePolicy"},
			{`DeviceAllow = ["/dev/null rw", "char-pts r"]`, "DeviceAllow=/dev/null rw", "DevicePolicy"},
			{`RuntimeMaxSec = "1h"`, "RuntimeMaxSec=1h", "RuntimeMaxUSec"},
			{`TimeoutStopSec = "7s"`, "TimeoutStopSec=7s", "TimeoutStopUSec"},
			{`OOMPolicy = "kill"`, "OOMPolicy=kill", "OOMPolicy"},
			{`ManagedOOMSwap = "kill"`, "ManagedOOMSwap=kill", "ManagedOOMSwap"},
		}
		var body, names []string
		args := []string{"--scope", "--quiet", "--collect", "--unit=oracle"}
		for _, s := range settings {
			body, names, args = append(body, s.toml), append(names, s.property), append(args, "-p", s.run)
		}
		define(t, h, "box", "[resources]\n"+strings.Join(body, "\n")+"\n")
		c := beginContainer(t, h, "box", "run", "--best-effort", "box", "--", "sleep", "1000")
		c.awaitStart()
		oracle := begin(t, h, "systemd-run", append(args, "-p", "DeviceAllow=char-pts r", "-p", "IPAddressAllow=192.0.2.0/24", "sleep", "1000")...)
		eventually(t, "the oracle runs", func() bool { return run(t, h, "systemctl", "is-active", "oracle.scope").Status == 0 })
		if !oracle.running() {
			t.Fatalf("systemd-run: %s", &oracle.stderr)
		}
		show := func(unit string) string {
			text := shell(t, h, "systemctl show -p "+strings.Join(append(names, "DeviceAllow"), ",")+" "+unit)
			return strings.Join(sorted(strings.Fields(strings.ReplaceAll(text, "=", " = "))), "\n") // sets have no order
		}
		if diff := cmp.Diff(show("oracle.scope"), show("berth-box.scope")); diff != "" {
			t.Errorf("properties (-systemd-run +berth):\n%s", diff)
		}
		shell(t, h, "systemctl stop oracle.scope")
		oracle.wait()
	})
}

// Delegated, but for the scope's own limits.
func TestScopeIsDelegated(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", unrestricted)
		got := c.sh(`
cd /sys/fs/cgroup
mkdir new new/below
echo $$ > new/below/cgroup.procs && grep ^0: /proc/self/cgroup
echo 5 > new/cgroup.max.descendants && cat new/cgroup.max.descendants
for controller in $(cat cgroup.controllers); do echo +$controller > cgroup.subtree_control || echo $controller refused; done
for file in cgroup.max.descendants cgroup.max.depth cgroup.freeze cgroup.type $(ls | grep -E '\.(max|high|min|low|weight)$'); do
	sh -c "echo 1 > $file" 2>/dev/null && echo "$file was written"
done
sh -c 'echo 1 > cgroup.kill' 2>/dev/null && echo killed
stat -c '%n %u:%g' . cgroup.procs cgroup.subtree_control cgroup.threads cgroup.max.descendants payload
true`)
		want := strings.Join([]string{
			"0::/new/below", "5", ". 0:0", "cgroup.procs 0:0", "cgroup.subtree_control 0:0", "cgroup.threads 0:0",
			"cgroup.max.descendants 65534:65534", "payload 0:0",
		}, "\n")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("delegation (-want +got):\n%s", diff)
		}
	})
}

func TestScopeLimitsHold(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		shell(t, h, "echo 1 > /sys/fs/cgroup/machine.slice/berth-box.scope/cgroup.max.descendants")
		if got := c.sh("mkdir /sys/fs/cgroup/more 2>/dev/null && echo made || echo refused"); got != "refused" {
			t.Errorf("a limit on the scope was exceeded: %s", got)
		}
	})
}

func TestSystemctlStopSendsStopSignal(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, signal := range []string{"TERM", "INT", "USR1", "QUIT"} {
			t.Run(signal, func(t *testing.T) {
				body := fmt.Sprintf("[process]\nstop_signal = \"SIG%s\"\n", signal)
				c := start(t, h, "box", body, "sh", "-c", strings.ReplaceAll(`for s in TERM INT USR1 QUIT HUP; do trap "echo got $s; exit 9" $s; done; echo ready; while :; do sleep 1000 & wait; done`, "'", ""))
				c.waitFor("ready")
				shell(t, h, "timeout 10 systemctl stop berth-box.scope")
				got := c.wait()
				if got.Status != 9 || !strings.Contains(got.Stdout, "got "+signal+"\n") || strings.Count(got.Stdout, "got") != 1 {
					t.Errorf("got %+v", got)
				}
			})
		}
	})
}

// A payload that takes no notice is killed after the scope's timeout.
func TestSystemctlStopKillsAfterTimeout(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := start(t, h, "box", "[resources]\nTimeoutStopSec = 1\n", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
		c.waitFor("ready")
		shell(t, h, "timeout 10 systemctl stop berth-box.scope")
		if got := c.wait(); got.Status != 137 {
			t.Errorf("got %+v, want status 137", got)
		}
	})
}

func TestSystemctlKillFreezeThaw(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := start(t, h, "box", "", "sh", "-c", "trap 'echo usr1' USR1; echo ready; while :; do sleep 1000 & wait; kill $!; done")
		c.waitFor("ready")
		shell(t, h, "systemctl freeze berth-box.scope")
		if got := c.property("FreezerState"); got != "frozen" {
			t.Errorf("FreezerState: got %q", got)
		}
		shell(t, h, "systemctl kill -s USR1 berth-box.scope; sleep 0.2")
		if strings.Contains(c.stdout.String(), "usr1") {
			t.Error("a frozen container goes on")
		}
		shell(t, h, "systemctl thaw berth-box.scope")
		c.waitFor("usr1")
		shell(t, h, "systemctl kill -s KILL berth-box.scope")
		if got := c.wait(); got.Status != 137 {
			t.Errorf("got %+v, want status 137", got)
		}
	})
}

func TestSystemctlSetProperty(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		shell(t, h, "systemctl set-property --runtime berth-box.scope IPAddressDeny=any Description=changed 2>/dev/null || systemctl set-property --runtime berth-box.scope IPAddressDeny=any")
		if got := c.property("IPAddressDeny"); !strings.Contains(got, "0.0.0.0/0") {
			t.Errorf("IPAddressDeny: got %q", got)
		}
	})
}

// systemd-machined is started by its first client; here it may be masked or
// missing, and berth goes on without it.
func TestMachined(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "systemctl start systemd-machined.service")
		c := idle(t, h, "box", "")
		eventually(t, "machinectl lists it", func() bool {
			return strings.Contains(run(t, h, "machinectl", "list", "--no-legend").Stdout, "box")
		})
		got := shell(t, h, "machinectl show box -p Service -p Class -p Unit | sort")
		if want := "Class=container\nService=berth\nUnit=berth-box.scope"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		c.stop()
		eventually(t, "machinectl forgets it", func() bool {
			return !strings.Contains(run(t, h, "machinectl", "list", "--no-legend").Stdout, "box")
		})
		shell(t, h, "systemctl stop systemd-machined.service")
		if got := idle(t, h, "box", "").stop(); got.Status != 0 || got.Stderr != "" {
			t.Errorf("without machined: %+v", got)
		}
	})
}
