package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/test/host"
)

var allNamespaces = []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}

// namespaces reads those of a process, by its PID outside.
func namespaces(t *testing.T, pid int) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, kind := range allNamespaces {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		if err != nil {
			t.Fatal(err)
		}
		found[kind] = link
	}
	return found
}

func TestNamespacesAreOwn(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, test := range []struct {
			mode   string
			shared string // kinds that are the host's
		}{
			{"private", ""},
			{"host", "net"},
		} {
			t.Run(test.mode, func(t *testing.T) {
				a := idle(t, h, "a", fmt.Sprintf("[network]\nmode = %q\n", test.mode))
				b := idle(t, h, "b", fmt.Sprintf("[network]\nmode = %q\n", test.mode))
				hosts, ofA, ofB := namespaces(t, h.PID()), namespaces(t, a.leader()), namespaces(t, b.leader())
				for _, kind := range allNamespaces {
					shared := kind == test.shared
					if (ofA[kind] == hosts[kind]) != shared || (ofB[kind] == hosts[kind]) != shared || (ofA[kind] == ofB[kind]) != shared {
						t.Errorf("%s: host %s, one container %s, another %s", kind, hosts[kind], ofA[kind], ofB[kind])
					}
				}
				a.stop()
				b.stop()
			})
		}
	})
}

func TestUIDMapsAreDisjoint(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		taken := map[int]string{}
		for _, test := range []struct{ name, body string }{
			{"a", ""}, {"b", ""}, {"small", "[users]\nsize = 1024\n"}, {"small2", "[users]\nsize = 1024\n"},
		} {
			c := idle(t, h, test.name, test.body)
			for _, file := range []string{"uid_map", "gid_map"} {
				data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", c.leader(), file))
				if err != nil {
					t.Fatal(err)
				}
				var first, base, size int
				if n, err := fmt.Sscanf(string(data), "%d %d %d\n", &first, &base, &size); n != 3 {
					t.Fatalf("%s of %s: %q: %v", file, test.name, data, err)
				}
				if first != 0 || base < 524288 || base+size > 1879048192 || base%size != 0 {
					t.Errorf("%s of %s: %q", file, test.name, data)
				}
				for id := base; id < base+size; id += 256 {
					if other := taken[id]; other != "" && other != test.name {
						t.Fatalf("%s shares ID %d with %s", test.name, id, other)
					}
					taken[id] = test.name
				}
			}
		}
	})
}

// A container has the same IDs again when they are free.
func TestIDsAreStable(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		first := inside(t, h, "", "cat /proc/self/uid_map")
		if again := inside(t, h, "", "cat /proc/self/uid_map"); again != first {
			t.Errorf("%q became %q", first, again)
		}
	})
}

func TestContainersDoNotSeeEachOther(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		a := start(t, h, "a", "", "sh", "-c", "touch /tmp/of-a /run/of-a /dev/shm/of-a; hostname; echo ready; sleep 1000")
		a.waitFor("ready")
		got := inside(t, h, "", "ls /tmp /run /dev/shm; echo /proc/[0-9]*; cat /proc/[0-9]*/comm | sort -u | tr '\\n' ' '")
		if strings.Contains(got, "of-a") || strings.Contains(got, "sleep") {
			t.Errorf("seen in another container:\n%s", got)
		}
		shell(t, h, "test ! -e /tmp/of-a && test ! -e /run/of-a && test ! -e /dev/shm/of-a")
		a.stop()
	})
}

func TestPrivateNetwork(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := inside(t, h, "", "ip -o link | cut -d: -f2; ip -o -4 addr show lo | grep -o '127.0.0.1/8'; ip link show lo | grep -o 'LOOPBACK,UP'; ls /sys/class/net")
		if want := " lo\n127.0.0.1/8\nLOOPBACK,UP\nlo"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		// Its root may change it, and nothing of the host's.
		before := shell(t, h, "ip -o link; sysctl net.ipv4.ip_forward net.ipv4.conf.lo.forwarding")
		inside(t, h, unrestricted, "ip link add dummy0 type dummy 2>/dev/null || ip link set lo mtu 1400; echo 1 > /proc/sys/net/ipv4/ip_forward")
		if after := shell(t, h, "ip -o link; sysctl net.ipv4.ip_forward net.ipv4.conf.lo.forwarding"); after != before {
			t.Errorf("the host's network changed:\n%s\nwas\n%s", after, before)
		}
	})
}

func TestHostNetwork(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "systemd-run --quiet --collect --unit=web-for-test nginx -g 'daemon off;'")
		defer func() { shell(t, h, "systemctl stop web-for-test.service") }()
		eventually(t, "nginx answers", func() bool { return run(t, h, "curl", "--silent", "http://127.0.0.1/").Status == 0 })
		writeFile(t, h, "/etc/resolv.conf", "nameserver 192.0.2.53\n")
		body := "[network]\nmode = \"host\"\n"
		got := inside(t, h, body, "curl --silent --fail -o /dev/null http://127.0.0.1/ && echo answered; cat /etc/resolv.conf; ip link set lo mtu 1400 2>/dev/null || echo refused; echo 1 2>/dev/null > /proc/sys/net/ipv4/ip_forward || echo refused")
		if want := "answered\nnameserver 192.0.2.53\nrefused\nrefused"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := runContainer(t, h, "box", "", "curl", "--silent", "--max-time", "2", "http://127.0.0.1/"); got.Status == 0 {
			t.Errorf("a private network reached the host's nginx: %+v", got)
		}
		shell(t, h, "printf '' > /etc/resolv.conf")
	})
}

// What a process of the container can find out about where it is: the scope is
// the root of its cgroup hierarchy.
func TestCgroupNamespaceIsRootedAtScope(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		if got := c.sh("cat /proc/1/cgroup /proc/self/cgroup | grep ^0: | sort -u"); got != "0::/payload" {
			t.Errorf("inside: %q", got)
		}
		if got := c.property("ControlGroup"); got != "/machine.slice/berth-box.scope" {
			t.Errorf("systemd: %q", got)
		}
		if got := c.sh("ls -d /sys/fs/cgroup/payload; ls /sys/fs/cgroup/.. | grep -c machine || true"); got != "/sys/fs/cgroup/payload\n0" {
			t.Errorf("the mount: %q", got)
		}
		entries, err := filepath.Glob(c.scope() + "/*/cgroup.procs")
		if err != nil || len(entries) != 1 {
			t.Errorf("below the scope: %v (%v)", entries, err)
		}
	})
}
