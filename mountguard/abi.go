package mountguard

import (
	"fmt"
	"runtime"
)

// callNumbers are a system call's numbers, from the kernel's tables of Linux 6.18:
// arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl, scripts/syscall.tbl
// for arm64, arch/arm/tools/syscall.tbl. x32 has the numbers of x86-64 with
// x32Bit in them. absent: the ABI hasn't got the call.
type callNumbers struct {
	name                    string
	amd64, i386, arm64, arm uint32
}

const absent = ^uint32(0)

// calls returns what changes mounts. open_tree(2) isn't among it, as it only makes
// copies, which keep their locks. Calls that came later have the same number
// everywhere: 424 and above.
func calls() [11]callNumbers {
	return [...]callNumbers{
		{"mount", 165, 21, 40, 21},
		{"umount", absent, 22, absent, absent}, // oldumount: without flags
		{"umount2", 166, 52, 39, 52},
		{"pivot_root", 155, 217, 41, 218},
		{"move_mount", 429, 429, 429, 429},
		{"fsopen", 430, 430, 430, 430},
		{"fsconfig", 431, 431, 431, 431},
		{"fsmount", 432, 432, 432, 432},
		{"fspick", 433, 433, 433, 433},
		{"mount_setattr", 442, 442, 442, 442},
		{"open_tree_attr", 467, 467, 467, 467}, // Linux 6.15
	}
}

// AUDIT_ARCH_* of the kernel's linux/audit.h.
const (
	archAMD64 = 0xc000003e
	archI386  = 0x40000003
	archARM64 = 0xc00000b7
	archARM   = 0x40000028
)

// x32Bit is __X32_SYSCALL_BIT of the kernel's asm/unistd.h. Calls of x32 have
// registers of 64 bits and the AUDIT_ARCH of x86-64.
const x32Bit = 0x40000000

// abi is a way into the kernel.
type abi struct {
	arch   uint32
	bits   uint32 // those of a number that don't say which call it is
	narrow bool   // registers have 32 bits
	number func(callNumbers) uint32
}

func abiOf(arch uint32) (abi, bool) {
	switch arch {
	case archAMD64:
		return abi{arch, x32Bit, false, func(n callNumbers) uint32 { return n.amd64 }}, true
	case archI386:
		return abi{arch, 0, true, func(n callNumbers) uint32 { return n.i386 }}, true
	case archARM64:
		return abi{arch, 0, false, func(n callNumbers) uint32 { return n.arm64 }}, true
	case archARM:
		return abi{arch, 0, true, func(n callNumbers) uint32 { return n.arm }}, true
	}
	return abi{}, false
}

// localArchs are those that a kernel may accept from programs of this machine.
func localArchs() ([]uint32, error) {
	switch runtime.GOARCH {
	case "amd64":
		return []uint32{archAMD64, archI386}, nil
	case "arm64":
		return []uint32{archARM64, archARM}, nil
	}
	return nil, fmt.Errorf("cannot guard mounts on %s: its system calls aren't known", runtime.GOARCH)
}

// callName returns the name of a system call, "" for one that isn't about mounts.
func (a abi) callName(number int32) string {
	for _, n := range calls() {
		if nr := a.number(n); nr != absent && nr == uint32(number)&^a.bits {
			return n.name
		}
	}
	return ""
}

// Limits and flags that golang.org/x/sys/unix lacks, of the kernel's headers.
const (
	maxPath           = 4096       // PATH_MAX, with the NUL: linux/limits.h
	magicMask         = 0xffff0000 // MS_MGC_MSK: linux/mount.h
	magicValue        = 0xc0ed0000 // MS_MGC_VAL
	noUser            = 0x80000000 // MS_NOUSER
	moveSetGroup      = 0x100      // MOVE_MOUNT_SET_GROUP, Linux 5.15
	moveBeneath       = 0x200      // MOVE_MOUNT_BENEATH, Linux 6.5
	openTreeNamespace = 0x2        // OPEN_TREE_NAMESPACE, Linux 7.0
	attrSize          = 32         // MOUNT_ATTR_SIZE_VER0
	cmdReconfigure    = 7          // FSCONFIG_CMD_RECONFIGURE
)
