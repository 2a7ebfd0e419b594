package seccomp

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// data is struct seccomp_data: what a filter knows of a call.
type data struct {
	nr, arch uint32
	ip       uint64
	args     [6]uint64
}

func (d data) word(offset uint32) (uint32, error) {
	b := binary.LittleEndian.AppendUint32(nil, d.nr)
	b = binary.LittleEndian.AppendUint32(b, d.arch)
	b = binary.LittleEndian.AppendUint64(b, d.ip)
	for _, a := range d.args {
		b = binary.LittleEndian.AppendUint64(b, a)
	}
	if offset%4 != 0 || int(offset)+4 > len(b) {
		return 0, fmt.Errorf("load from %d", offset)
	}
	return binary.LittleEndian.Uint32(b[offset:]), nil
}

// run interprets a filter as the kernel does.
func run(code instructions, d data) (uint32, error) {
	var a, x uint32
	var scratch [16]uint32
	for pc := 0; pc < len(code); pc++ {
		i := code[pc]
		var holds bool
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			var err error
			if a, err = d.word(i.K); err != nil {
				return 0, err
			}
			continue
		case unix.BPF_LD | unix.BPF_MEM:
			a = scratch[i.K]
			continue
		case unix.BPF_ST:
			scratch[i.K] = a
			continue
		case unix.BPF_MISC | unix.BPF_TAX:
			x = a
			continue
		case unix.BPF_MISC | unix.BPF_TXA:
			a = x
			continue
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= i.K
			continue
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(i.K)
			continue
		case unix.BPF_RET | unix.BPF_K:
			return i.K, nil
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			holds = a == i.K
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			holds = a >= i.K
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			holds = a > i.K
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			holds = a&i.K != 0
		default:
			return 0, fmt.Errorf("instruction %d: unknown code %#x", pc, i.Code)
		}
		if holds {
			pc += int(i.Jt)
		} else {
			pc += int(i.Jf)
		}
	}
	return 0, fmt.Errorf("ran off the end")
}

// runAll asks programs as the kernel does: the newest first, and only a stricter
// answer takes the place of one that is there.
func runAll(t testing.TB, programs []Program, d data) uint32 {
	t.Helper()
	result := uint32(retAllow)
	for i := len(programs) - 1; i >= 0; i-- {
		code, err := parse(programs[i].Code)
		if err != nil {
			t.Fatal(err)
		}
		ret, err := run(code, d)
		if err != nil {
			t.Fatalf("%s: %+v: %v", programs[i].Name, d, err)
		}
		if stricter(ret, result) {
			result = ret
		}
	}
	return result
}

// show names what a filter returned.
func show(ret uint32) string {
	switch ret {
	case retAllow:
		return "allow"
	case retKill:
		return "kill"
	case retLog:
		return "log"
	case retNotify:
		return "notify"
	}
	if ret&^retData == retErrno {
		if name := unix.ErrnoName(unix.Errno(ret & retData)); name != "" {
			return name
		}
	}
	return fmt.Sprintf("%#x", ret)
}

// machines are the sets of ABIs that the kernels of machines accept.
func machines() [][]abi {
	return [][]abi{abis()[:3], abis()[3:]}
}
