package trace

import "golang.org/x/sys/unix"

// compatField is where a task's thread_info tells of a 32-bit system call:
// arch/arm64/include/asm/thread_info.h, TIF_32BIT.
const (
	compatField = "flags"
	compatMask  = 1 << 22
)

// x32Bit marks no number here.
const x32Bit = 0

// numberAt is where struct pt_regs has the number of a system call:
// arch/arm64/include/asm/ptrace.h, syscallno.
const numberAt = 280

// registers are the offsets in struct pt_regs of a system call's arguments, at
// its end: x0 has the result, orig_x0 what it was.
func registers(ABI) [6]uint16 { return [6]uint16{272, 8, 16, 24, 32, 40} }

// nativeArch is what seccomp calls the native ABI: linux/audit.h.
const nativeArch = unix.AUDIT_ARCH_AARCH64

// isOldMake tells of calls that arm64 doesn't have.
func isOldMake(int32) bool { return false }
