package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"berth/test/host"
)

// systemRoot is a copy of the suite's whole Debian, for a system container.
func systemRoot(t *testing.T, h *host.Host) (body string) {
	t.Helper()
	const root = "/var/lib/machines/system"
	shell(t, h, "mkdir -p /var/lib/machines; cp -a --reflink=auto /opt/debian "+root+"; ln -sf multi-user.target "+root+"/etc/systemd/system/default.target")
	t.Cleanup(func() {
		if err := h.Remove(root); err != nil {
			t.Error(err)
		}
	})
	return fmt.Sprintf("[root]\ndirectory = %q\n[process]\nboot = true\n", root)
}

// A root's own systemd is PID 1, gets through its boot, can be worked with and
// shuts down in order.
func TestBoot(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := systemRoot(t, h)
		define(t, h, "system", body)
		boot := func(t *testing.T) *container {
			c := beginContainer(t, h, "system", "run", "system")
			c.awaitStart()
			c.awaitSystem()
			return c
		}
		t.Run("running", func(t *testing.T) {
			c := boot(t)
			if got := c.sh("systemctl is-system-running || systemctl --failed --no-legend --plain"); got != "running" {
				t.Errorf("got %s", got)
			}
			if got := c.sh("cat /proc/1/comm; systemd-detect-virt --container || true; systemctl is-active dbus.service systemd-journald.service"); !strings.HasPrefix(got, "systemd\n") || !strings.HasSuffix(got, "active\nactive") {
				t.Errorf("got %q", got)
			}
			if got := c.sh("systemd-run --quiet --wait --pipe -p DynamicUser=yes -p TasksMax=10 id -un && systemd-run --quiet --scope true && echo scope"); !strings.HasSuffix(got, "scope") {
				t.Errorf("services inside: %q", got)
			}
			if got := c.property("ActiveState"); got != "active" {
				t.Errorf("outside: %s", got)
			}
			if got := berth(t, h, "stop", "system"); got.Status != 0 {
				t.Errorf("stop: %+v", got)
			}
			c.wait()
			if got := shell(t, h, "journalctl -q -o cat --directory=/var/lib/machines/system/var/log/journal --file=/dev/null 2>/dev/null || true; journalctl -q -o cat -u berth-system.scope"); !strings.Contains(got, "Reached target") && got != "" {
				t.Logf("console:\n%s", got)
			}
		})
		t.Run("stopped in order", func(t *testing.T) {
			c := boot(t)
			c.sh("printf '[Service]\\nExecStart=sleep 1000\\nExecStop=touch /var/stopped\\n' > /run/systemd/system/last.service; systemctl daemon-reload; systemctl start last.service")
			shell(t, h, "timeout 20 systemctl stop berth-system.scope")
			if got := c.wait(); got.Status != 0 {
				t.Errorf("got status %d, want 0", got.Status)
			}
			shell(t, h, "rm /var/lib/machines/system/var/stopped")
		})
		t.Run("poweroff", func(t *testing.T) {
			c := boot(t)
			berth(t, h, "exec", "system", "--", "systemctl", "poweroff")
			if got := c.wait(); got.Status != 0 {
				t.Errorf("got status %d, want 0", got.Status)
			}
		})
		t.Run("reboot", func(t *testing.T) {
			c := boot(t)
			first := c.sh("cat /proc/1/stat | cut -d' ' -f22; readlink /proc/self/ns/pid")
			berth(t, h, "exec", "system", "--", "systemctl", "reboot")
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				again := run(t, h, "timeout", "5", "berth", "exec", "system", "--", "sh", "-c", "cat /proc/1/stat | cut -d' ' -f22; readlink /proc/self/ns/pid")
				if again.Status == 0 && strings.TrimSpace(again.Stdout) != first {
					break
				}
				if !c.running() || time.Now().After(deadline) {
					t.Fatalf("it didn't come again: %+v\n%s%s", again, &c.stdout, &c.stderr)
				}
			}
			c.awaitSystem()
			berth(t, h, "stop", "system")
			c.wait()
		})
		t.Run("killed", func(t *testing.T) {
			before, err := takeSnapshot(h)
			if err != nil {
				t.Fatal(err)
			}
			c := boot(t)
			c.cmd.Process.Kill()
			c.wait()
			onlyFilesAreLeft(t, h, "a booted system", before)
			forget(t, h)
		})
		if owners := shell(t, h, "find /var/lib/machines/system -xdev -uid +65535 | head -3; stat -c %u /var/lib/machines/system/etc/passwd"); owners != "0" {
			t.Errorf("on disk: %s", owners)
		}
	})
}

// awaitSystem waits until the boot inside is over.
func (c *container) awaitSystem() {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := run(c.t, c.h, "timeout", "30", "berth", "exec", c.name, "--", "systemctl", "is-system-running", "--wait")
		switch state := strings.TrimSpace(got.Stdout); state {
		case "running", "degraded":
			return
		}
		if !c.running() || time.Now().After(deadline) {
			c.t.Fatalf("%s does not boot: %+v\n%s%s", c.name, got, &c.stdout, &c.stderr)
		}
	}
}
