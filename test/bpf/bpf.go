// Package bpf interprets filters of system calls as the kernel does, for tests
// that ask what a filter says without making the call:
//
//	ret, err := bpf.Judge([][]byte{program}, bpf.Call{Arch: 0xc000003e, Number: 165})
//
// It knows the instructions that compilers of filters use, on machines that are
// little-endian, and takes others for errors.
package bpf

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Call is struct seccomp_data: what a filter knows of a system call. See
// seccomp(2).
type Call struct {
	Number, Arch uint32 // Arch is AUDIT_ARCH_*
	Pointer      uint64 // to the instruction
	Args         [6]uint64
}

// Instruction is struct sock_filter.
type Instruction struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// word returns what a load from an offset of struct seccomp_data gets.
func (c Call) word(offset uint32) (uint32, error) {
	var b [64]byte
	binary.LittleEndian.PutUint32(b[0:], c.Number)
	binary.LittleEndian.PutUint32(b[4:], c.Arch)
	binary.LittleEndian.PutUint64(b[8:], c.Pointer)
	for i, a := range c.Args {
		binary.LittleEndian.PutUint64(b[16+8*i:], a)
	}
	if offset%4 != 0 || int(offset)+4 > len(b) {
		return 0, fmt.Errorf("load from %d", offset)
	}
	return binary.LittleEndian.Uint32(b[offset:]), nil
}

// Run returns what one program, an array of struct sock_filter, returns.
func Run(program []byte, c Call) (uint32, error) {
	const size = 8
	var a, x uint32
	var scratch [16]uint32
	for pc := 0; pc*size+size <= len(program); pc++ {
		b := program[pc*size:]
		i := Instruction{binary.LittleEndian.Uint16(b), b[2], b[3], binary.LittleEndian.Uint32(b[4:])}
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			var err error
			if a, err = c.word(i.K); err != nil {
				return 0, err
			}
		case unix.BPF_LD | unix.BPF_MEM:
			a = scratch[i.K]
		case unix.BPF_ST:
			scratch[i.K] = a
		case unix.BPF_MISC | unix.BPF_TAX:
			x = a
		case unix.BPF_MISC | unix.BPF_TXA:
			a = x
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= i.K
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(i.K)
		case unix.BPF_RET | unix.BPF_K:
			return i.K, nil
		default:
			holds, err := i.holds(a)
			if err != nil {
				return 0, fmt.Errorf("instruction %d: %w", pc, err)
			}
			if holds {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
	}
	return 0, fmt.Errorf("the program ends without a return")
}

// holds tells whether a conditional jump is taken.
func (i Instruction) holds(a uint32) (bool, error) {
	switch i.Code {
	case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
		return a == i.K, nil
	case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
		return a >= i.K, nil
	case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
		return a > i.K, nil
	case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
		return a&i.K != 0, nil
	}
	return false, fmt.Errorf("unknown code %#x", i.Code)
}

// allow is SECCOMP_RET_ALLOW.
const allow = 0x7fff0000

// Judge returns what the kernel makes of several programs, in the order in which
// they were loaded: it asks the newest first, and only a stricter answer takes the
// place of one that is there.
func Judge(programs [][]byte, c Call) (uint32, error) {
	result := uint32(allow)
	for i := len(programs) - 1; i >= 0; i-- {
		ret, err := Run(programs[i], c)
		if err != nil {
			return 0, fmt.Errorf("program %d: %w", i, err)
		}
		if Stricter(ret, result) {
			result = ret
		}
	}
	return result, nil
}

// Stricter tells whether the kernel prefers what one filter returned to what
// another did, whichever is newer.
func Stricter(a, b uint32) bool {
	const action = 0xffff0000 // SECCOMP_RET_ACTION_FULL
	return int32(a&action) < int32(b&action)
}

// Show names what filters return: "allow", "log", "notify", "kill", for a thread
// or the process, or an errno.
func Show(ret uint32) string {
	switch ret {
	case allow:
		return "allow"
	case 0x7ffc0000:
		return "log"
	case 0x7fc00000:
		return "notify"
	case 0, 0x80000000:
		return "kill"
	}
	if ret>>16 == 5 {
		if name := unix.ErrnoName(unix.Errno(ret & 0xffff)); name != "" {
			return name
		}
	}
	return fmt.Sprintf("%#x", ret)
}
