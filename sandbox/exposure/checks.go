package exposure

import (
	"slices"

	"golang.org/x/sys/unix"
)

// rules lists the checks in systemd's order. Names, fields, weights and ranges
// are those of src/analyze/analyze-security.c, the same in 252, 257 and 262; the
// missing parenthesis of one field is its own.
func rules() []rule {
	return slices.Concat(accessRules(), capabilityRules(), processRules(), namespaceRules(), familyRules(), callRules(), resourceRules())
}

// accessRules are about what of the host the unit sees.
func accessRules() []rule {
	return []rule{
		{name: "User=/DynamicUser=", field: "UserOrDynamicUser", weight: 2000, worst: 10, find: findUser},
		{name: "SupplementaryGroups=", field: "SupplementaryGroups", weight: 200, find: findGroups,
			good: "It is in no further groups",
			bad:  "It is in further groups, and may use what is theirs"},
		{name: "PrivateDevices=", field: "PrivateDevices", weight: 1000, find: wants(func(v *view) bool { return v.Settings.PrivateDevices }),
			good: "Its /dev has pseudo devices only",
			bad:  "Its /dev may have devices of the hardware"},
		{name: "PrivateMounts=", field: "PrivateMounts", weight: 1000, find: wants(privateMounts),
			good: "What it mounts is seen by itself alone",
			bad:  "What it mounts is seen by the whole system"},
		{name: "PrivateNetwork=", field: "PrivateNetwork", weight: 2500, find: wants(func(v *view) bool { return v.Settings.PrivateNetwork }),
			good: "It has a network of its own, which leads nowhere",
			bad:  "It uses the host's network"},
		{name: "PrivateTmp=", field: "PrivateTmp", weight: 1000, lateOnly: true, find: wants(func(v *view) bool { return on(v.Settings.PrivateTmp) }),
			good: "It has a /tmp of its own",
			bad:  "It shares /tmp with the rest of the system"},
		{name: "PrivateUsers=", field: "PrivateUsers", weight: 1000, find: wants(func(v *view) bool { return on(v.Settings.PrivateUsers) }),
			good: "It has a user namespace of its own",
			bad:  "It is in the user namespace of the host"},
		{name: "ProtectControlGroups=", field: "ProtectControlGroups", weight: 1000, find: wants(func(v *view) bool { return on(v.Settings.ProtectControlGroups) }),
			good: "The tree of control groups is not writable",
			bad:  "The tree of control groups may be writable"},
		{name: "ProtectKernelModules=", field: "ProtectKernelModules", weight: 1000, find: wants(func(v *view) bool { return v.Settings.ProtectKernelModules }),
			good: "Kernel modules are neither readable nor loadable",
			bad:  "Kernel modules may be readable and loadable"},
		{name: "ProtectKernelTunables=", field: "ProtectKernelTunables", weight: 1000, find: wants(func(v *view) bool { return v.Settings.ProtectKernelTunables }),
			good: "Knobs of the kernel, as in /proc/sys, are read-only",
			bad:  "Knobs of the kernel, as in /proc/sys, may be writable"},
		{name: "ProtectKernelLogs=", field: "ProtectKernelLogs", weight: 1000, find: wants(func(v *view) bool { return v.Settings.ProtectKernelLogs }),
			good: "The kernel's log is out of reach",
			bad:  "The kernel's log may be readable and writable"},
		{name: "ProtectClock=", field: "ProtectClock", weight: 1000, find: wants(func(v *view) bool { return v.Settings.ProtectClock }),
			good: "The clocks of system and hardware are out of reach",
			bad:  "The clocks of system and hardware may be set"},
		{name: "ProtectHome=", field: "ProtectHome", weight: 1000, worst: 10, lateOnly: true, find: findHome},
		{name: "ProtectHostname=", field: "ProtectHostname", weight: 50, find: wants(func(v *view) bool { return on(v.Settings.ProtectHostname) }),
			good: "The names of host and domain are out of reach",
			bad:  "The names of host and domain may be set"},
		{name: "ProtectSystem=", field: "ProtectSystem", weight: 1000, worst: 10, lateOnly: true, find: findSystem},
		{name: "RootDirectory=/RootImage=", field: "RootDirectoryOrRootImage", weight: 200, lateOnly: true, find: wants(hasRoot),
			good: "It has a root of its own",
			bad:  "Its root is the host's"},
		{name: "LockPersonality=", field: "LockPersonality", weight: 100, find: wants(func(v *view) bool { return v.Settings.LockPersonality }),
			good: "Its execution domain is fixed",
			bad:  "It may change its execution domain"},
		{name: "MemoryDenyWriteExecute=", field: "MemoryDenyWriteExecute", weight: 100, find: wants(func(v *view) bool { return v.Settings.MemoryDenyWriteExecute }),
			good: "Memory that was writable is never executed",
			bad:  "Memory may be both writable and executable"},
		{name: "NoNewPrivileges=", field: "NoNewPrivileges", weight: 1000, find: wants(func(v *view) bool { return v.Settings.NoNewPrivileges }),
			good: "Executing a program gives no privileges",
			bad:  "Executing a program, such as a setuid one, may give privileges"},
	}
}

// processRules are about attributes of the processes.
func processRules() []rule {
	return []rule{
		{name: "UMask=", field: "UMask", weight: 100, worst: 10, find: findUMask},
		{name: "KeyringMode=", field: "KeyringMode", weight: 1000, find: wants(func(v *view) bool { return v.Settings.KeyringMode == "private" }),
			good: "It has a session keyring to itself",
			bad:  "It shares a session keyring"},
		{name: "ProtectProc=", field: "ProtectProc", weight: 1000, worst: 3, find: findProc,
			good: "Processes of other users are not in /proc",
			bad:  "All processes are in /proc"},
		{name: "ProcSubset=", field: "ProcSubset", weight: 10, find: wants(func(v *view) bool { return v.Settings.ProcSubset == "pid" }),
			good: "/proc has processes only",
			bad:  "/proc has more than processes"},
		{name: "NotifyAccess=", field: "NotifyAccess", weight: 1000, find: wants(func(v *view) bool { return v.NotifyAccess != "all" }),
			good: "Its children can't speak for it to the manager",
			bad:  "All its processes speak for it to the manager"},
		{name: "RemoveIPC=", field: "RemoveIPC", weight: 100, find: findIPC,
			good: "Its user's IPC objects end with it",
			bad:  "Its user's IPC objects outlive it"},
		{name: "Delegate=", field: "Delegate", weight: 100, find: wants(func(v *view) bool { return !v.Delegate }),
			good: "It has no control groups of its own making",
			bad:  "It makes control groups of its own below its own"},
		{name: "RestrictRealtime=", field: "RestrictRealtime", weight: 500, find: wants(func(v *view) bool { return v.Settings.RestrictRealtime }),
			good: "It can't be scheduled as a realtime process",
			bad:  "It may be scheduled as a realtime process"},
		{name: "RestrictSUIDSGID=", field: "RestrictSUIDSGID", weight: 1000, find: wants(func(v *view) bool { return v.Settings.RestrictSUIDSGID }),
			good: "It can't make setuid and setgid files",
			bad:  "It may make setuid and setgid files"},
	}
}

// namespaceRules are about namespaces that the unit may make and enter.
func namespaceRules() []rule {
	kinds := []struct {
		word, text string
		flag       uint64
		weight     int
	}{
		{"user", "user namespaces, in which it has all capabilities", unix.CLONE_NEWUSER, 1500},
		{"mnt", "mount namespaces", unix.CLONE_NEWNS, 500},
		{"ipc", "IPC namespaces", unix.CLONE_NEWIPC, 500},
		{"pid", "PID namespaces", unix.CLONE_NEWPID, 500},
		{"cgroup", "cgroup namespaces", unix.CLONE_NEWCGROUP, 500},
		{"net", "network namespaces", unix.CLONE_NEWNET, 500},
		{"uts", "UTS namespaces", unix.CLONE_NEWUTS, 100},
	}
	var list []rule
	for _, kind := range kinds {
		list = append(list, rule{
			name: "RestrictNamespaces=~" + kind.word, field: "RestrictNamespaces_" + kind.word, weight: kind.weight,
			good: "It can't make " + kind.text,
			bad:  "It may make " + kind.text,
			find: wants(func(v *view) bool {
				n := v.Settings.RestrictNamespaces
				return n.Set && n.Allowed&kind.flag == 0
			}),
		})
	}
	return list
}

// familyRules are about the sockets that the unit may make.
func familyRules() []rule {
	return []rule{
		{name: "RestrictAddressFamilies=~AF_(INET|INET6)", field: "RestrictAddressFamilies_AF_INET_INET6", weight: 1500,
			find: wants(func(v *view) bool { return v.families.inet }),
			good: "It can't make sockets of the Internet's protocols",
			bad:  "It may make sockets of the Internet's protocols"},
		{name: "RestrictAddressFamilies=~AF_UNIX", field: "RestrictAddressFamilies_AF_UNIX", weight: 25,
			find: wants(func(v *view) bool { return v.families.local }),
			good: "It can't make local sockets",
			bad:  "It may make local sockets"},
		{name: "RestrictAddressFamilies=~AF_NETLINK", field: "RestrictAddressFamilies_AF_NETLINK", weight: 200,
			find: wants(func(v *view) bool { return v.families.netlink }),
			good: "It can't make netlink sockets",
			bad:  "It may make netlink sockets, and talk to the kernel"},
		{name: "RestrictAddressFamilies=~AF_PACKET", field: "RestrictAddressFamilies_AF_PACKET", weight: 1000,
			find: wants(func(v *view) bool { return v.families.packet }),
			good: "It can't make packet sockets",
			bad:  "It may make packet sockets, and see all traffic"},
		{name: "RestrictAddressFamilies=~…", field: "RestrictAddressFamilies_OTHER", weight: 1250,
			find: wants(func(v *view) bool { return v.families.other }),
			good: "It can't make sockets of rare kinds",
			bad:  "It may make sockets of rare kinds, whose code few have tried"},
	}
}

// callRules are about system calls.
func callRules() []rule {
	groups := []struct {
		group, field string
		weight       int
	}{
		{"@swap", "swap", 1000}, {"@obsolete", "obsolete", 250}, {"@clock", "clock", 1000},
		{"@cpu-emulation", "cpu_emulation", 250}, {"@debug", "debug", 1000}, {"@mount", "mount", 1000},
		{"@module", "module", 1000}, {"@raw-io", "raw_io", 1000}, {"@reboot", "reboot", 1000},
		{"@privileged", "privileged", 700}, {"@resources", "resources", 700},
	}
	list := []rule{{name: "SystemCallArchitectures=", field: "SystemCallArchitectures", weight: 1000, worst: 10, find: findArchitectures}}
	for _, g := range groups {
		list = append(list, rule{name: "SystemCallFilter=~" + g.group, field: "SystemCallFilter_" + g.field, weight: g.weight, worst: 10, find: lacks(g.group)})
	}
	return list
}

// resourceRules are about addresses, devices and ambient capabilities.
func resourceRules() []rule {
	return []rule{
		{name: "IPAddressDeny=", field: "IPAddressDeny", weight: 1000, worst: 10, find: findAddresses},
		{name: "DeviceAllow=", field: "DeviceAllow", weight: 1000, worst: 10, find: findDevices},
		{name: "AmbientCapabilities=", field: "AmbientCapabilities", weight: 500,
			find: wants(func(v *view) bool { return v.Settings.AmbientCapabilities == 0 }),
			good: "No capability survives the execution of a program by itself",
			bad:  "Capabilities survive the execution of any program"},
	}
}
