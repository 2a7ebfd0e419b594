package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

// Every fault is a one-line error with the right status, and leaves nothing:
// withBerth looks.
func TestFaultsInFile(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, test := range []struct {
			name, body string
			want       []string // begins of lines, behind the file's name
		}{
			{"unknown key", "[process]\ncomand = [\"true\"]\n", []string{":2:1: process.comand: "}},
			{"wrong type", "[process]\nenvironment = 7\n", []string{":2:1: process.environment: "}},
			{"three at once", "nam = \"x\"\n[users]\nsize = 3\n[network]\nmode = \"bridge\"\n", []string{":1:1: nam: ", ":3:1: users.size: ", ":5:1: network.mode: "}},
			{"no TOML", "[process\n", []string{":1:"}},
			{"missing root", "[root]\ndirectory = \"/no/such\"\n", []string{":2:1: root.directory: "}},
			{"root is a file", "[root]\ndirectory = \"/etc/passwd\"\n", []string{":2:1: root.directory: "}},
			{"missing source", "[[mounts]]\ntype = \"bind\"\nsource = \"/no/such\"\ntarget = \"/srv/x\"\n", []string{":3:1: mounts[0].source: "}},
			{"target in /proc", "[[mounts]]\ntype = \"tmpfs\"\ntarget = \"/proc/x\"\n", []string{":3:1: mounts[0].target: "}},
			{"target outside", "[[mounts]]\ntype = \"tmpfs\"\ntarget = \"/srv/../../x\"\n", []string{":3:1: mounts[0].target: "}},
			{"unknown property", "[resources]\nMemoryMaxx = \"1G\"\n", []string{":2:1: resources.MemoryMaxx: "}},
			{"property of services", "[resources]\nProtectHome = true\n", []string{":2:1: resources.ProtectHome: "}},
			{"value systemd would refuse", "[resources]\nCPUWeight = 0\n", []string{":2:1: resources.CPUWeight: "}},
			{"newline in a property", "[resources]\nDeviceAllow = \"/dev/null\\nIPAddressAllow=any\"\n", []string{":2:1"}},
			{"no memory controller", "[resources]\nMemoryMax = \"1G\"\n", []string{":2:1: resources.MemoryMax: "}},
		} {
			t.Run(test.name, func(t *testing.T) {
				if test.name == "no memory controller" && shell(t, h, "grep -c memory /sys/fs/cgroup/cgroup.controllers || true") != "0" {
					t.Skip("this machine has one")
				}
				for _, command := range [][]string{{"run", "box", "--", "true"}, {"check", "box", "--", "true"}} {
					define(t, h, "box", test.body)
					got := berth(t, h, command...)
					if want := map[string]int{"run": 125, "check": 1}[command[0]]; got.Status != want || got.Stdout != "" {
						t.Errorf("%s: got status %d, want %d (%q)", command[0], got.Status, want, got.Stdout)
					}
					lines := strings.Split(strings.TrimSuffix(got.Stderr, "\n"), "\n")
					if len(lines) != len(test.want) {
						t.Fatalf("%s: got %d errors, want %d:\n%s", command[0], len(lines), len(test.want), got.Stderr)
					}
					for i, want := range test.want {
						if !strings.HasPrefix(lines[i], "/etc/berth/box.toml"+want) {
							t.Errorf("%s: got %q, want it to begin with %q", command[0], lines[i], want)
						}
					}
				}
			})
		}
	})
}

func TestFaultsWhileStarting(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		writeFile(t, h, "/srv/canary/no-interpreter", "#!/no/such/interpreter\n")
		writeFile(t, h, "/srv/canary/no-program", "neither a script nor a program\n")
		writeFile(t, h, "/srv/canary/plain", "#!/bin/sh\n")
		shell(t, h, "chmod 755 /srv/canary/no-*")
		bind := "[[mounts]]\ntype = \"bind\"\nsource = \"/srv/canary\"\ntarget = \"/srv/www\"\n"
		for _, test := range []struct {
			name, body string
			script     string
			status     int
			names      []string
		}{
			{"no such file", "", "berth run nothing", 125, []string{`"nothing"`, "/etc/berth/nothing.toml"}},
			{"no such path", "", "berth run ./nothing.toml", 125, []string{"nothing.toml"}},
			{"no command", "", "berth run", 125, []string{"FILE"}},
			{"no such command of berth's", "", "berth runn box", 1, []string{`"run"`}},
			{"bad option", "", "berth run --nmae=x box", 125, []string{"nmae"}},
			{"command without --", "", "berth run box true", 125, []string{"--"}},
			{"command not found", "", "berth run box -- /no/such", 127, []string{`"/no/such"`}},
			{"command not executable", bind, "berth run box -- /srv/www/plain", 126, []string{`"/srv/www/plain"`}},
			{"missing interpreter", bind, "berth run box -- /srv/www/no-interpreter", 127, []string{"interpreter"}},
			{"no program", bind, "berth run box -- /srv/www/no-program", 126, []string{"no-program"}},
			{"no such user", "", "berth run -p process.user=nosuch box -- true", 125, []string{`"nosuch"`}},
			{"not root", "", "setpriv --reuid=33 --regid=33 --clear-groups berth run box -- true", 125, []string{"root"}},
			{"exec, not root", "", "setpriv --reuid=33 --regid=33 --clear-groups berth exec box -- true", 125, nil},
			{"standard input is a directory", "", "berth run box -- true < /", 125, []string{"directory"}},
			{"overlay as the root", "[root]\ndirectory = \"/srv/overlaid\"\n", "berth run box -- true", 125, []string{"/srv/overlaid", "overlay"}},
			{"overlay as a source", "[[mounts]]\ntype = \"bind\"\nsource = \"/srv/overlaid\"\ntarget = \"/srv/www\"\n", "berth run box -- true", 125, []string{"/srv/overlaid", `idmap = "no"`}},
			{"file on a directory", "[[mounts]]\ntype = \"bind\"\nread_only = true\nsource = \"/etc/passwd\"\ntarget = \"/usr\"\n", "berth run box -- true", 125, []string{"/usr"}},
			{"through a file", "[[mounts]]\ntype = \"tmpfs\"\ntarget = \"/etc/passwd/x\"\n", "berth run box -- true", 125, []string{"/etc/passwd/x"}},
			{"target in a read-only root", "[root]\ndirectory = \"/srv/canary\"\nread_only = true\n", "berth run box -- true", 125, []string{"read-only"}},
			{"a BPF program that is not there", "[resources]\nIPIngressFilterPath = \"/no/such\"\n", "berth run --best-effort box -- true", 125, []string{"/etc/berth/box.toml:2:1: ", "/no/such"}},
			{"a slice that systemd refuses", "[resources]\nSlice = \"refused.slice\"\n", "systemctl --runtime --quiet mask refused.slice; berth run box -- true; status=$?; systemctl --runtime --quiet unmask refused.slice; exit $status", 125, []string{"berth-box.scope"}},
			{"few descriptors", "", "ulimit -n 12; berth run box -- true", 125, nil},
			{"fewer descriptors", "", "ulimit -n 6; berth run box -- true", 125, nil},
		} {
			t.Run(test.name, func(t *testing.T) {
				if strings.HasPrefix(test.name, "overlay") {
					shell(t, h, "mkdir -p /srv/l /srv/overlaid; mount -t tmpfs none /srv/l; mkdir /srv/l/u /srv/l/w /srv/l/l; mount -t overlay none -o lowerdir=/srv/l/l,upperdir=/srv/l/u,workdir=/srv/l/w /srv/overlaid")
					defer func() { shell(t, h, "umount /srv/overlaid /srv/l; rmdir /srv/overlaid /srv/l") }()
				}
				define(t, h, "box", test.body)
				got := run(t, h, "timeout", patience, "sh", "-c", test.script)
				if got.Status != test.status || got.Stdout != "" {
					t.Errorf("got %+v, want status %d", got, test.status)
				}
				oneLine(t, got.Stderr, test.names...)
			})
		}
	})
}

func TestFaultNameTaken(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		got := berth(t, h, "run", "box", "--", "true")
		if got.Status != 125 {
			t.Errorf("got %+v", got)
		}
		oneLine(t, got.Stderr, `"box"`, "berth stop", "--name")
		if got := berth(t, h, "run", "--name=other", "box", "--", "echo", "up"); got.Stdout != "up\n" {
			t.Errorf("another name: got %+v", got)
		}
		// Whichever of many is first; none is started twice.
		c.stop()
		out := shell(t, h, "for i in 1 2 3 4 5 6; do timeout 20 berth run box -- sh -c 'echo up; sleep 0.3' 2>/dev/null & done; wait")
		if out != "up" {
			t.Errorf("six at once: %q", out)
		}
	})
}

func TestFaultBlockTaken(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		const base = 1000 * 65536
		users := fmt.Sprintf("[users]\nmap = %d\n", base)
		c := idle(t, h, "a", users)
		got := runContainer(t, h, "box", users, "true")
		if got.Status != 125 {
			t.Errorf("got %+v", got)
		}
		oneLine(t, got.Stderr, "/etc/berth/box.toml:2:1: users.map:", fmt.Sprint(base), "a")
		c.stop()
		if got := inside(t, h, users, "cat /proc/self/uid_map"); strings.Join(strings.Fields(got), " ") != fmt.Sprintf("0 %d 65536", base) {
			t.Errorf("free again: %q", got)
		}
		// One that nspawn holds: it locks a file of the block's name.
		lock := lockBlock(t, h, base)
		got = runContainer(t, h, "box", users, "true")
		if got.Status != 125 {
			t.Errorf("nspawn's block: got %+v", got)
		}
		oneLine(t, got.Stderr, "/etc/berth/box.toml:2:1: users.map:", fmt.Sprint(base))
		lock.Close()
		os.Remove(lock.Name())
	})
}

// blockFile is the lock file of a block, as seen from outside.
func blockFile(h *host.Host, base int) string {
	return fmt.Sprintf("/proc/%d/root/run/systemd/nspawn-uid/%d", h.PID(), base)
}

// lockBlock takes a block as systemd-nspawn does, and fails the test if somebody
// else has it.
func lockBlock(t *testing.T, h *host.Host, base int) *os.File {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(blockFile(h, base)), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(blockFile(h, base), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		t.Fatalf("block %d is not free: %v", base, err)
	}
	return file
}

// Faults of the host itself, each in a mount namespace of its own.
func TestFaultsOfHost(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		for _, test := range []struct {
			name, prepare string
			names         []string
		}{
			{"no D-Bus", "mount -t tmpfs none /run/dbus; mount --bind /dev/null /run/systemd/private", []string{"systemd"}},
			{"D-Bus that dies", `perl -e 'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("/run/silent")); listen(S, 9); unless (fork) { open(STDOUT, ">/dev/null"); open(STDERR, ">/dev/null"); alarm 1; sleep 9 }'; mount --bind /run/silent /run/dbus/system_bus_socket; mount --bind /run/silent /run/systemd/private`, nil},
			{"full /run", "mkdir -p /run/berth; mount -t tmpfs -o size=4k,nr_inodes=1 none /run/berth", nil},
			{"read-only /run", "mkdir -p /run/berth; mount -t tmpfs -o ro none /run/berth", nil},
			{"no journal", "mount -t tmpfs none /run/systemd/journal", nil},
		} {
			t.Run(test.name, func(t *testing.T) {
				got := run(t, h, "timeout", "30", "unshare", "--mount", "--propagation=private", "sh", "-c", test.prepare+"; berth run box -- echo up")
				if test.name == "no journal" { // which is not worth a failure
					if got.Status != 0 || got.Stdout != "up\n" {
						t.Errorf("got %+v", got)
					}
					return
				}
				if got.Status != 125 || got.Stdout != "" {
					t.Errorf("got %+v, want status 125", got)
				}
				oneLine(t, got.Stderr, append(test.names, "berth: cannot")...)
			})
		}
		shell(t, h, "rm -f /run/silent; rmdir /run/berth 2>/dev/null || true")
	})
}

// Asked for, it goes on without what can't be enforced, and says so.
func TestBestEffort(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		if shell(t, h, "cat /sys/fs/cgroup/cgroup.controllers") != "" {
			t.Skip("this machine has controllers")
		}
		define(t, h, "box", "[resources]\nMemoryMax = \"256M\"\nTasksMax = 10\n")
		got := berth(t, h, "run", "--best-effort", "box", "--", "echo", "up")
		if got.Status != 0 || got.Stdout != "up\n" || strings.Count(got.Stderr, "\n") != 2 || !strings.Contains(got.Stderr, "MemoryMax") || !strings.Contains(got.Stderr, "TasksMax") {
			t.Errorf("got %+v", got)
		}
	})
}
