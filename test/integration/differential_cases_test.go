package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// testCase is settings that systemd and berth are given, each NAME=VALUE: one
// assignment, as a line of a unit file.
type testCase struct {
	settings     []string
	since        int    // the first systemd that has them
	only         string // the probe's argument, where little is of interest
	mayDoNothing bool   // under systemd they change nothing that the probe sees
	directories  bool   // they make directories of the name probe, which stay
}

// name is the case as users write it.
func (c testCase) name() string { return strings.Join(c.settings, " ") }

// container is the text of a container with these settings and no others. Without
// mountguard, which would answer where the probe asks what filters say.
func (c testCase) container() string {
	var names []string
	values := map[string][]string{}
	for _, s := range c.settings {
		name, value, _ := strings.Cut(s, "=")
		if values[name] == nil {
			names = append(names, name)
		}
		values[name] = append(values[name], strconv.Quote(value))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "profile = \"./bare-profile.toml\"\n[root]\ndirectory = \"/srv/tree\"\n[process]\nhostname = \"probe\"\nterminal = false\n[mountguard]\nenabled = false\n[sandbox]\n")
	for _, name := range names {
		if len(values[name]) == 1 {
			fmt.Fprintf(&b, "%s = %s\n", name, values[name][0])
		} else {
			fmt.Fprintf(&b, "%s = [%s]\n", name, strings.Join(values[name], ", "))
		}
	}
	return b.String()
}

// needed is what the probe needs to look at filters.
const needed = "SystemCallFilter=clone fork wait4 ptrace seccomp prctl write"

// unusual is an errno that no system call returns by itself.
const unusual = "ENOTNAM"

// groupCases deny each group, and allow nothing but it and what the probe needs
// to look at filters.
func groupCases(groups []string) []testCase {
	var list []string
	for _, group := range groups {
		list = append(list,
			"SystemCallFilter=~"+group+"; SystemCallErrorNumber="+unusual,
			"SystemCallFilter="+group+"; "+needed+"; SystemCallErrorNumber="+unusual)
	}
	return like(testCase{only: "filters-only"}, list...)
}

// like are cases that are otherwise like one, of settings with "; " between them.
func like(c testCase, list ...string) []testCase {
	var cases []testCase
	for _, settings := range list {
		c.settings = strings.Split(settings, "; ")
		cases = append(cases, c)
	}
	return cases
}

// differentialCases are each setting with each value that means something of its
// own, and some together.
func differentialCases() []testCase {
	return slices.Concat(
		protectionCases(), pathCases(), callCases(), capabilityCases(), processCases(), hostCases(), idleCases(),
		like(testCase{}, everything),
	)
}

// everything is what a service takes that needs nothing.
const everything = "ProtectSystem=strict; ProtectHome=yes; PrivateTmp=yes; PrivateDevices=yes; ProtectKernelTunables=yes; " +
	"ProtectKernelModules=yes; ProtectKernelLogs=yes; ProtectControlGroups=yes; ProtectClock=yes; ProtectHostname=yes; " +
	"ProtectProc=invisible; ProcSubset=pid; PrivateNetwork=yes; PrivateIPC=yes; PrivateUsers=yes; RestrictNamespaces=yes; " +
	"RestrictRealtime=yes; RestrictSUIDSGID=yes; LockPersonality=yes; MemoryDenyWriteExecute=yes; NoNewPrivileges=yes; " +
	"RestrictAddressFamilies=AF_UNIX; SystemCallArchitectures=native; SystemCallFilter=@system-service ptrace; " +
	"SystemCallErrorNumber=EPERM; CapabilityBoundingSet=; UMask=0077; KeyringMode=private"

func protectionCases() []testCase {
	return slices.Concat(
		like(testCase{},
			"ProtectSystem=yes", "ProtectSystem=full", "ProtectSystem=strict",
			"ProtectHome=yes", "ProtectHome=read-only", "ProtectHome=tmpfs",
			"ProtectProc=noaccess", "ProtectProc=invisible", "ProtectProc=ptraceable", "ProcSubset=pid",
			"ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectClock=yes",
			"ProtectControlGroups=yes", "ProtectHostname=yes",
			"PrivateTmp=yes", "PrivateDevices=yes", "PrivateNetwork=yes", "PrivateIPC=yes", "PrivateUsers=yes", "PrivateMounts=yes"),
		like(testCase{since: 257},
			"ProtectControlGroups=private", "ProtectControlGroups=strict", "PrivatePIDs=yes", "PrivateUsers=identity",
			"PrivateTmp=disconnected", "BindLogSockets=yes"),
		like(testCase{since: 258}, "ProtectHostname=private", "PrivateUsers=full", "PrivateBPF=yes"),
	)
}

// pathCases are about what withProbe puts below /srv/probe.
func pathCases() []testCase {
	return like(testCase{},
		"ReadOnlyPaths=/srv/probe", "ReadOnlyPaths=/",
		"ReadOnlyPaths=/srv/probe; ReadWritePaths=/srv/probe/inner",
		"ProtectSystem=strict; ReadWritePaths=/srv/probe /var/lib",
		"ProtectSystem=strict; ReadWritePaths=/",
		"ProtectHome=yes; ReadWritePaths=/home",
		"InaccessiblePaths=/srv/probe", "InaccessiblePaths=/srv/probe/data", "InaccessiblePaths=/proc/cpuinfo", "InaccessiblePaths=/dev/shm",
		"InaccessiblePaths=/srv/probe; ReadOnlyPaths=/srv/probe/inner",
		"InaccessiblePaths=/srv/probe; InaccessiblePaths=; ReadOnlyPaths=/opt",
		"NoExecPaths=/; ExecPaths=/usr",
		"NoExecPaths=/srv/probe; ExecPaths=/srv/probe/inner",
		"NoExecPaths=/tmp /run /dev/shm",
		"TemporaryFileSystem=/srv/probe", "TemporaryFileSystem=/srv/probe:ro", "TemporaryFileSystem=/opt:mode=0700,noexec",
		"TemporaryFileSystem=/srv:ro; BindPaths=/srv/probe/inner",
		"BindPaths=/srv/probe/data:/srv/probe/bound",
		"BindPaths=/srv/probe/other:/srv/probe/empty",
		"BindReadOnlyPaths=/srv/probe/other:/srv/probe/empty",
	)
}

func callCases() []testCase {
	return slices.Concat(
		like(testCase{},
			"RestrictAddressFamilies=AF_UNIX", "RestrictAddressFamilies=AF_INET AF_INET6", "RestrictAddressFamilies=~AF_UNIX",
			"RestrictAddressFamilies=~AF_NETLINK AF_PACKET", "RestrictAddressFamilies=none",
			"RestrictNamespaces=yes", "RestrictNamespaces=user", "RestrictNamespaces=~user", "RestrictNamespaces=mnt net pid",
			"RestrictNamespaces=~mnt", "RestrictNamespaces=cgroup ipc uts",
			"RestrictRealtime=yes", "RestrictSUIDSGID=yes", "MemoryDenyWriteExecute=yes", "NoNewPrivileges=yes",
			"LockPersonality=yes", "Personality=x86", "Personality=x86; LockPersonality=yes",
			"SystemCallArchitectures=native", "SystemCallArchitectures=x86-64 x86", "SystemCallArchitectures=x86-64 x32",
			"SystemCallFilter=~@clock", "SystemCallFilter=~@clock; SystemCallErrorNumber=EACCES",
			"SystemCallFilter=~@clock:EILSEQ @module:kill", "SystemCallFilter=~bpf:ENOSYS",
			"SystemCallFilter=~@mount; SystemCallFilter=mount; SystemCallErrorNumber=EPERM",
			"SystemCallFilter=~chmod; SystemCallFilter=; SystemCallFilter=~chown",
			"SystemCallFilter=@system-service ptrace; SystemCallErrorNumber=EPERM",
			"SystemCallFilter=@system-service ptrace; SystemCallFilter=~@privileged; SystemCallErrorNumber=EPERM"),
		like(testCase{only: "filters-only"},
			"SystemCallFilter=@system-service; "+needed,
			"SystemCallFilter=@system-service; SystemCallArchitectures=native; "+needed,
			"SystemCallFilter=@known; "+needed),
	)
}

func capabilityCases() []testCase {
	return like(testCase{},
		"CapabilityBoundingSet=", "CapabilityBoundingSet=CAP_CHOWN CAP_SETUID", "CapabilityBoundingSet=~CAP_SYS_ADMIN",
		"CapabilityBoundingSet=~CAP_SYS_PTRACE", "CapabilityBoundingSet=~CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE",
		"CapabilityBoundingSet=~CAP_SETUID CAP_SETGID CAP_SETPCAP", "CapabilityBoundingSet=~CAP_MKNOD CAP_SYS_RAWIO CAP_SYS_MODULE",
		"CapabilityBoundingSet=~CAP_CHOWN CAP_FOWNER CAP_FSETID CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH",
		"CapabilityBoundingSet=~CAP_SYS_TIME CAP_SYS_BOOT CAP_SYSLOG CAP_WAKE_ALARM CAP_SYS_NICE CAP_SYS_CHROOT",
		"CapabilityBoundingSet=~CAP_KILL CAP_IPC_OWNER CAP_LEASE CAP_SETFCAP CAP_AUDIT_READ CAP_BPF CAP_PERFMON",
		"CapabilityBoundingSet=CAP_NET_BIND_SERVICE; AmbientCapabilities=CAP_NET_BIND_SERVICE",
		"AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_CHOWN",
		"SecureBits=noroot", "SecureBits=keep-caps no-setuid-fixup", "SecureBits=noroot-locked; AmbientCapabilities=CAP_CHOWN",
		"NoNewPrivileges=yes; CapabilityBoundingSet=~CAP_SYS_ADMIN; RestrictRealtime=yes",
	)
}

func processCases() []testCase {
	return slices.Concat(
		like(testCase{},
			"KeyringMode=inherit", "KeyringMode=shared", "LimitNOFILE=512", "LimitMEMLOCK=64K", "Nice=5", "Nice=-5",
			"CPUSchedulingPolicy=batch", "CPUSchedulingPolicy=idle", "CPUSchedulingPolicy=rr; CPUSchedulingPriority=10",
			"CPUSchedulingPolicy=fifo; CPUSchedulingPriority=3; CPUSchedulingResetOnFork=yes"),
		like(testCase{only: "state-only"},
			"UMask=0077", "UMask=0002", "LimitNOFILE=256:512", "LimitCORE=infinity", "LimitNPROC=4000", "LimitSTACK=4M:16M",
			"LimitCPU=60", "LimitFSIZE=1G", "LimitMSGQUEUE=100000", "LimitRTTIME=1s", "OOMScoreAdjust=500",
			"IOSchedulingClass=idle", "IOSchedulingClass=best-effort; IOSchedulingPriority=6",
			"CPUAffinity=0", "CPUAffinity=1", "NUMAPolicy=bind; NUMAMask=0",
			"TimerSlackNSec=1ms", "CoredumpFilter=private-anonymous elf-headers", "IgnoreSIGPIPE=no"),
		like(testCase{only: "state-only", since: 254}, "MemoryKSM=yes"),
	)
}

// hostCases are about what the host gives.
func hostCases() []testCase {
	return slices.Concat(
		like(testCase{directories: true},
			"StateDirectory=probe", "CacheDirectory=probe", "LogsDirectory=probe", "RuntimeDirectory=probe", "ConfigurationDirectory=probe",
			"ProtectSystem=strict; StateDirectory=probe", "StateDirectory=probe; StateDirectoryMode=0700"),
		like(testCase{only: "state-only"},
			"SetCredential=first:text", "LoadCredential=second:/srv/probe/data",
			"LoadCredential=second:/srv/probe/data; SetCredential=third:more",
			"Environment=A=b", "EnvironmentFile=/srv/probe/environment"),
		like(testCase{}, "UnsetEnvironment=PATH"),
	)
}

// idleCases change nothing under systemd that the probe sees, nor may they here.
func idleCases() []testCase {
	return slices.Concat(
		like(testCase{mayDoNothing: true},
			"Personality=x86-64", "ReadOnlyPaths=-/srv/nothing", "BindPaths=-/srv/nothing:/srv/probe/empty", "MountAPIVFS=yes",
			"SystemCallLog=@clock", "SystemCallLog=~@system-service"),
		// The last three can't be done by systemd where the machine has no CAP_SYS_RESOURCE.
		like(testCase{mayDoNothing: true, only: "state-only"},
			"KeyringMode=private", "EnvironmentFile=-/srv/nothing", "Environment=A=b; UnsetEnvironment=A",
			"LimitRTPRIO=10", "LimitNICE=+5", "OOMScoreAdjust=-100"),
	)
}
