package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

// learned is what a run of berth learn found.
type learned struct {
	profile   string // TOML
	recording struct {
		Calls        map[string][]string
		Capabilities map[string][]string
		Families     []string
		Namespaces   []string
		Files        []struct {
			Path string
			Use  []string
		}
	}
}

func (l learned) has(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(l.profile, "\n"+line+"\n") {
			t.Errorf("the profile lacks %s:\n%s", line, l.profile)
		}
	}
}

func (l learned) uses(path, use string) bool {
	for _, f := range l.recording.Files {
		if f.Path == path {
			return slices.Contains(f.Use, use)
		}
	}
	return false
}

const (
	learnedProfile = "/etc/berth/learned.toml"
	learnedRecord  = "/tmp/learned.json"
)

// readLearned reads what berth learn has written, and removes it after the test.
func readLearned(t *testing.T, h *host.Host) learned {
	t.Helper()
	var l learned
	l.profile = shell(t, h, "cat "+learnedProfile) + "\n"
	if err := json.Unmarshal([]byte(shell(t, h, "cat "+learnedRecord)), &l.recording); err != nil {
		t.Fatal(err)
	}
	removeAfter(t, h, learnedProfile, learnedRecord)
	return l
}

// removeAfter removes files of the host after the test.
func removeAfter(t *testing.T, h *host.Host, paths ...string) {
	t.Helper()
	t.Cleanup(func() {
		for _, path := range paths {
			if err := h.Remove(path); err != nil {
				t.Error(err)
			}
		}
	})
}

// learnScript has berth learn a container that runs a script.
func learnScript(t *testing.T, h *host.Host, body, script string) learned {
	t.Helper()
	define(t, h, "box", body)
	got := berth(t, h, "learn", "box", "-o", learnedProfile, "--record", learnedRecord, "--", "/bin/sh", "-euc", script)
	if got.Status != 0 {
		t.Fatalf("berth learn: %+v", got)
	}
	return readLearned(t, h)
}

// withLearned runs a script in the container under what was learned.
func withLearned(t *testing.T, h *host.Host, script string) result {
	t.Helper()
	return berth(t, h, "run", "box", "--profile", learnedProfile, "--", "/bin/sh", "-euc", script)
}

const debianBox = "process.command = [\"/bin/true\"]\n[root]\ndirectory = \"/opt/debian\"\nvolatile = \"overlay\"\n"

func TestLearn(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		const script = `mkdir /var/lib/new; chown 1 /var/lib/new; (echo x >/var/lib/new/file); cat /etc/hostname | wc -c; kill -0 $$`
		l := learnScript(t, h, debianBox, script)
		l.has(t,
			`ProtectSystem = "strict"`, `ReadWritePaths = "/var/lib"`, `ProtectHome = true`, `PrivateDevices = true`,
			`RestrictNamespaces = true`, `MemoryDenyWriteExecute = true`, `NoNewPrivileges = true`, `SystemCallArchitectures = "native"`)
		if caps := l.recording.Capabilities; caps == nil {
			t.Log("this kernel doesn't tell of capabilities")
		} else {
			l.has(t, `CapabilityBoundingSet = "CAP_CHOWN CAP_DAC_OVERRIDE"`)
		}
		if !l.uses("/usr/bin/chown", "execute") {
			t.Errorf("the execution of chown is missing: %+v", l.recording.Files)
		}
		if got := withLearned(t, h, script); got.Status != 0 {
			t.Errorf("under what was learned: %+v\n%s", got, l.profile)
		}
		for _, denied := range []string{"echo x >/etc/new", "mount -t tmpfs none /mnt", "unshare --mount true", "chroot / /bin/true", "cp /bin/true /var/lib/x; /var/lib/x"} {
			if got := withLearned(t, h, denied); got.Status == 0 {
				t.Errorf("%s: is possible under what was learned:\n%s", denied, l.profile)
			}
		}
	})
}

// Where the kernel lets berth load no BPF program, the payload's system calls are
// trapped.
func TestLearnByTrapping(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		const script = `mkdir /var/lib/new; chown 1 /var/lib/new; (echo x >/var/lib/new/file); cat /etc/hostname | wc -c`
		define(t, h, "box", debianBox)
		writeFile(t, h, "/tmp/script", script)
		shell(t, h, "timeout 20 systemd-run --quiet --wait --pipe --collect --property=SystemCallFilter=~bpf --property=SystemCallErrorNumber=EPERM berth learn box -o "+
			learnedProfile+" --record "+learnedRecord+` -- /bin/sh -euc "$(cat /tmp/script)"`)
		l := readLearned(t, h)
		l.has(t, `ProtectSystem = "strict"`, `ReadWritePaths = "/var/lib"`, `RestrictNamespaces = true`, `MemoryDenyWriteExecute = true`, `SystemCallArchitectures = "native"`)
		if l.recording.Capabilities != nil {
			t.Errorf("trapping tells of capabilities: %v", l.recording.Capabilities)
		}
		if !l.uses("/usr/bin/chown", "execute") {
			t.Errorf("the execution of chown is missing: %+v", l.recording.Files)
		}
		if got := withLearned(t, h, script); got.Status != 0 {
			t.Errorf("under what was learned: %+v\n%s", got, l.profile)
		}
		if got := withLearned(t, h, "unshare --mount true"); got.Status == 0 {
			t.Errorf("unshare is possible under what was learned:\n%s", l.profile)
		}
	})
}

// What berth does before the payload runs is none of the payload's.
func TestLearnLeavesOutBerth(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", debianBox)
		got := berth(t, h, "learn", "box", "-o", learnedProfile, "--record", learnedRecord, "--", "/bin/true")
		if got.Status != 0 {
			t.Fatalf("berth learn: %+v", got)
		}
		l := readLearned(t, h)
		if len(l.recording.Calls["native"]) == 0 {
			t.Error("nothing was recorded")
		}
		for _, call := range []string{"pivot_root", "umount2", "unshare", "capset", "setgroups", "seccomp", "clone", "wait4", "socket"} {
			if slices.Contains(l.recording.Calls["native"], call) {
				t.Errorf("%s is berth's", call)
			}
		}
		if len(l.recording.Capabilities) > 0 || len(l.recording.Namespaces) > 0 || len(l.recording.Families) > 0 {
			t.Errorf("recorded %+v", l.recording)
		}
	})
}

// A payload that does what settings forbid isn't forbidden to.
func TestLearnSeesWhatSettingsForbid(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		const script = `unshare --uts --mount sh -c 'hostname elsewhere; mount -t tmpfs none /mnt'; mkdir /var/lib/a; chmod u+s /var/lib/a
			setarch linux32 true; echo 1 >/proc/sys/net/ipv4/ip_forward; cat /proc/meminfo >/dev/null; ls /proc >/dev/null; touch /root/x`
		l := learnScript(t, h, debianBox, script)
		l.has(t,
			`RestrictNamespaces = "mnt uts"`, `ProtectHostname = false`, `RestrictSUIDSGID = false`, `LockPersonality = false`,
			`ProtectKernelTunables = false`, `ProcSubset = "all"`, `ProtectProc = "default"`, `ProtectHome = false`)
		if got := withLearned(t, h, script); got.Status != 0 {
			t.Errorf("under what was learned: %+v\n%s", got, l.profile)
		}
	})
}

func TestLearnMerges(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		const one, two = "mkdir /var/lib/one", "chown 1 /srv; mkdir /srv/two"
		learnScript(t, h, debianBox, one)
		shell(t, h, "mv "+learnedRecord+" /tmp/one.json")
		removeAfter(t, h, "/tmp/one.json")
		got := berth(t, h, "learn", "box", "--merge", "/tmp/one.json", "-o", learnedProfile, "--record", learnedRecord, "--", "/bin/sh", "-euc", two)
		if got.Status != 0 {
			t.Fatalf("berth learn --merge: %+v", got)
		}
		for _, script := range []string{one, two} {
			if got := withLearned(t, h, script); got.Status != 0 {
				t.Errorf("%s: under what both come to: %+v", script, got)
			}
		}
		merged := shell(t, h, "cat "+learnedProfile)
		got = berth(t, h, "learn", "box", "--no-run", "--merge", "/tmp/one.json,"+learnedRecord)
		if got.Status != 0 || strings.TrimSpace(got.Stdout) != strings.TrimSpace(merged) {
			t.Errorf("--no-run: %+v, want\n%s", got, merged)
		}
	})
}

// An interrupted payload ends as it does, and what it did is known.
func TestLearnInterrupted(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", debianBox)
		c := beginContainer(t, h, "box", "learn", "box", "-o", learnedProfile, "--record", learnedRecord,
			"--", "/bin/sh", "-c", "trap 'mkdir /var/lib/trapped; exit 3' INT; echo ready; while :; do sleep 0.1; done")
		c.waitFor("ready")
		c.signal(unix.SIGINT)
		if got := c.wait(); got.Status != 3 {
			t.Fatalf("got %+v, want the payload's status 3", got)
		}
		if l := readLearned(t, h); !l.uses("/var/lib", "entries") {
			t.Errorf("what it did at the end is missing: %+v", l.recording.Files)
		}
	})
}

func TestLearnRefuses(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", debianBox)
		writeFile(t, h, "/tmp/wrong.json", "{}")
		oneLine(t, berth(t, h, "learn", "box", "--no-run").Stderr, "--merge")
		oneLine(t, berth(t, h, "learn", "box", "--no-run", "--merge", "/tmp/wrong.json").Stderr, "/tmp/wrong.json")
		oneLine(t, berth(t, h, "learn", "box", "--no-run", "--merge", "/tmp/missing.json").Stderr, "/tmp/missing.json")
		for _, option := range []string{"--output", "--record"} { // before the payload has done its work
			got := berth(t, h, "learn", "box", option, "/tmp/missing/file", "--", "/bin/echo", "ran")
			oneLine(t, got.Stderr, "/tmp/missing/file")
			if got.Stdout != "" {
				t.Errorf("%s: the payload ran: %+v", option, got)
			}
		}
	})
}

// servers are Debian's, with a load by their own clients.
func servers() []struct{ name, body, load string } {
	return []struct{ name, body, load string }{
		{"nginx", `command = ["/usr/sbin/nginx", "-g", "daemon off;"]
			stop_signal = "SIGQUIT"`,
			`ab -q -n 2000 -c 20 http://127.0.0.1/ | grep -q '^Failed requests: *0$'
			test "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/none)" = 404`},
		{"redis", `command = ["/usr/bin/redis-server", "--dir", "/var/lib/redis", "--appendonly", "yes"]
			user = "redis"`,
			`redis-benchmark -q -n 2000 -t set,get,lpush,incr | grep -q '^INCR: [1-9]\|INCR: [1-9]'
			redis-cli bgsave | grep -q started; sleep 0.5
			redis-cli bgrewriteaof | grep -q started; sleep 0.5
			test "$(redis-cli set key value)" = OK; test "$(redis-cli get key)" = value`},
		{"postgres", `command = ["/usr/lib/postgresql/17/bin/postgres", "-D", "/var/lib/postgresql/17/main",
				"-c", "config_file=/etc/postgresql/17/main/postgresql.conf", "-c", "hba_file=/etc/postgresql/17/main/hba",
				"-c", "unix_socket_directories=/tmp", "-c", "listen_addresses=127.0.0.1"]
			user = "postgres"
			stop_signal = "SIGINT"`,
			`export PGHOST=127.0.0.1 PGUSER=postgres PGDATABASE=postgres
			pgbench -i -q 2>/dev/null; pgbench -T 1 -c 4 2>/dev/null | grep -q '^number of failed transactions: 0 '
			test "$(psql -Atc 'select sum(a) from generate_series(1, 200000) a')" = 20000100000
			psql -qc 'create temp table big as select a, md5(a::text) b from generate_series(1, 200000) a; create index on big (b)'
			psql -qc 'vacuum full pgbench_accounts'; psql -qc checkpoint`},
	}
}

// servicesRoot is where the host sees the servers' root, which it may write to.
const servicesRoot = "/srv/services"

// Servers run under what was learned from them, and serve their own clients.
func TestLearnServers(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		if h.Suite().Name != host.DefaultSuite {
			t.Skip("one suite tells")
		}
		buildBerth(t)
		leavesNothing(t, h)
		root, err := host.ServicesRoot(t.Context(), h.Suite(), os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		own := filepath.Join(h.RootDir(), servicesRoot)
		if out, err := exec.Command("cp", "-a", "--reflink=auto", root, own).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Cleanup(func() {
			if err := os.RemoveAll(own); err != nil {
				t.Error(err)
			}
		})
		shell(t, h, "chmod 700 /srv; echo 'host all all 127.0.0.1/32 trust' >"+servicesRoot+"/etc/postgresql/17/main/hba")
		for _, s := range servers() {
			t.Run(s.name, func(t *testing.T) {
				define(t, h, s.name, fmt.Sprintf("[root]\ndirectory = %q\n[process]\n%s\n", servicesRoot, s.body))
				serve(t, h, s.name, s.load, "learn", s.name, "-o", learnedProfile, "--record", learnedRecord)
				l := readLearned(t, h)
				l.has(t, `ProtectSystem = "strict"`, `NoNewPrivileges = true`, `RestrictNamespaces = true`)
				before, after := scores(t, l.profile)
				t.Logf("exposure %.1f before, %.1f after\n%s", before, after, l.profile)
				if after >= before || after > 2 {
					t.Errorf("exposure %.1f before, %.1f after", before, after)
				}
				serve(t, h, s.name, s.load, "run", s.name, "--profile", learnedProfile)
			})
		}
	})
}

// serve runs a server by a command of berth's, puts a load on it and stops it.
func serve(t *testing.T, h *host.Host, name, load string, args ...string) {
	t.Helper()
	c := beginContainer(t, h, name, args...)
	c.awaitStart()
	leader := insidePID(t, c.leader())
	client := func(script string) result {
		return run(t, h, "nsenter", "--net=/proc/"+strconv.Itoa(leader)+"/ns/net", "chroot", servicesRoot, "/bin/sh", "-euc", script)
	}
	port := map[string]string{"nginx": "80", "redis": "6379", "postgres": "5432"}[name]
	eventually(t, name+" listens", func() bool {
		return client("exec 2>/dev/null; bash -c ': </dev/tcp/127.0.0.1/"+port+"'").Status == 0
	})
	time.Sleep(100 * time.Millisecond) // postgres listens before it answers
	if got := client(load); got.Status != 0 {
		t.Errorf("berth %s: the client: %+v\n%s%s", args[0], got, &c.stdout, &c.stderr)
	}
	if got := c.stop(); got.Status != 0 {
		t.Errorf("berth %s: status %d\n%s%s", args[0], got.Status, got.Stdout, got.Stderr)
	}
}

// scores reads the exposure that a profile's comment tells of.
func scores(t *testing.T, profile string) (before, after float64) {
	t.Helper()
	found := regexp.MustCompile(`scores it: ([0-9.]+) \w+ before, ([0-9.]+) \w+ with`).FindStringSubmatch(profile)
	if found == nil {
		t.Fatalf("no scores in\n%s", profile)
	}
	before, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	if after, err = strconv.ParseFloat(found[2], 64); err != nil {
		t.Fatal(err)
	}
	return before, after
}
