package integration

// Reasons that several differences share.
const (
	overMachine    = "user namespace: the kernel wants the capability over the machine, and a container's root has it over the container"
	ownersOfHost   = "user namespace: the file belongs to the host's root, who isn't mapped"
	ownTmpfs       = "the container's own: /dev, /run, /tmp and /proc are new, and hold nothing of the host's"
	lockedMounts   = "locked mounts: what a setting made read-only or hid can't be undone inside, by systemd's services it can"
	maskedFile     = "masked: an empty file stands there"
	fileUnreadable = "user namespace: the empty file over it belongs to no one there, so that its mode holds for root too"
	moreABIs       = "the filter holds for i386 and for what socketcall(2) and ipc(2) carry; systemd's doesn't"
	otherErrno     = "both deny: systemd answers ENOSYS to calls of i386 that x86-64 hasn't, as it knows groups by x86-64's names"
	noX32          = "uretprobe(2) and uprobe(2) have a number, and no call, in x32: berth answers as the kernel does"
	newerCalls     = "systemd's libseccomp doesn't know the call yet; berth knows it by its number"
	ownNamespace   = "PrivateUsers: systemd's user namespace holds one or all IDs and owns none of the other namespaces; a container's owns them all, and has capabilities over these alone"
	hostKeyrings   = "the host's keyrings are never a container's"
	silentFailure  = "systemd leaves /run writable where procfs is mounted anew as well; berth doesn't"
)

// reviewed are the differences that are right as they are.
func reviewed() []reviewedDifference {
	return []reviewedDifference{
		// Without any setting.
		{"", "account processes in *|adjtimex|clock_adjtime|set the time zone|alarm timer of *", stricter, overMachine},
		{"", "console level|read the kernel's log|size of the kernel's log|listen to the audit", stricter, overMachine},
		{"", "count all events|list BPF programs|make a BPF map|userfaultfd", stricter, overMachine},
		{"", "lock memory|lower nice|realtime I/O|schedule as FIFO|schedule as RR|schedule by deadline", stricter, overMachine},
		{"", "set a file immutable|set attribute *|open by handle|watch whole file systems|lease another's file", stricter, overMachine},
		{"", "swap to *|no longer swap to *|vhangup|force a buffer's size|enter time|enter any, time", stricter, overMachine},
		{"", "make a node of *|open a new node of *|mount bpf|mount debugfs|mount devtmpfs|mount hugetlbfs|mount securityfs|mount tracefs", stricter, overMachine},
		{"", "mount proc|mount sysfs", stricter, "masks: the kernel allows no new procfs or sysfs where those that are there are partly covered"},
		{"", "unmount /proc|bind /|bind /proc|bind /sys|make read-only /|make writable *", stricter, lockedMounts},
		{"", "write /proc/sys/*|try to write /proc/*|try to write /sys/*|open /proc/slabinfo|open /proc/vmallocinfo", stricter, ownersOfHost},
		{"", "write /proc/sys/user/max_*", looser, "user namespace: these limits are its own, below the host's"},
		{"", "keep the mode of /proc|keep the mode of /sys", stricter, ownersOfHost},
		{"", "content /*/probe-marker", stricter, ownTmpfs},
		{"", "create in /run/*|list /run|list /run/*|list /tmp|list /proc/1/fd|open /run/*", stricter, ownTmpfs},
		{"", "read /dev/*|write /dev/*", stricter, ownTmpfs},
		{"", "open /sys/firmware/*|read /proc/kallsyms", stricter, "masked: it tells about the host"},
		{"", "unmount /tmp", looser, ownTmpfs},
		{"", "environment LANG", stricter, "the container's environment is berth's"},
		{"", "environment HOME|environment LOGNAME|environment SHELL|environment USER|environment container", looser, "the container's environment is berth's"},

		// Mounts.
		{"*Paths=*|*Directory=*|TemporaryFileSystem=*|Protect*=*|PrivateDevices=yes", "bind /|bind /dev|bind /usr|clone a tree of /usr", stricter, lockedMounts},
		{"*Paths=*|TemporaryFileSystem=*|Protect*=*", "make writable /srv/probe|make writable /usr|make writable /etc|make writable /proc/sys|unmount *", stricter, lockedMounts},
		{"InaccessiblePaths=/proc/cpuinfo", "open /proc/cpuinfo", stricter, fileUnreadable},
		{"InaccessiblePaths=/srv/probe/data", "open /srv/probe/data|content /srv/probe/data", stricter, fileUnreadable},
		{"ProtectKernelLogs=yes", "open /proc/kmsg", stricter, fileUnreadable},
		{"ProtectKernelTunables=yes", "open /proc/kallsyms", stricter, fileUnreadable},
		{"*", "open /proc/kmsg", looser, maskedFile},
		{"ProtectSystem=strict *ProcSubset=pid*", "create in /run|execute a copy in /run|keep the mode of /run", stricter, silentFailure},
		{"*ProcSubset=pid*", "list /proc/1/fd|open /proc/1/*|try to write /proc/1/*", stricter, "with hidepid= and no capabilities, PID 1 isn't there"},
		{"ProtectHome=tmpfs", "create in *|execute a copy in *|keep the mode of *", stricter, "systemd 252 mounts these file systems writable, later ones and berth read-only"},
		{"PrivateBPF=yes", "list /sys/fs/bpf", stricter, "no BPF file system is in a container, not even one of its own"},
		{"ConfigurationDirectory=probe", "create in /etc/probe", stricter, "configuration is the host's: berth mounts it read-only"},

		// System calls.
		{"RestrictAddressFamilies=*", "filter i386 *", stricter, moreABIs},
		{"MemoryDenyWriteExecute=*|*MemoryDenyWriteExecute=yes*", "filter *|set personality READ_IMPLIES_EXEC", stricter,
			"a filter stands behind PR_SET_MDWE, which systemd uses alone from 254 on; it holds for all ABIs"},
		{"RestrictSUIDSGID=yes|*RestrictSUIDSGID=yes*", "filter * open O_TMPFILE *|filter * openat O_TMPFILE *", stricter,
			"systemd looks at O_CREAT alone, and O_TMPFILE makes a file too"},
		{"RestrictRealtime=yes|*RestrictRealtime=yes*", "filter * sched_setattr|filter x86-64 314|filter i386 351|filter x32 314|schedule by deadline", stricter,
			"systemd leaves sched_setattr(2) open, whose policy is out of a filter's sight"},
		{"SystemCallFilter=*", "filter i386 *", other, otherErrno},
		{"SystemCallFilter=*", "filter x32 335|filter x32 336", stricter, noX32},
		{"SystemCallFilter=*", "filter x32 336", other, noX32},
		{"*MemoryDenyWriteExecute=yes*", "prctl mdwe|status Seccomp", other, "systemd uses a filter until 253 and PR_SET_MDWE from 254 on, berth both"},
		{"SystemCallFilter=@known *", "filter x32 453", looser, "@known names map_shadow_stack(2), of which systemd 252's libseccomp doesn't know the number in x32"},
		{"SystemCallFilter=~@file-system *", "filter * 468|filter * 469", stricter, newerCalls},
		{"SystemCallFilter=~@basic-io *", "filter * 1|filter i386 4", stricter, "systemd keeps write(2) for its own last message before it executes the program"},

		// Capabilities and users.
		{"CapabilityBoundingSet=*|SecureBits=*", "write /proc/sys/net/*", stricter,
			"user namespace: the network's tunables take the capability over the network namespace, for want of being their owner"},
		{"CapabilityBoundingSet=~CAP_SYS_PTRACE", "open /proc/1/environ", stricter, "PID 1 of a container has all capabilities"},
		{"PrivateUsers=*", "bind *|clone a tree of *|enter *|enter any, *|mount *|unmount *|fsmount|move_mount|open a context of *|set nothing of the mount *|pivot_root *", looser, ownNamespace},
		{"PrivateUsers=*", "bind a low port|raw socket*|packet socket|datagram socket of family 17|look at denied shared memory", looser, ownNamespace},
		{"PrivateUsers=*", "open /proc/1/environ|see PID 1's *|try to write /proc/1/mem|reboot without the magic|set the *'s name|setgroups", looser, ownNamespace},
		{"PrivateUsers=yes", "as nobody, *|change the mode of another's file|give a file away|keep the bit of another's group|setres*|signal another's process", looser, ownNamespace},

		// The process.
		{"CPUSchedulingPolicy=idle", "schedule as batch", stricter, overMachine},
		{"KeyringMode=inherit", "keyring session", other, hostKeyrings},
		{"KeyringMode=inherit", "keyring of the user", stricter, hostKeyrings},
		{"OOMScoreAdjust=-100", "start", stricter, "it takes CAP_SYS_RESOURCE, which this machine hasn't: systemd passes over it, and berth refuses"},
		{"ProtectHome=yes ReadWritePaths=/home", "start", stricter, "one setting makes void what the other asks for: an error that says so"},
	}
}
