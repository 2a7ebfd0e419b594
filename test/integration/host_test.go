package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"berth/test/host"
)

func TestHostRunsSystemd(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		if got := shell(t, h, "systemctl is-system-running || systemctl --failed --no-pager"); got != "running" {
			t.Errorf("got %s", got)
		}
		version := shell(t, h, "systemctl --version | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p'")
		if h.Suite().Canary {
			t.Logf("systemd %s", version)
		} else if version != strconv.Itoa(h.Suite().Systemd) {
			t.Errorf("systemd is %s, want %d", version, h.Suite().Systemd)
		}
	})
}

func TestHostJournal(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "systemd-run --quiet --wait --unit=speaker echo a line of the speaker")
		got, err := h.Journal(t.Context(), "speaker.service")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, "a line of the speaker\n") {
			t.Errorf("not in the journal:\n%s", got)
		}
	})
}

// The kernel side of what containers are promised works in the private host.
func TestHostEnforcesIPAddressDeny(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		leavesNothing(t, h)
		shell(t, h, "systemd-run --quiet --collect --unit=web-for-test nginx -g 'daemon off;'")
		defer func() { shell(t, h, "systemctl stop web-for-test.service") }()
		eventually(t, "nginx answers", func() bool { return run(t, h, "curl", "--silent", "http://127.0.0.1/").Status == 0 })
		get := []string{"--scope", "--quiet", "--collect", "curl", "--silent", "--fail", "--max-time", "2", "--output", "/dev/null", "http://127.0.0.1/"}
		if got := run(t, h, "systemd-run", get...); got.Status != 0 {
			t.Fatalf("an unrestricted scope can't reach nginx: %+v", got)
		}
		if got := run(t, h, "systemd-run", append([]string{"--property=IPAddressDeny=any"}, get...)...); got.Status == 0 {
			t.Error("a scope with IPAddressDeny=any reached nginx")
		}
	})
}

func TestHostCommand(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		got := runWithInput(t, h, "in\n", "sh", "-c", "cat; echo err >&2; exit 7")
		if want := (result{Stdout: "in\n", Stderr: "err\n", Status: 7}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got := run(t, h, "sh", "-c", "kill -9 $$"); got.Status != 137 {
			t.Errorf("killed: got %+v, want status 137", got)
		}
		for _, kind := range []string{"mnt", "pid", "uts", "ipc", "net", "cgroup"} {
			inside := shell(t, h, "readlink /proc/self/ns/"+kind)
			if outside, err := os.Readlink("/proc/self/ns/" + kind); err != nil || inside == outside {
				t.Errorf("%s namespace: %s inside, %s outside (%v)", kind, inside, outside, err)
			}
		}
	})
}

func TestHostsAreSeparate(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/usr/bin/marker", "here")
		own := ownHost(t, h)
		if got := shell(t, own, "ls /usr/bin/marker /opt/debian/usr/bin/marker 2>/dev/null || true"); got != "" {
			t.Errorf("written in one host, %q is seen in another", got)
		}
		if got := run(t, own, "touch", "/opt/debian/x", "/opt/berth/x"); got.Status == 0 {
			t.Error("a host can write to what it shares")
		}
	})
}

// A procfs of one's own is what the kernel refuses where a host's is covered.
func TestHostLetsUserNamespacesMountProc(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		shell(t, h, "unshare --user --map-root-user --pid --fork --mount-proc true")
	})
}

func TestHostLeavesMachineAlone(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		before := machine(t)
		own, err := host.Boot(t.Context(), host.Options{Suite: h.Suite().Name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := own.Shell(t.Context(), "mount -t tmpfs none /mnt; exec >/dev/null 2>&1; setsid sleep 1000 & systemd-run --scope --unit=left sleep 1000 &"); err != nil {
			t.Error(err)
		}
		if err := own.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if after := machine(t); after != before {
			t.Errorf("the machine changed:\n%s\nwas:\n%s", after, before)
		}
	})
}

// machine is what a host must not change, as text.
func machine(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, file := range []string{
		"/proc/sys/fs/file-max", "/proc/sys/fs/nr_open", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/core_pattern",
		"/proc/sys/kernel/hostname", "/proc/sys/vm/max_map_count", "/proc/sys/net/ipv4/ip_forward",
		"/proc/self/mounts", "/proc/net/dev_snmp6", "/proc/modules",
	} {
		data, err := os.ReadFile(file)
		fmt.Fprintf(&b, "%s: %s%v\n", file, data, err)
	}
	return b.String()
}

// A test that is killed leaves no systemd behind, and the next one cleans up.
func TestHostDiesWithItsOwner(t *testing.T) {
	if os.Getenv("BERTH_TEST_OWNER") != "" {
		h, err := host.Boot(t.Context(), host.Options{Suite: os.Getenv("BERTH_TEST_OWNER")})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("host %s %s\n", h.RootDir(), h.CgroupDir())
		select {}
	}
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		owner := exec.Command("/proc/self/exe", "-test.run=^TestHostDiesWithItsOwner$")
		owner.Env = append(os.Environ(), "BERTH_TEST_OWNER="+h.Suite().Name, "BERTH_SUITES= ")
		stdout, err := owner.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := owner.Start(); err != nil {
			t.Fatal(err)
		}
		var root, cgroup string
		if _, err := fmt.Fscanf(stdout, "host %s %s\n", &root, &cgroup); err != nil {
			t.Fatal(err)
		}
		owner.Process.Kill()
		owner.Wait()
		eventually(t, "all in the host is dead", func() bool {
			events, err := os.ReadFile(filepath.Join(cgroup, "cgroup.events"))
			return err == nil && strings.Contains(string(events), "populated 0")
		})
		if err := host.Sweep(); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{filepath.Dir(root), cgroup} {
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("%s is left (%v)", dir, err)
			}
		}
	})
}

func TestHostHasBerth(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		buildBerth(t)
		if got := shell(t, h, "command -v berth && test -x $(command -v berth)"); got != "/usr/local/bin/berth" {
			t.Errorf("berth is at %q", got)
		}
	})
}
