package exposure

import (
	"runtime"
	"slices"
)

// native tells whether the machine's own ABI has a system call of the groups that
// are checked. Those that only others have can't make a filter bad: systemd asks
// libseccomp, as does this list.
func native(call string) bool {
	if slices.Contains(elsewhere[:], call) {
		return false
	}
	return runtime.GOARCH != "arm64" || !slices.Contains(onlyOld[:], call)
}

// elsewhere has calls of the groups that neither x86-64 nor aarch64 has.
var elsewhere = [...]string{
	"bdflush", "break", "chown32", "clock_adjtime64", "clock_settime64", "fchown32", "ftime", "gtty",
	"idle", "lchown32", "lock", "mpx", "nice", "pciconfig_iobase", "pciconfig_read", "pciconfig_write",
	"prof", "profil", "rtas", "s390_pci_mmio_read", "s390_pci_mmio_write", "s390_runtime_instr",
	"setfsgid32", "setfsuid32", "setgid32", "setgroups32", "setregid32", "setresgid32", "setresuid32",
	"setreuid32", "setuid32", "sgetmask", "ssetmask", "stime", "stty", "subpage_prot", "switch_endian",
	"sys_debug_setcontext", "ulimit", "umount", "vm86", "vm86old",
}

// onlyOld has calls of the groups that x86-64 has and aarch64, which is younger,
// doesn't.
var onlyOld = [...]string{
	"_sysctl", "afs_syscall", "chown", "create_module", "get_kernel_syms", "getpmsg", "ioperm", "iopl",
	"lchown", "modify_ldt", "putpmsg", "query_module", "security", "sysfs", "tuxcall", "uselib",
	"ustat", "vserver",
}
