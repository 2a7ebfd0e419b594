package sandbox

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"berth/internal/kernel"
)

// set makes settings out of lines of a unit file.
func set(t *testing.T, lines string) *Settings {
	t.Helper()
	s := New()
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if err := s.Set(name, value); err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	return s
}

func pointer[T any](v T) *T { return &v }

func caps(numbers ...int) kernel.Caps { return kernel.CapSet(numbers...) }

// merges are lines and what they change of the defaults.
var merges = []struct {
	name, lines string
	change      func(*Settings)
}{
	{"nothing", "", func(*Settings) {}},

	{"a boolean", "PrivateDevices=on", func(s *Settings) { s.PrivateDevices = true }},
	{"a boolean twice", "PrivateDevices=1\nPrivateDevices=FALSE", func(*Settings) {}},
	{"a tristate reset", "PrivateMounts=yes\nPrivateMounts=", func(*Settings) {}},
	{"a word for a boolean", "ProtectSystem=t", func(s *Settings) { s.ProtectSystem = "yes" }},
	{"a word", "ProtectSystem=strict\nProtectHome=tmpfs", func(s *Settings) { s.ProtectSystem, s.ProtectHome = "strict", "tmpfs" }},
	{"a word and its boolean", "ProtectHome=read-only\nProtectHome=0", func(*Settings) {}},
	{"second names", "PrivateTmp=connected\nPrivateUsers=self", func(s *Settings) { s.PrivateTmp, s.PrivateUsers = "yes", "yes" }},
	{"a host name's setting reset", "ProtectHostname=private\nProtectHostname=", func(*Settings) {}},
	{"blanks around", "UMask=  0077\t", func(s *Settings) { s.UMask = 0o77 }},

	{"paths", `ReadWritePaths=/a -/b +/c -+/d "/e f" //g/./`, func(s *Settings) {
		s.ReadWritePaths = []Path{{Path: "/a"}, {Path: "/b", Optional: true}, {Path: "/c"},
			{Path: "/d", Optional: true}, {Path: "/e f"}, {Path: "/g"}}
	}},
	{"paths added", "ReadOnlyPaths=/a\nReadOnlyPaths=/b", func(s *Settings) { s.ReadOnlyPaths = []Path{{Path: "/a"}, {Path: "/b"}} }},
	{"paths reset", "InaccessiblePaths=/a\nInaccessiblePaths=\nInaccessiblePaths=/b", func(s *Settings) { s.InaccessiblePaths = []Path{{Path: "/b"}} }},
	{"paths by the old name", "ReadOnlyDirectories=/a\nReadOnlyPaths=/b", func(s *Settings) { s.ReadOnlyPaths = []Path{{Path: "/a"}, {Path: "/b"}} }},
	{"a per cent sign is one", "ReadOnlyPaths=/%i/%%", func(s *Settings) { s.ReadOnlyPaths = []Path{{Path: "/%i/%%"}} }},
	{"binds", `BindPaths=/a -/b:/c /d:/e:norbind` + "\n" + `BindReadOnlyPaths=/f\:g:/h\x20i:rbind "/j k"`, func(s *Settings) {
		s.Binds = []Bind{{Source: "/a", Target: "/a", Recursive: true}, {Source: "/b", Target: "/c", Optional: true, Recursive: true},
			{Source: "/d", Target: "/e"}, {Source: "/f:g", Target: "/h i", ReadOnly: true, Recursive: true},
			{Source: "/j k", Target: "/j k", ReadOnly: true, Recursive: true}}
	}},
	{"either list of binds empties both", "BindPaths=/a\nBindReadOnlyPaths=/b\nBindPaths=", func(*Settings) {}},
	{"tmpfs", `TemporaryFileSystem=/a:ro,size=5M /b "/c d:mode=0700"`, func(s *Settings) {
		s.TemporaryFileSystem = []TemporaryFileSystem{{"/a", []string{"ro", "size=5M"}}, {"/b", nil}, {"/c d", []string{"mode=0700"}}}
	}},

	{"calls", "SystemCallFilter=@system-service read\nSystemCallFilter=~@mount mount:EACCES reboot:38 kexec_load:kill", func(s *Settings) {
		s.SystemCallFilter = []FilterEntry{{Name: "@system-service"}, {Name: "read"}, {Deny: true, Name: "@mount"},
			{true, "mount", "EACCES"}, {true, "reboot", "ENOSYS"}, {true, "kexec_load", "kill"}}
	}},
	{"calls reset", "SystemCallFilter=~@mount\nSystemCallFilter=\nSystemCallFilter=read", func(s *Settings) {
		s.SystemCallFilter = []FilterEntry{{Name: "read"}}
	}},
	{"an error", "SystemCallErrorNumber=eperm", func(s *Settings) { s.SystemCallErrorNumber = 1 }},
	{"an error's second name", "SystemCallErrorNumber=EWOULDBLOCK", func(s *Settings) { s.SystemCallErrorNumber = int(unix.EAGAIN) }},
	{"an error's number, and kill", "SystemCallErrorNumber=4095\nSystemCallErrorNumber=kill", func(*Settings) {}},
	{"architectures", "SystemCallArchitectures=native x86\nSystemCallArchitectures=x32 native", func(s *Settings) {
		s.SystemCallArchitectures = []string{"native", "x86", "x32"}
	}},
	{"logged calls", "SystemCallLog=@clock\nSystemCallLog=~adjtimex", func(s *Settings) {
		s.SystemCallLog = []FilterEntry{{Name: "@clock"}, {Deny: true, Name: "adjtimex"}}
	}},
	{"families", "RestrictAddressFamilies=AF_UNIX af_inet\nRestrictAddressFamilies=~AF_INET\nRestrictAddressFamilies=AF_LOCAL AF_ROUTE", func(s *Settings) {
		s.RestrictAddressFamilies = CallList{true, true, []string{"AF_UNIX", "AF_NETLINK"}}
	}},
	{"families denied", "RestrictAddressFamilies=~AF_INET AF_PACKET\nRestrictAddressFamilies=AF_INET", func(s *Settings) {
		s.RestrictAddressFamilies = CallList{true, false, []string{"AF_PACKET"}}
	}},
	{"no family", "RestrictAddressFamilies=AF_UNIX\nRestrictAddressFamilies=none", func(s *Settings) {
		s.RestrictAddressFamilies = CallList{Set: true, Allow: true}
	}},
	{"after none a list begins anew", "RestrictAddressFamilies=none\nRestrictAddressFamilies=~AF_INET", func(s *Settings) {
		s.RestrictAddressFamilies = CallList{true, false, []string{"AF_INET"}}
	}},
	{"an emptied list of allowed families allows none", "RestrictAddressFamilies=AF_UNIX\nRestrictAddressFamilies=~AF_UNIX\nRestrictAddressFamilies=~AF_INET", func(s *Settings) {
		s.RestrictAddressFamilies = CallList{true, true, []string{}}
	}},
	{"families reset", "RestrictAddressFamilies=none\nRestrictAddressFamilies=", func(*Settings) {}},
	{"all namespaces", "RestrictNamespaces=yes", func(s *Settings) { s.RestrictNamespaces = Namespaces{Set: true} }},
	{"some namespaces", "RestrictNamespaces=mnt net\nRestrictNamespaces=user\nRestrictNamespaces=~net", func(s *Settings) {
		s.RestrictNamespaces = Namespaces{true, unix.CLONE_NEWNS | unix.CLONE_NEWUSER}
	}},
	{"all namespaces but one", "RestrictNamespaces=~user\nRestrictNamespaces=user", func(s *Settings) {
		s.RestrictNamespaces = Namespaces{true, allNamespaces}
	}},
	{"a boolean overrides namespaces", "RestrictNamespaces=mnt\nRestrictNamespaces=no\nRestrictNamespaces=~user", func(s *Settings) {
		s.RestrictNamespaces = Namespaces{true, allNamespaces &^ unix.CLONE_NEWUSER}
	}},
	{"namespaces reset", "RestrictNamespaces=yes\nRestrictNamespaces=\nRestrictNamespaces=mnt", func(s *Settings) {
		s.RestrictNamespaces = Namespaces{true, unix.CLONE_NEWNS}
	}},
	{"file systems", "RestrictFileSystems=@temporary ext4\nRestrictFileSystems=~ramfs", func(s *Settings) {
		s.RestrictFileSystems = CallList{true, true, []string{"tmpfs", "ext4"}}
	}},

	{"capabilities", "CapabilityBoundingSet=CAP_CHOWN cap_kill 12", func(s *Settings) {
		s.CapabilityBoundingSet, s.bounded = caps(unix.CAP_CHOWN, unix.CAP_KILL, unix.CAP_NET_ADMIN), true
	}},
	{"capabilities merged", "CapabilityBoundingSet=CAP_CHOWN CAP_KILL\nCapabilityBoundingSet=CAP_FOWNER\nCapabilityBoundingSet=~CAP_CHOWN", func(s *Settings) {
		s.CapabilityBoundingSet, s.bounded = caps(unix.CAP_KILL, unix.CAP_FOWNER), true
	}},
	{"all but some capabilities", "CapabilityBoundingSet=~CAP_CHOWN\nCapabilityBoundingSet=~CAP_KILL", func(s *Settings) {
		s.CapabilityBoundingSet, s.bounded = allCaps()&^caps(unix.CAP_CHOWN, unix.CAP_KILL), true
	}},
	{"no capabilities, then one", "CapabilityBoundingSet=\nCapabilityBoundingSet=CAP_KILL", func(s *Settings) {
		s.CapabilityBoundingSet, s.bounded = caps(unix.CAP_KILL), true
	}},
	{"no capabilities, then one taken away", "CapabilityBoundingSet=\nCapabilityBoundingSet=~CAP_KILL", func(s *Settings) {
		s.CapabilityBoundingSet, s.bounded = 0, true
	}},
	{"a tilde alone", "CapabilityBoundingSet=CAP_KILL\nCapabilityBoundingSet=~\nCapabilityBoundingSet=CAP_CHOWN", func(s *Settings) {
		s.CapabilityBoundingSet, s.bounded = caps(unix.CAP_CHOWN), true
	}},
	{"ambient capabilities", "AmbientCapabilities=CAP_CHOWN\nAmbientCapabilities=CAP_KILL", func(s *Settings) {
		s.AmbientCapabilities = caps(unix.CAP_CHOWN, unix.CAP_KILL)
	}},
	{"ambient but some", "AmbientCapabilities=~CAP_CHOWN", func(s *Settings) { s.AmbientCapabilities = allCaps() &^ caps(unix.CAP_CHOWN) }},
	{"ambient reset", "AmbientCapabilities=CAP_CHOWN\nAmbientCapabilities=", func(*Settings) {}},
	{"secure bits replace", "SecureBits=keep-caps noroot-locked\nSecureBits=noroot", func(s *Settings) { s.SecureBits = 1 }},
	{"secure bits", "SecureBits=keep-caps-locked no-setuid-fixup exec-deny-interactive-locked", func(s *Settings) { s.SecureBits = 1<<5 | 1<<2 | 1<<11 }},

	{"limits", "LimitNOFILE=1024:infinity\nLimitMEMLOCK=64K\nLimitCPU=1min:infinity\nLimitRTTIME=5\nLimitNICE=-5\nLimitNPROC=0x10", func(s *Settings) {
		s.Limits = map[string]Limit{"LimitNOFILE": {1024, unix.RLIM_INFINITY}, "LimitMEMLOCK": {65536, 65536}, "LimitCPU": {60, unix.RLIM_INFINITY},
			"LimitRTTIME": {5, 5}, "LimitNICE": {25, 25}, "LimitNPROC": {16, 16}}
	}},
	{"a second begun counts", "LimitCPU=1500ms\nLimitNICE=+19", func(s *Settings) {
		s.Limits = map[string]Limit{"LimitCPU": {2, 2}, "LimitNICE": {1, 1}}
	}},
	{"numbers", "Nice=-5\nOOMScoreAdjust=500\nUMask=027", func(s *Settings) {
		s.Nice, s.OOMScoreAdjust, s.UMask = pointer(-5), pointer(500), 0o27
	}},
	{"numbers reset", "Nice=-5\nNice=\nOOMScoreAdjust=5\nOOMScoreAdjust=", func(*Settings) {}},
	{"a class of I/O", "IOSchedulingClass=realtime", func(s *Settings) { s.IOScheduling = &kernel.IOPriority{Class: "realtime", Priority: 4} }},
	{"a priority of I/O, then a class", "IOSchedulingPriority=7\nIOSchedulingClass=3", func(s *Settings) {
		s.IOScheduling = &kernel.IOPriority{Class: "idle", Priority: 7}
	}},
	{"no class of I/O is the default one", "IOSchedulingPriority=7\nIOSchedulingClass=none", func(s *Settings) {
		s.IOScheduling = &kernel.IOPriority{Class: "best-effort", Priority: 4}
	}},
	{"I/O reset by either", "IOSchedulingClass=idle\nIOSchedulingPriority=", func(*Settings) {}},
	{"a policy lifts the priority", "CPUSchedulingPolicy=fifo", func(s *Settings) { s.CPUScheduling = &kernel.Scheduler{Policy: "fifo", Priority: 1} }},
	{"a priority before the policy", "CPUSchedulingPriority=50\nCPUSchedulingPolicy=rr", func(s *Settings) {
		s.CPUScheduling = &kernel.Scheduler{Policy: "rr", Priority: 50}
	}},
	{"a policy without priorities", "CPUSchedulingPriority=50\nCPUSchedulingPolicy=batch", func(s *Settings) { s.CPUScheduling = &kernel.Scheduler{Policy: "batch"} }},
	{"a policy by its number", "CPUSchedulingPolicy=5", func(s *Settings) { s.CPUScheduling = &kernel.Scheduler{Policy: "idle"} }},
	{"CPUs", "CPUAffinity=0-2,8 4\nCPUAffinity=1 3", func(s *Settings) { s.CPUAffinity = []int{0, 1, 2, 3, 4, 8} }},
	{"CPUs reset", "CPUAffinity=0\nCPUAffinity=", func(*Settings) {}},
	{"CPUs of NUMA nodes", "CPUAffinity=0\nCPUAffinity=numa\nNUMAMask=0-1\nNUMAPolicy=bind", func(s *Settings) {
		s.CPUAffinityNUMA, s.NUMA = true, &kernel.NUMAPolicy{Policy: "bind", Nodes: []int{0, 1}}
	}},
	{"all NUMA nodes", "NUMAMask=0\nNUMAMask=all\nNUMAPolicy=interleave", func(s *Settings) {
		s.NUMA, s.NUMAMaskAll = &kernel.NUMAPolicy{Policy: "interleave"}, true
	}},
	{"a timer's slack", "TimerSlackNSec=1us", func(s *Settings) { s.TimerSlackNSec = pointer(uint64(1000)) }},
	{"no timer's slack", "TimerSlackNSec=5\nTimerSlackNSec=infinity", func(*Settings) {}},
	{"a core dump's filter", "CoredumpFilter=default 0x100\nCoredumpFilter=shared-file-backed", func(s *Settings) { s.CoredumpFilter = pointer(uint64(0x13b)) }},
	{"a personality", "Personality=" + second(), func(s *Settings) { s.Personality = pointer(uint32(8)) }},
	{"KSM", "MemoryKSM=no", func(s *Settings) { s.MemoryKSM = pointer(false) }},

	{"directories", "StateDirectory=a b/c:d:ro\nStateDirectoryMode=0700\nStateDirectory=a:e b/c:f\nCacheDirectory=a", func(s *Settings) {
		s.modes[1] = 0o700
		s.Directories = []Directory{{Kind: "State", Name: "a", Symlinks: []string{"e"}, Mode: 0o700},
			{Kind: "State", Name: "b/c", Symlinks: []string{"d", "f"}, ReadOnly: true, Mode: 0o700}, {Kind: "Cache", Name: "a", Mode: 0o755}}
	}},
	{"a mode before the directory", "RuntimeDirectoryMode=0711\nRuntimeDirectoryPreserve=restart\nRuntimeDirectory=a", func(s *Settings) {
		s.modes[0], s.preserve = 0o711, "restart"
		s.Directories = []Directory{{Kind: "Runtime", Name: "a", Mode: 0o711, Preserve: "restart"}}
	}},
	{"directories reset, of one kind", "StateDirectory=a\nLogsDirectory=b\nStateDirectory=", func(s *Settings) {
		s.Directories = []Directory{{Kind: "Logs", Name: "b", Mode: 0o755}}
	}},
	{"credentials", `SetCredential=a:x\n\x00` + "\nLoadCredential=b:/etc/b\nLoadCredential=c\nLoadCredentialEncrypted=b:d\nImportCredential=e*:f.\nImportCredential=e*:f.\nSetCredentialEncrypted=g:aGk=", func(s *Settings) {
		s.Credentials = []Credential{{Setting: "SetCredential", ID: "a", Data: []byte("x\n\x00")},
			{Setting: "LoadCredentialEncrypted", ID: "b", Source: "d"}, {Setting: "LoadCredential", ID: "c"},
			{Setting: "ImportCredential", ID: "e*", Rename: "f."}, {Setting: "SetCredentialEncrypted", ID: "g", Data: []byte("hi")}}
	}},
	{"credentials reset with their encrypted form", "LoadCredential=a\nSetCredential=b:c\nLoadCredentialEncrypted=", func(s *Settings) {
		s.Credentials = []Credential{{Setting: "SetCredential", ID: "b", Data: []byte("c")}}
	}},
	{"environment", `Environment=A=1 "B=2 3" C=\x41` + "\nEnvironment=A=", func(s *Settings) { s.Environment = []string{"B=2 3", "C=A", "A="} }},
	{"environment reset", "Environment=A=1\nEnvironment=", func(*Settings) {}},
	{"environment files", "EnvironmentFile=-/etc/my file*\nEnvironmentFile=/b", func(s *Settings) {
		s.EnvironmentFiles = []Path{{Path: "/etc/my file*", Optional: true}, {Path: "/b"}}
	}},
	{"variables", "PassEnvironment=A B\nPassEnvironment=A C\nUnsetEnvironment=A B=1", func(s *Settings) {
		s.PassEnvironment, s.UnsetEnvironment = []string{"A", "B", "C"}, []string{"A", "B=1"}
	}},

	{"the journal", "LogExtraFields=\"A=b c\" D_1=\nLogLevelMax=warning\nLogRateLimitIntervalSec=1min\nLogRateLimitBurst=10", func(s *Settings) {
		s.LogExtraFields, s.LogLevelMax = []string{"A=b c", "D_1="}, pointer(4)
		s.LogRateLimitInterval, s.LogRateLimitBurst = pointer(time.Minute), pointer(uint(10))
	}},
	{"syslog", "SyslogIdentifier=a b\nSyslogFacility=local7\nSyslogLevel=7\nSyslogLevelPrefix=no", func(s *Settings) {
		s.SyslogIdentifier, s.SyslogFacility, s.SyslogLevel, s.SyslogLevelPrefix = "a b", pointer(23), pointer(7), pointer(false)
	}},
	{"patterns", "LogFilterPatterns=a b\nLogFilterPatterns=~c\nLogFilterPatterns=a b", func(s *Settings) { s.LogFilterPatterns = []string{"a b", "~c"} }},
}

const allNamespaces = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
	unix.CLONE_NEWUSER | unix.CLONE_NEWUTS | unix.CLONE_NEWTIME

func second() string { _, s := nativeArchitectures(); return s }

func TestSet(t *testing.T) {
	for _, test := range merges {
		t.Run(test.name, func(t *testing.T) {
			want := New()
			test.change(want)
			if diff := cmp.Diff(want, set(t, test.lines), cmp.AllowUnexported(Settings{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A list in which one word is wrong changes nothing.
func TestSetChangesAllOrNothing(t *testing.T) {
	for _, test := range []struct{ before, name, value string }{
		{"ReadWritePaths=/a", "ReadWritePaths", "/b c"},
		{"BindPaths=/a", "BindPaths", "/b /c:/d:what"},
		{"SystemCallFilter=read", "SystemCallFilter", "write nothing"},
		{"RestrictAddressFamilies=AF_UNIX", "RestrictAddressFamilies", "AF_INET AF_NOTHING"},
		{"Environment=A=1", "Environment", "A=2 B"},
		{"StateDirectory=a", "StateDirectory", "a:b ../c"},
		{"CapabilityBoundingSet=CAP_KILL", "CapabilityBoundingSet", "CAP_CHOWN CAP_NOTHING"},
		{"CPUAffinity=1", "CPUAffinity", "2 x"},
		{"CoredumpFilter=1", "CoredumpFilter", "2 x"},
		{"LimitNOFILE=5", "LimitNOFILE", "7:x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := set(t, test.before)
			if err := got.Set(test.name, test.value); err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(set(t, test.before), got, cmp.AllowUnexported(Settings{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzSet(f *testing.F) {
	for _, test := range merges {
		for line := range strings.Lines(test.lines) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			f.Add(name, value, "~"+value)
		}
	}
	f.Fuzz(func(t *testing.T, name, first, second string) {
		s := New()
		for _, value := range []string{first, second, first} {
			if err := s.Set(name, value); err != nil && err.Error() == "" {
				t.Error("an error without a text")
			}
		}
		d, _ := s.Decide(Facts{SystemdVersion: 257})
		for _, r := range d.Paths {
			if !strings.HasPrefix(r.Path, "/") || strings.Contains(r.Path, "/../") || strings.Contains(r.Path, "\n") {
				t.Errorf("a rule for %q", r.Path)
			}
		}
	})
}
