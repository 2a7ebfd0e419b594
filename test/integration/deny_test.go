package integration

import (
	"strings"
	"testing"

	"berth/test/host"
)

// The kernel's cgroup BPF programs, put there by systemd, refuse what is denied.
func TestIPAddressDenyDenies(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "systemd-run --quiet --collect --unit=web-for-test nginx -g 'daemon off;'")
		defer func() { shell(t, h, "systemctl stop web-for-test.service") }()
		eventually(t, "nginx answers", func() bool { return run(t, h, "curl", "--silent", "http://127.0.0.1/").Status == 0 })
		for _, test := range []struct {
			resources string
			reached   bool
		}{
			{"", true},
			{"IPAddressDeny = [\"any\"]\n", false},
			{"IPAddressDeny = \"127.0.0.0/8\"\n", false},
			{"IPAddressDeny = [\"any\"]\nIPAddressAllow = [\"localhost\"]\n", true},
			{"IPAddressDeny = [\"192.0.2.0/24\"]\n", true},
		} {
			t.Run(test.resources, func(t *testing.T) {
				body := "[network]\nmode = \"host\"\n[resources]\n" + test.resources
				get := []string{"curl", "--silent", "--fail", "--max-time", "1", "--output", "/dev/null", "http://127.0.0.1/"}
				if got := runContainer(t, h, "box", body, get...); (got.Status == 0) != test.reached {
					t.Errorf("payload: got %+v, want reached: %v", got, test.reached)
				}
				c := idle(t, h, "box", body)
				if got := berth(t, h, append([]string{"exec", "box", "--"}, get...)...); (got.Status == 0) != test.reached {
					t.Errorf("exec: got %+v, want reached: %v", got, test.reached)
				}
				c.stop()
			})
		}
	})
}

// Also a device whose node is there, by a bind mount with "dev", is refused.
func TestDevicePolicyDenies(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "mkdir -p /srv/canary; mknod -m 666 /srv/canary/zero c 1 5; mknod -m 666 /srv/canary/loop b 7 0; mknod -m 666 /srv/canary/port c 1 4; mknod -m 666 /srv/canary/memory c 1 1; mknod -m 666 /srv/canary/kmsg c 1 11")
		defer func() { shell(t, h, "rm -r /srv/canary") }()
		bind := "[[mounts]]\ntype = \"bind\"\nsource = \"/srv/canary\"\ntarget = \"/srv/devices\"\noptions = [\"dev\"]\nidmap = \"identity\"\n"
		const open = `cd /srv/devices; for node in zero loop port memory kmsg; do (head -c 1 $node > /dev/null) 2>/dev/null && echo $node; done; head -c 1 /dev/null /dev/zero /dev/urandom > /dev/null && echo standard`
		if got := inside(t, h, bind, open); got != "zero\nstandard" {
			t.Errorf("by default: opened %q", got)
		}
		if got := inside(t, h, bind+"[resources]\nDeviceAllow = [\"/dev/loop-control rw\", \"block-loop r\"]\n", `(head -c 1 /srv/devices/loop > /dev/null) 2>&1 || true`); strings.Contains(got, "Operation not permitted") {
			t.Errorf("DeviceAllow: %q", got)
		}
		if got := inside(t, h, strings.ReplaceAll(bind, `"dev"`, `"nodev"`), open); got != "standard" {
			t.Errorf("nodev: opened %q", got)
		}
	})
}

// Nodes made by the container's root work nowhere.
func TestMknodIsRefused(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := inside(t, h, "", "for dir in /dev /tmp /run /; do mknod $dir/node b 7 0 2>/dev/null && echo made $dir; mknod $dir/node2 c 1 3 2>/dev/null && echo made $dir; done; true")
		if got != "" {
			t.Errorf("got %q", got)
		}
	})
}
