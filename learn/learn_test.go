package learn

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/sandbox"
	"berth/sandbox/seccomp"

	"github.com/google/go-cmp/cmp"
)

// usual are calls that every program makes.
func usual(more ...string) map[string][]string {
	return map[string][]string{"native": append([]string{"execve", "mmap", "openat", "read", "write", "exit_group"}, more...)}
}

// values finds an assignment.
func (p Profile) values(name string) []string {
	for _, a := range slices.Concat(p.Sandbox, p.Resources) {
		if a.Name == name {
			return a.Values
		}
	}
	return nil
}

func facts() Facts { return Facts{SystemdVersion: 257, PrivateNetwork: true} }

func TestDerive(t *testing.T) {
	file := func(path, kind string, use ...string) []File { return []File{{path, kind, use}} }
	for _, test := range []struct {
		name      string
		recording Recording
		setting   string
		want      []string
	}{
		{"nothing is written", Recording{}, "ProtectSystem", []string{"strict"}},
		{"a file is written", Recording{Files: file("/etc/x", "", Write)}, "ReadWritePaths", []string{"/etc/x"}},
		{"a directory covers what is below it", Recording{Files: []File{{"/var/lib/a", "directory", []string{Entries}}, {"/var/lib/a/b", "", []string{Write}}}},
			"ReadWritePaths", []string{"/var/lib/a"}},
		{"a name that only begins alike", Recording{Files: []File{{"/srv/a", "directory", []string{Entries}}, {"/srv/ab", "", []string{Write}}}},
			"ReadWritePaths", []string{"/srv/a", "/srv/ab"}},
		{"/run is empty at the next start", Recording{Files: file("/run/web/x", "directory", Entries)}, "ReadWritePaths", []string{"/run"}},
		{"many files of a directory", Recording{Files: []File{{"/srv/1", "", []string{Write}}, {"/srv/2", "", []string{Write}}, {"/srv/3", "", []string{Write}},
			{"/srv/4", "", []string{Write}}, {"/srv/5", "", []string{Write}}}}, "ReadWritePaths", []string{"/srv"}},
		{"a space in a path", Recording{Files: file("/srv/a b", "", Write)}, "ReadWritePaths", []string{`"/srv/a b"`}},
		{"what a unit file can't have in a path", Recording{Files: file("/srv/a/%n\n\"x", "", Write)}, "ReadWritePaths", []string{"/srv/a"}},
		{"/tmp is private", Recording{Files: file("/tmp", "directory", Entries)}, "ReadWritePaths", nil},
		{"entries of the root", Recording{Files: file("/", "directory", Entries)}, "ProtectSystem", []string{"full"}},
		{"entries of the root, and /etc", Recording{Files: []File{{"/", "", []string{Entries}}, {"/etc/a", "", []string{Write}}}}, "ProtectSystem", []string{"yes"}},
		{"entries of the root, and /usr", Recording{Files: []File{{"/", "", []string{Entries}}, {"/usr/a", "", []string{Write}}}}, "ProtectSystem", []string{"no"}},

		{"no home is used", Recording{}, "ProtectHome", []string{"yes"}},
		{"a home is read", Recording{Files: file("/root/.profile", "", Read)}, "ProtectHome", []string{"read-only"}},
		{"a home is written", Recording{Files: file("/home/a", "directory", Entries)}, "ProtectHome", []string{"no"}},

		{"programs and libraries", Recording{Files: []File{{"/usr/sbin/x", "", []string{Execute}}, {"/usr/lib/x86_64/y.so", "", []string{Map}}}},
			"ExecPaths", []string{"/usr/lib", "/usr/sbin/x"}},
		{"memory that is executable", Recording{Files: file("/memfd:jit", "missing", Map)}, "NoExecPaths", nil},

		{"usual devices", Recording{Files: file("/dev/null", "device", Write)}, "PrivateDevices", []string{"yes"}},
		{"another device", Recording{Files: file("/dev/fuse", "device", Read, Write)}, "PrivateDevices", []string{"no"}},
		{"a sysctl is read", Recording{Files: file("/proc/sys/vm/overcommit_memory", "", Read)}, "ProtectKernelTunables", []string{"yes"}},
		{"a sysctl is written", Recording{Files: file("/proc/sys/net/core/somaxconn", "", Write)}, "ProtectKernelTunables", []string{"no"}},
		{"/proc beside processes", Recording{Files: file("/proc/meminfo", "", Read)}, "ProcSubset", []string{"all"}},
		{"own processes", Recording{Files: file("/proc/self/stat", "", Read)}, "ProcSubset", []string{"pid"}},
		{"others' processes", Recording{Files: file("/proc/PID/stat", "", Others)}, "ProtectProc", []string{"default"}},
		{"cgroups", Recording{Files: file("/sys/fs/cgroup/a", "directory", Entries)}, "ProtectControlGroups", []string{"no"}},
		{"cgroups are no tunables", Recording{Files: file("/sys/fs/cgroup/a", "directory", Entries)}, "ProtectKernelTunables", []string{"yes"}},

		{"the clock is set", Recording{Calls: usual("clock_settime")}, "ProtectClock", []string{"no"}},
		{"the clock is read", Recording{Calls: usual("clock_gettime")}, "ProtectClock", []string{"yes"}},
		{"the host's name", Recording{Calls: usual("sethostname")}, "ProtectHostname", []string{"no"}},
		{"the kernel's log", Recording{Calls: usual("syslog")}, "ProtectKernelLogs", []string{"no"}},
		{"a module", Recording{Calls: usual("finit_module")}, "ProtectKernelModules", []string{"no"}},
		{"a foreign ABI", Recording{Calls: map[string][]string{"native": {"execve"}, "x86": {"write"}}}, "SystemCallArchitectures", []string{"native x86"}},
		{"what a setting forbids", Recording{Forbidden: map[string][]string{"MemoryDenyWriteExecute": {"mmap"}}}, "MemoryDenyWriteExecute", []string{"no"}},
		{"what another forbids", Recording{Forbidden: map[string][]string{"MemoryDenyWriteExecute": {"mmap"}}}, "RestrictRealtime", []string{"yes"}},

		{"namespaces", Recording{Namespaces: []string{"mnt", "user"}}, "RestrictNamespaces", []string{"mnt user"}},
		{"namespaces that can't be told", Recording{Namespaces: []string{"any"}}, "RestrictNamespaces", []string{"no"}},
		{"no namespaces", Recording{}, "RestrictNamespaces", []string{"yes"}},

		{"capabilities", Recording{Capabilities: map[string][]string{"CAP_CHOWN": {"chown"}, "CAP_KILL": {"kill"}}}, "CapabilityBoundingSet", []string{"CAP_CHOWN CAP_KILL"}},
		{"no capabilities", Recording{Capabilities: map[string][]string{}}, "CapabilityBoundingSet", []string{""}},
		{"a check that changes nothing", Recording{Capabilities: map[string][]string{"CAP_SYS_ADMIN": {"mmap", "seccomp"}}}, "CapabilityBoundingSet", []string{""}},
		{"and one that does", Recording{Capabilities: map[string][]string{"CAP_SYS_ADMIN": {"mmap", "mount"}}}, "CapabilityBoundingSet", []string{"CAP_SYS_ADMIN"}},
		{"nobody could tell", Recording{Calls: usual("setuid")}, "CapabilityBoundingSet",
			[]string{"CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_SETUID"}},

		{"no sockets", Recording{}, "RestrictAddressFamilies", []string{"none"}},
		{"sockets of no name", Recording{Forbidden: map[string][]string{"RestrictAddressFamilies": {"46"}}}, "RestrictAddressFamilies", nil},
		{"a capability that a setting takes away", Recording{Capabilities: map[string][]string{"CAP_SYS_TIME": {"settimeofday"}}}, "ProtectClock", []string{"no"}},
		{"the kernel's symbols", Recording{Files: file("/proc/kallsyms", "", Read)}, "ProtectKernelTunables", []string{"no"}},
		{"sockets", Recording{Families: []string{"AF_INET", "AF_UNIX"}}, "RestrictAddressFamilies", []string{"AF_INET AF_UNIX"}},
		{"a loopback interface", Recording{Families: []string{"AF_INET"}}, "IPAddressAllow", []string{"localhost"}},
		{"no internet", Recording{Families: []string{"AF_UNIX"}}, "IPAddressAllow", nil},
		{"ports", Recording{Families: []string{"AF_INET"}, Bound: []string{"ipv4:80"}}, "SocketBindAllow", []string{"ipv4:80"}},
		{"a port that the kernel chooses", Recording{Families: []string{"AF_INET"}, Bound: []string{"ipv4:0", "ipv4:80"}}, "SocketBindDeny", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := Derive(test.recording, facts())
			accepted(t, p)
			got := p.values(test.setting)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.setting, diff)
			}
		})
	}
}

// accepted wants settings that are right in themselves.
func accepted(t *testing.T, p Profile) {
	t.Helper()
	settings := sandbox.New()
	for _, a := range p.Sandbox {
		for _, value := range a.Values {
			if err := settings.Set(a.Name, value); err != nil {
				t.Errorf("%s=%s: %v", a.Name, value, err)
			}
		}
	}
	if _, problems := settings.Decide(sandbox.Facts{SystemdVersion: 257, MDWE: true, BPFLSM: true}); len(problems) > 0 {
		t.Errorf("settings that can't be: %+v", problems)
	}
}

func TestDeriveOnTheHostsNetwork(t *testing.T) {
	f := facts()
	f.PrivateNetwork = false
	p := Derive(Recording{Families: []string{"AF_INET"}}, f)
	for _, name := range []string{"PrivateNetwork", "IPAddressDeny", "IPAddressAllow"} {
		if got := p.values(name); got != nil {
			t.Errorf("%s = %q: whom it will talk to isn't known", name, got)
		}
	}
}

func TestDeriveKeepsAmbientCapabilities(t *testing.T) {
	f := facts()
	f.Ambient = []string{"CAP_NET_BIND_SERVICE", "CAP_CHOWN"}
	got := Derive(Recording{Capabilities: map[string][]string{"CAP_CHOWN": {"chown"}}}, f).values("AmbientCapabilities")
	if diff := cmp.Diff([]string{"CAP_CHOWN"}, got); diff != "" {
		t.Error(diff)
	}
}

// allowed lists the calls that a filter allows, as systemd reads its lines.
func allowed(lines []string, version int) set {
	calls := setOf(seccomp.Expand("@default", version))
	for _, line := range lines {
		words, out := strings.CutPrefix(line, "~")
		for word := range strings.FieldsSeq(words) {
			list := []string{word}
			if strings.HasPrefix(word, "@") {
				list = seccomp.Expand(word, version)
			}
			for _, call := range list {
				if out {
					delete(calls, call)
				} else {
					calls[call] = true
				}
			}
		}
	}
	return calls
}

// Whatever was called is allowed, and groups that nothing was called of are not.
func TestCoverAllowsWhatWasCalled(t *testing.T) {
	for _, version := range []int{252, 257, 262} {
		known := seccomp.Expand("@known", version)
		for start := range 40 {
			var needed []string // some from everywhere
			for i := start; i < len(known); i += 3 + start*2 {
				needed = append(needed, known[i])
			}
			f := cover(needed, tabled(version))
			got := allowed(f.lines(), version)
			for _, call := range needed {
				if !got[call] {
					t.Errorf("systemd %d: %q is not allowed by %q", version, call, f.lines())
				}
			}
		}
	}
}

func TestCover(t *testing.T) {
	for _, test := range []struct {
		name    string
		needed  []string
		without []string // may not be allowed
	}{
		{"a plain program", []string{"read", "write", "mmap", "openat", "close", "exit_group"}, []string{"mount", "reboot", "setuid", "ptrace", "socket", "kill", "chown"}},
		{"one of a privileged group", []string{"read", "sched_setaffinity"}, []string{"mbind", "setpriority", "mount"}},
		{"most of a privileged group", []string{"read", "setuid", "setgid", "setgroups", "setresuid"}, []string{"mount", "chown", "sched_setaffinity"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := cover(test.needed, tabled(257))
			got := allowed(f.lines(), 257)
			for _, call := range test.without {
				if got[call] {
					t.Errorf("%q is allowed by %q", call, f.lines())
				}
			}
			if len(f.names) > mostNames {
				t.Errorf("%d names: %q", len(f.names), f.lines())
			}
		})
	}
}

func TestMerge(t *testing.T) {
	first := Recording{
		Name: "web", Calls: map[string][]string{"native": {"write", "read"}}, Refused: map[string][]string{"native": {"bpf", "mount"}},
		Capabilities: map[string][]string{"CAP_CHOWN": {"chown"}}, Files: []File{{"/a", "missing", []string{Write}}}, Lost: 1,
	}
	second := Recording{
		Name: "other", Calls: map[string][]string{"native": {"read", "mount"}}, Families: []string{"AF_UNIX"},
		Capabilities: map[string][]string{"CAP_CHOWN": {"fchown"}}, Files: []File{{"/a", "directory", []string{Entries}}}, Lost: 2,
	}
	want := Recording{
		Format: 1, Name: "web", Calls: map[string][]string{"native": {"mount", "read", "write"}}, Refused: map[string][]string{"native": {"bpf"}},
		Capabilities: map[string][]string{"CAP_CHOWN": {"chown", "fchown"}}, Families: []string{"AF_UNIX"},
		Forbidden: map[string][]string{}, Files: []File{{"/a", "directory", []string{Entries, Write}}}, Lost: 3,
	}
	if diff := cmp.Diff(want, Merge(first, second)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	second.Capabilities = nil
	if got := Merge(first, second).Capabilities; got != nil {
		t.Errorf("capabilities are known where one recording knows none: %v", got)
	}
}

func TestRecordingJSON(t *testing.T) {
	r := Merge(Recording{Name: "web", Calls: usual(), Capabilities: map[string][]string{}, Files: []File{{"/a\n\"", "", []string{Read}}}})
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, Merge(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, wrong := range []string{"", "{}", `{"format": 2}`, "[]"} {
		if _, err := Parse([]byte(wrong)); err == nil {
			t.Errorf("%q is taken for a recording", wrong)
		}
	}
}

func TestProfileWriteTo(t *testing.T) {
	p := Profile{
		Description: `learned from "web"`,
		Comments:    []string{"first", "", "a\nb\x1b"},
		Sandbox:     []Assignment{{"ProtectHome", []string{"yes"}, ""}, {"ReadWritePaths", []string{"/a b", `/c\"`}, "why\nand how"}},
		Resources:   []Assignment{{"IPAddressDeny", []string{"any"}, ""}},
	}
	var b strings.Builder
	if _, err := p.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "profile.toml")
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
