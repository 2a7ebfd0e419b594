package exposure

import (
	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// capabilityRules are about what the bounding set leaves; one capability of a
// group is enough.
func capabilityRules() []rule {
	groups := []struct {
		name, field string
		weight      int
		caps        kernel.Caps
		text        string // what it can do with them
	}{
		{"CAP_SYS_ADMIN", "CAP_SYS_ADMIN", 1500, kernel.CapSet(unix.CAP_SYS_ADMIN),
			"administer the system"},
		{"CAP_SET(UID|GID|PCAP)", "CAP_SET_UID_GID_PCAP", 1500, kernel.CapSet(unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_SETPCAP),
			"become other users and groups"},
		{"CAP_SYS_PTRACE", "CAP_SYS_PTRACE", 1500, kernel.CapSet(unix.CAP_SYS_PTRACE),
			"trace processes of others"},
		{"CAP_SYS_TIME", "CAP_SYS_TIME", 1000, kernel.CapSet(unix.CAP_SYS_TIME),
			"set the clocks"},
		{"CAP_NET_ADMIN", "CAP_NET_ADMIN", 1000, kernel.CapSet(unix.CAP_NET_ADMIN),
			"configure its network"},
		{"CAP_SYS_RAWIO", "CAP_SYS_RAWIO", 1000, kernel.CapSet(unix.CAP_SYS_RAWIO),
			"reach I/O ports and memory directly"},
		{"CAP_SYS_MODULE", "CAP_SYS_MODULE", 1000, kernel.CapSet(unix.CAP_SYS_MODULE),
			"load kernel modules"},
		{"CAP_AUDIT_*", "CAP_AUDIT", 500, kernel.CapSet(unix.CAP_AUDIT_CONTROL, unix.CAP_AUDIT_READ, unix.CAP_AUDIT_WRITE),
			"read, write or configure the audit log"},
		{"CAP_SYSLOG", "CAP_SYSLOG", 500, kernel.CapSet(unix.CAP_SYSLOG),
			"read and clear the kernel's log"},
		{"CAP_SYS_(NICE|RESOURCE)", "CAP_SYS_NICE_RESOURCE", 500, kernel.CapSet(unix.CAP_SYS_NICE, unix.CAP_SYS_RESOURCE),
			"raise priorities and limits"},
		{"CAP_MKNOD", "CAP_MKNOD", 500, kernel.CapSet(unix.CAP_MKNOD),
			"make device nodes"},
		{"CAP_(CHOWN|FSETID|SETFCAP)", "CAP_CHOWN_FSETID_SETFCAP", 1000, kernel.CapSet(unix.CAP_CHOWN, unix.CAP_FSETID, unix.CAP_SETFCAP),
			"give files owners, special modes and capabilities"},
		{"CAP_(DAC_*|FOWNER|IPC_OWNER)", "CAP_DAC_FOWNER_IPC_OWNER", 1000,
			kernel.CapSet(unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_IPC_OWNER),
			"pass over the permissions of files and IPC objects"},
		{"CAP_KILL", "CAP_KILL", 500, kernel.CapSet(unix.CAP_KILL),
			"signal processes of others"},
		{"CAP_NET_(BIND_SERVICE|BROADCAST|RAW)", "CAP_NET_BIND_SERVICE_BROADCAST_RAW)", 500,
			kernel.CapSet(unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_BROADCAST, unix.CAP_NET_RAW),
			"take low ports or send raw packets"},
		{"CAP_SYS_BOOT", "CAP_SYS_BOOT", 100, kernel.CapSet(unix.CAP_SYS_BOOT),
			"reboot"},
		{"CAP_MAC_*", "CAP_MAC", 100, kernel.CapSet(unix.CAP_MAC_ADMIN, unix.CAP_MAC_OVERRIDE),
			"change or pass over mandatory access control"},
		{"CAP_LINUX_IMMUTABLE", "CAP_LINUX_IMMUTABLE", 75, kernel.CapSet(unix.CAP_LINUX_IMMUTABLE),
			"make files immutable"},
		{"CAP_IPC_LOCK", "CAP_IPC_LOCK", 50, kernel.CapSet(unix.CAP_IPC_LOCK),
			"keep memory from being swapped out"},
		{"CAP_SYS_CHROOT", "CAP_SYS_CHROOT", 50, kernel.CapSet(unix.CAP_SYS_CHROOT),
			"change its root"},
		{"CAP_BLOCK_SUSPEND", "CAP_BLOCK_SUSPEND", 25, kernel.CapSet(unix.CAP_BLOCK_SUSPEND),
			"keep the machine awake"},
		{"CAP_WAKE_ALARM", "CAP_WAKE_ALARM", 25, kernel.CapSet(unix.CAP_WAKE_ALARM),
			"wake the machine up"},
		{"CAP_LEASE", "CAP_LEASE", 25, kernel.CapSet(unix.CAP_LEASE),
			"take leases on files of others"},
		{"CAP_SYS_TTY_CONFIG", "CAP_SYS_TTY_CONFIG", 25, kernel.CapSet(unix.CAP_SYS_TTY_CONFIG),
			"hang up terminals"},
		{"CAP_SYS_PACCT", "CAP_SYS_PACCT", 25, kernel.CapSet(unix.CAP_SYS_PACCT),
			"switch process accounting"},
		{"CAP_BPF", "CAP_BPF", 25, kernel.CapSet(unix.CAP_BPF),
			"load BPF programs"},
	}
	var list []rule
	for _, g := range groups {
		list = append(list, rule{
			name: "CapabilityBoundingSet=~" + g.name, field: "CapabilityBoundingSet_" + g.field, weight: g.weight,
			good: "It has no capability to " + g.text,
			bad:  "It may have the capability to " + g.text,
			find: wants(func(v *view) bool { return v.Settings.CapabilityBoundingSet&g.caps == 0 }),
		})
	}
	return list
}
