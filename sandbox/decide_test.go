package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"berth/internal/kernel"
	"berth/sandbox/seccomp"
)

// able are facts of a host that can do all.
var able = Facts{SystemdVersion: 257, MDWE: true, BPFLSM: true, Nodes: map[int][]int{0: {0, 1}, 1: {2, 3}}}

// paths writes rules as "PATH ACCESS exec?", sorted.
func (d *Decision) paths() []string {
	var lines []string
	for _, r := range d.Paths {
		line := strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Path, r.Access, r.Exec))
		if r.Optional {
			line = "-" + line
		}
		lines = append(lines, strings.ReplaceAll(line, "  ", " "))
	}
	slices.Sort(lines)
	return lines
}

func (d *Decision) mounts() []string {
	var lines []string
	for _, m := range d.Mounts {
		line := m.Type + " " + m.Target
		if m.Type == "bind" {
			line = "bind " + m.Source + " " + m.Target
		}
		for _, flag := range []struct {
			on   bool
			name string
		}{{m.ReadOnly, "ro"}, {m.Recursive, "rbind"}, {m.Optional, "optional"}} {
			if flag.on {
				line += " " + flag.name
			}
		}
		lines = append(lines, strings.TrimSpace(line+" "+strings.Join(m.Options, ",")))
	}
	return lines
}

func TestPaths(t *testing.T) {
	homes := []string{"-/home", "-/root", "-/run/user"}
	with := func(paths []string, access string) (lines []string) {
		for _, p := range paths {
			lines = append(lines, p+" "+access)
		}
		return lines
	}
	system := with([]string{"-/boot", "-/efi", "-/lib", "-/lib64", "-/bin", "-/sbin", "/usr"}, "read-only")
	tests := []struct {
		lines string
		want  []string
	}{
		{"", nil},
		{"ProtectSystem=yes", system},
		{"ProtectSystem=full", append(slices.Clone(system), "/etc read-only")},
		{"ProtectSystem=strict", append(with(homes, "read-write"), "/ read-only", "/dev read-write", "/proc read-write", "/sys read-write")},
		{"ProtectHome=yes", with(homes, "inaccessible")},
		{"ProtectHome=read-only", with(homes, "read-only")},
		{"ProtectHome=tmpfs", nil},
		{"ProtectKernelModules=yes", []string{"-/lib/modules inaccessible", "-/usr/lib/modules inaccessible"}},
		{"ProtectKernelLogs=yes", []string{"-/dev/kmsg inaccessible", "-/proc/kmsg inaccessible"}},
		{"ProtectKernelTunables=yes", []string{
			"-/proc/acpi read-only", "-/proc/apm read-only", "-/proc/asound read-only", "-/proc/bus read-only", "-/proc/fs read-only",
			"-/proc/irq read-only", "-/proc/kallsyms inaccessible", "-/proc/kcore inaccessible", "-/proc/latency_stats read-only",
			"-/proc/mtrr read-only", "-/proc/scsi read-only", "-/proc/sys read-only", "-/proc/sysrq-trigger read-only",
			"-/proc/timer_stats read-only", "/sys read-only", "-/sys/fs/bpf read-only", "-/sys/kernel/debug read-only",
			"-/sys/kernel/tracing read-only", "-/sys/fs/cgroup read-write", "-/sys/fs/selinux read-write"}},
		{"ProtectControlGroups=yes", []string{"-/sys/fs/cgroup read-only"}},
		{"ProtectControlGroups=strict", []string{"-/sys/fs/cgroup read-only"}},
		{"ProtectControlGroups=private", []string{"-/sys/fs/cgroup read-write"}},
		{"ProtectHostname=yes", []string{"-/proc/sys/kernel/domainname read-only", "-/proc/sys/kernel/hostname read-only"}},
		{"ProtectHostname=private", nil},
		{"PrivateTmp=disconnected", []string{"/tmp read-write", "/var/tmp read-write"}},
		{"PrivateDevices=yes", []string{"-/dev read-only noexec", "-/dev/hugepages read-write exec", "-/dev/mqueue read-write exec",
			"-/dev/pts read-write exec", "-/dev/shm read-write exec"}},
		{"StateDirectory=a/b:c\nLogsDirectory=d::ro\nConfigurationDirectory=e", []string{"-/var/lib/a/b read-write", "-/var/log/d read-only"}},
		{"ReadWritePaths=/a\nReadOnlyPaths=-/b\nInaccessiblePaths=+/c\nExecPaths=/d\nNoExecPaths=/", []string{
			"/a read-write", "-/b read-only", "/c inaccessible", "/d exec", "/ noexec"}},
		{"InaccessiblePaths=/srv\nReadOnlyPaths=/srv/a /srvb\nNoExecPaths=/srv/a", []string{"/srv inaccessible", "/srvb read-only"}},
		{"ProtectSystem=strict\nProtectHome=yes", append(with(homes, "inaccessible"), "/ read-only", "/dev read-write", "/proc read-write", "/sys read-write")},
	}
	for _, test := range tests {
		t.Run(test.lines, func(t *testing.T) {
			d, problems := set(t, test.lines).Decide(able)
			if len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
			want := slices.Clone(test.want)
			slices.Sort(want)
			if diff := cmp.Diff(want, d.paths()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestMounts(t *testing.T) {
	tests := []struct {
		name, lines string
		want        []string
	}{
		{"none", "ProtectSystem=strict", nil},
		{"binds", "BindPaths=-/b:/a/b /c:/a:norbind\nBindReadOnlyPaths=/d", []string{
			"bind /c /a", "bind /b /a/b rbind optional", "bind /d /d ro rbind"}},
		{"a directory before what is below it", "BindPaths=/a-b /a/c /a", []string{
			"bind /a /a rbind", "bind /a/c /a/c rbind", "bind /a-b /a-b rbind"}},
		{"of two on one path the first", "BindReadOnlyPaths=/a:/x\nBindPaths=/b:/x:norbind\nTemporaryFileSystem=/x", []string{"bind /b /x ro"}},
		{"tmpfs", "TemporaryFileSystem=/a:ro,size=5M,dev,relatime", []string{"tmpfs /a ro mode=0755,nr_inodes=400k,size=5M,dev,relatime"}},
		{"tmpfs by default", "TemporaryFileSystem=/a:rw", []string{"tmpfs /a nodev,strictatime,mode=0755,size=10%,nr_inodes=400k"}},
		{"homes", "ProtectHome=tmpfs\nBindPaths=/home/a", []string{
			"tmpfs /home ro optional nodev,strictatime,mode=0755,size=4m,nr_inodes=1k", "bind /home/a /home/a rbind",
			"tmpfs /root ro optional nodev,strictatime,mode=0700,size=4m,nr_inodes=1k",
			"tmpfs /run/user ro optional nodev,strictatime,mode=0755,size=4m,nr_inodes=1k"}},
		{"private tmp", "PrivateTmp=yes", []string{"tmpfs /var/tmp nodev,strictatime,mode=1777,size=10%,nr_inodes=400k"}},
		{"log sockets", "BindLogSockets=yes", []string{
			"bind /run/systemd/journal/dev-log /run/systemd/journal/dev-log ro optional nosuid,nodev,noexec",
			"bind /run/systemd/journal/socket /run/systemd/journal/socket ro optional nosuid,nodev,noexec",
			"bind /run/systemd/journal/stdout /run/systemd/journal/stdout ro optional nosuid,nodev,noexec"}},
		{"homes that are inaccessible", "ProtectHome=tmpfs\nInaccessiblePaths=/home /root /run", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, problems := set(t, test.lines).Decide(able)
			if len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
			if diff := cmp.Diff(test.want, d.mounts()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	contradicts := func(setting, reason string) []Problem { return []Problem{{setting, reason, true}} }
	cannot := func(setting, reason string) []Problem { return []Problem{{setting, reason, false}} }
	poor := Facts{SystemdVersion: 252}
	tests := []struct {
		lines string
		facts Facts
		want  []Problem
	}{
		{"", poor, nil},
		{"MemoryDenyWriteExecute=yes", poor, nil},
		{"RestrictFileSystems=ext4", poor, cannot("RestrictFileSystems", `this kernel doesn't let berth's BPF program decide which files are opened`)},
		{"RestrictFileSystems=ext4", able, nil},
		{"MemoryTHP=madvise", able, cannot("MemoryTHP", "madvise cannot be set: use disable")},
		{"AmbientCapabilities=CAP_KILL\nCapabilityBoundingSet=CAP_CHOWN", able, contradicts("AmbientCapabilities", "CAP_KILL isn't in CapabilityBoundingSet")},
		{"AmbientCapabilities=CAP_MKNOD\nPrivateDevices=yes", able, contradicts("AmbientCapabilities", "CAP_MKNOD is dropped by PrivateDevices")},
		{"AmbientCapabilities=CAP_KILL\nCapabilityBoundingSet=CAP_KILL", able, nil},
		{"ProtectHome=yes\nReadWritePaths=/home/a", able, contradicts("ReadWritePaths", "/home/a cannot be reached: ProtectHome makes /home inaccessible")},
		{"ProtectHome=yes\nReadOnlyPaths=/home/a", able, nil},
		{"InaccessiblePaths=/srv\nBindPaths=/srv", able, contradicts("BindPaths", "/srv cannot be reached: InaccessiblePaths makes /srv inaccessible")},
		{"InaccessiblePaths=/srv\nTemporaryFileSystem=/srv/a", able, contradicts("TemporaryFileSystem", "/srv/a cannot be reached: InaccessiblePaths makes /srv inaccessible")},
		{"BindPaths=/srv:/", able, contradicts("BindPaths", "cannot mount on /: the container's root is what [root] says")},
		{"SystemCallFilter=~@default", able, []Problem{
			{"SystemCallFilter", "denies execve, without which no program can run", true},
			{"SystemCallFilter", "denies exit_group, without which no program can run", true}}},
		{"SystemCallFilter=read\nSystemCallFilter=~execve", able, contradicts("SystemCallFilter", "denies execve, without which no program can run")},
		{"SystemCallFilter=read", able, nil},
		{"CPUSchedulingPolicy=fifo\nCPUSchedulingPriority=0", able, contradicts("CPUSchedulingPriority", "must be from 1 to 99 under the policy fifo, not 0")},
		{"CPUSchedulingPriority=5", able, contradicts("CPUSchedulingPriority", "must be from 0 to 0 under the policy other, not 5")},
		{"NUMAPolicy=bind", able, contradicts("NUMAPolicy", "bind needs nodes: set NUMAMask")},
		{"NUMAPolicy=preferred\nNUMAMask=all", able, contradicts("NUMAPolicy", "preferred takes one node, and NUMAMask has 2")},
		{"CPUAffinity=numa", able, contradicts("CPUAffinity", "numa needs nodes: set NUMAMask")},
		{"CPUAffinity=numa\nNUMAMask=3", able, cannot("CPUAffinity", "this host has no CPUs on NUMA node 3")},
		{"NUMAPolicy=local\nNUMAMask=all", poor, cannot("NUMAMask", "this host has no NUMA nodes")},
	}
	for _, test := range tests {
		t.Run(test.lines, func(t *testing.T) {
			_, got := set(t, test.lines).Decide(test.facts)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestProcess(t *testing.T) {
	all := allCaps()
	user := able
	user.Unprivileged = true
	old := user
	old.SystemdVersion = 252
	tests := []struct {
		name, lines string
		facts       Facts
		change      func(*kernel.Attributes)
	}{
		{"defaults", "", able, func(*kernel.Attributes) {}},
		{"dropped by others", "PrivateDevices=yes\nProtectKernelModules=yes\nProtectKernelLogs=yes\nProtectClock=yes", able, func(a *kernel.Attributes) {
			a.Bounding = all &^ caps(unix.CAP_MKNOD, unix.CAP_SYS_RAWIO, unix.CAP_SYS_MODULE, unix.CAP_SYSLOG, unix.CAP_SYS_TIME, unix.CAP_WAKE_ALARM)
		}},
		{"a host name drops none", "ProtectHostname=yes", able, func(*kernel.Attributes) {}},
		{"ambient", "AmbientCapabilities=CAP_KILL", user, func(a *kernel.Attributes) { a.Ambient = caps(unix.CAP_KILL) }},
		{"memory", "MemoryDenyWriteExecute=yes", able, func(a *kernel.Attributes) { a.DenyWriteExec = true }},
		{"memory on an old kernel", "MemoryDenyWriteExecute=yes", Facts{}, func(*kernel.Attributes) {}},
		{"no new privileges", "NoNewPrivileges=yes", able, func(a *kernel.Attributes) { a.NoNewPrivileges = true }},
		{"a filter and root", "LockPersonality=yes", Facts{SystemdVersion: 252}, func(*kernel.Attributes) {}},
		{"a filter and a user", "LockPersonality=yes", user, func(*kernel.Attributes) {}},
		{"a filter and a user, in 252", "LockPersonality=yes", old, func(a *kernel.Attributes) { a.NoNewPrivileges = true }},
		{"a user with CAP_SYS_ADMIN, in 252", "LockPersonality=yes\nAmbientCapabilities=CAP_SYS_ADMIN", old, func(a *kernel.Attributes) {
			a.Ambient = caps(unix.CAP_SYS_ADMIN)
		}},
		{"a filter that denies prctl, and a user", "SystemCallFilter=~prctl", user, func(a *kernel.Attributes) { a.NoNewPrivileges = true }},
		{"a filter that lacks capset, and a user", "SystemCallFilter=@process prctl capget", user, func(a *kernel.Attributes) { a.NoNewPrivileges = true }},
		{"a filter that has it, and a user", "SystemCallFilter=@system-service", user, func(*kernel.Attributes) {}},
		{"scheduling", "CPUSchedulingPolicy=rr\nCPUSchedulingResetOnFork=yes\nNice=5\nCPUAffinity=numa\nNUMAMask=all\nNUMAPolicy=interleave", able, func(a *kernel.Attributes) {
			a.Scheduler = &kernel.Scheduler{Policy: "rr", Priority: 1, ResetOnFork: true}
			a.Nice, a.CPUAffinity = pointer(5), []int{0, 1, 2, 3}
			a.NUMA = &kernel.NUMAPolicy{Policy: "interleave", Nodes: []int{0, 1}}
		}},
		{"a reset on fork alone", "CPUSchedulingResetOnFork=yes", able, func(*kernel.Attributes) {}},
		{"a local policy has no nodes", "NUMAPolicy=local\nNUMAMask=0", able, func(a *kernel.Attributes) { a.NUMA = &kernel.NUMAPolicy{Policy: "local"} }},
		{"huge pages", "MemoryTHP=disable", able, func(a *kernel.Attributes) { a.DisableTHP = true }},
		{"the rest", "SecureBits=noroot\nKeyringMode=shared\nUMask=0077\nIgnoreSIGPIPE=no\nCoredumpFilter=1\nTimerSlackNSec=7\nMemoryKSM=yes\nOOMScoreAdjust=9\nIOSchedulingClass=idle", able, func(a *kernel.Attributes) {
			a.SecureBits, a.Keyring, a.UMask, a.IgnoreSIGPIPE = 1, "shared", 0o77, false
			a.CoredumpFilter, a.TimerSlack, a.MemoryKSM = pointer(uint64(1)), pointer(uint64(7)), pointer(true)
			a.OOMScoreAdjust, a.IO = pointer(9), &kernel.IOPriority{Class: "idle", Priority: 4}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := kernel.Attributes{Bounding: all, Keyring: "private", UMask: 0o22, IgnoreSIGPIPE: true}
			test.change(&want)
			d, problems := set(t, test.lines).Decide(test.facts)
			if len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
			if diff := cmp.Diff(want, d.Process); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	tests := []struct {
		lines string
		want  []string // the layers' names
	}{
		{"", nil},
		{"RestrictNamespaces=no\nRestrictAddressFamilies=~AF_INET\nRestrictAddressFamilies=AF_INET", nil},
		{"RestrictAddressFamilies=none", []string{"RestrictAddressFamilies"}},
		{"ProtectHostname=private", nil},
		{"ProtectHostname=yes\nProtectClock=yes\nProtectKernelTunables=yes\nPrivateDevices=yes", []string{
			"ProtectKernelTunables", "ProtectClock", "PrivateDevices", "ProtectHostname"}},
		{"ProtectKernelLogs=yes\nProtectKernelModules=yes\nLockPersonality=yes\nSystemCallArchitectures=native\nRestrictRealtime=yes\nRestrictSUIDSGID=yes\nRestrictNamespaces=yes", []string{
			"RestrictRealtime", "RestrictSUIDSGID", "RestrictNamespaces", "ProtectKernelModules", "ProtectKernelLogs", "SystemCallArchitectures", "LockPersonality"}},
		{"SystemCallFilter=read\nSystemCallLog=write", []string{"SystemCallLog", "SystemCallFilter"}},
	}
	for _, test := range tests {
		t.Run(test.lines, func(t *testing.T) {
			d, problems := set(t, test.lines).Decide(able)
			if len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
			var got []string
			for _, l := range d.Filter {
				got = append(got, l.Name)
			}
			if diff := cmp.Diff(test.want, slices.Compact(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What a denied call gets is the entry's own, else what SystemCallErrorNumber says.
func TestFilterActions(t *testing.T) {
	d, _ := set(t, "SystemCallErrorNumber=EACCES\nSystemCallFilter=~mount:EPERM reboot swapon:kill umount2:4000").Decide(able)
	got := map[string]seccomp.Action{}
	for _, r := range d.Filter[0].Rules {
		got[r.Call] = r.Action
	}
	want := map[string]seccomp.Action{"mount": "EPERM", "reboot": "EACCES", "swapon": "kill", "umount2": "4000"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	for _, test := range []struct {
		lines string
		want  map[string]Limit
	}{
		{"", map[string]Limit{}},
		{"LimitNOFILE=5:6", map[string]Limit{"RLIMIT_NOFILE": {5, 6}}},
		{"RestrictRealtime=yes", map[string]Limit{"RLIMIT_RTPRIO": {0, 0}}},
		{"RestrictRealtime=yes\nLimitRTPRIO=5", map[string]Limit{"RLIMIT_RTPRIO": {5, 5}}},
	} {
		d, _ := set(t, test.lines).Decide(able)
		if diff := cmp.Diff(test.want, d.Limits); diff != "" {
			t.Errorf("%s: -want +got:\n%s", test.lines, diff)
		}
	}
}

func TestRest(t *testing.T) {
	d, _ := set(t, "ProtectProc=invisible\nProcSubset=pid\nPrivateNetwork=yes\nProtectKernelTunables=yes\nPrivateDevices=yes\nProtectClock=yes\nRestrictFileSystems=~nfs4 cifs").Decide(able)
	if want := (ProcOptions{"invisible", "pid"}); d.Proc != want {
		t.Errorf("proc: %v", d.Proc)
	}
	if !d.Namespaces.Network {
		t.Error("the network isn't private")
	}
	if diff := cmp.Diff(DevicePolicy{Closed: true, Allow: []string{"char-rtc r"}}, d.Devices); diff != "" {
		t.Errorf("devices: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(&FileSystems{Magics: []uint64{0x6969, 0xfe534d42, 0xff534d42}}, d.FileSystems); diff != "" {
		t.Errorf("file systems: -want +got:\n%s", diff)
	}
	d, _ = New().Decide(able)
	if d.Devices.Closed || len(d.Devices.Allow) > 0 || d.FileSystems != nil || d.Proc != (ProcOptions{}) || d.Namespaces.Network {
		t.Errorf("by default: %+v", d)
	}
}
