package trace

import "golang.org/x/sys/unix"

// compatField is where a task's thread_info tells of a 32-bit system call:
// arch/x86/include/asm/thread_info.h, TS_COMPAT.
const (
	compatField = "status"
	compatMask  = 0x2
)

// x32Bit marks the number of an x32 system call: asm/unistd.h,
// __X32_SYSCALL_BIT.
const x32Bit = 0x40000000

// numberAt is where struct pt_regs has the number of a system call at its end:
// arch/x86/include/uapi/asm/ptrace.h, orig_rax.
const numberAt = 120

// registers are the offsets in struct pt_regs of a system call's arguments, which
// are still there at its end.
func registers(abi ABI) [6]uint16 {
	if abi == Compat {
		return [6]uint16{40, 88, 96, 104, 112, 32} // bx cx dx si di bp
	}
	return [6]uint16{112, 104, 96, 56, 72, 64} // di si dx r10 r8 r9
}

// nativeArch is what seccomp calls the native ABI: linux/audit.h.
const nativeArch = unix.AUDIT_ARCH_X86_64

// isOldMake tells of calls that arm64 doesn't have and that make an entry.
func isOldMake(number int32) bool {
	switch number {
	case unix.SYS_MKDIR, unix.SYS_MKNOD, unix.SYS_SYMLINK, unix.SYS_LINK:
		return true
	}
	return false
}
