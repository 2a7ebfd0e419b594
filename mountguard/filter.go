package mountguard

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// Traps returns the names of the system calls that a container stops at for the
// guard, sorted; none if the policy isn't enabled. A mount(2) that only copies
// mounts or changes their propagation doesn't stop.
func Traps(p Policy) []string {
	if !p.Enabled {
		return nil
	}
	var names []string
	for _, n := range calls() {
		if n.name != "fsconfig" || p.KeepProc {
			names = append(names, n.name)
		}
	}
	slices.Sort(names)
	return names
}

// Filter returns the seccomp filter that has calls stop for the guard, for all
// ABIs that a kernel may accept from programs of this machine: an array of struct
// sock_filter in the machine's byte order, to be loaded with
// SECCOMP_FILTER_FLAG_NEW_LISTENER. It is nil if the policy isn't enabled. It
// allows whatever the guard is not for, calls of other architectures too: those are
// for the container's own filter to judge, and the stricter answer counts.
//
// A call that doesn't stop costs what it would without the filter. When the kernel
// loads one it runs it on each number of its native and its compat architecture,
// and remembers those that it allows by the number alone, for which no filter runs
// again (kernel/seccomp.c, seccomp_cache_prepare, Linux 5.11). It takes the number
// for such only if nothing but number and architecture was loaded on the way to the
// answer: arguments are looked at after that, and in calls of that number only.
func Filter(p Policy) ([]byte, error) {
	archs, err := localArchs()
	if err != nil {
		return nil, err
	}
	return filter(Traps(p), archs).bytes(), nil
}

// Where struct seccomp_data has what, in bytes. See seccomp(2).
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16 // the low half first: both machines are little-endian
)

const (
	answerNotify = 0x7fc00000 // SECCOMP_RET_USER_NOTIF
	answerAllow  = 0x7fff0000 // SECCOMP_RET_ALLOW
)

// instructions are a piece of a program, which runs into the one after it.
type instructions []unix.SockFilter

func filter(names []string, archs []uint32) instructions {
	if len(names) == 0 {
		return nil
	}
	code := instructions{load(offsetArch)}
	for _, arch := range archs {
		a, _ := abiOf(arch)
		section := instructions{load(offsetNumber)}
		if a.bits != 0 {
			section = append(section, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: ^a.bits})
		}
		for _, n := range calls() {
			if nr := a.number(n); nr != absent && slices.Contains(names, n.name) {
				section = append(section, ifEqual(nr, stop(n.name))...)
			}
		}
		code = append(code, ifEqual(arch, append(section, returns(answerAllow)))...)
	}
	return append(code, returns(answerAllow))
}

// stop answers a call that has been recognised by its number. The kernel looks at
// 32 bits of each of these arguments.
func stop(name string) instructions {
	switch name {
	case "mount": // in the order of path_mount, see decoder.mount
		return instructions{
			load(offsetArgs + 8*3),
			{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: magicMask},
			{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 3, K: magicValue}, // what it hides is for Decode
			load(offsetArgs + 8*3),
			{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 1, K: unix.MS_REMOUNT},
			{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 1, K: unix.MS_BIND | propagations},
			returns(answerNotify),
			returns(answerAllow),
		}
	case "fsconfig":
		return append(append(instructions{load(offsetArgs + 8*1)}, ifEqual(cmdReconfigure, instructions{returns(answerNotify)})...), returns(answerAllow))
	}
	return instructions{returns(answerNotify)}
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func returns(answer uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: answer}
}

// ifEqual jumps over a piece, of 255 instructions at most, if what was loaded is
// another value.
func ifEqual(value uint32, piece instructions) instructions {
	return append(instructions{{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: uint8(len(piece)), K: value}}, piece...)
}

func (c instructions) bytes() []byte {
	var code []byte
	for _, i := range c {
		code = binary.NativeEndian.AppendUint16(code, i.Code)
		code = append(code, i.Jt, i.Jf)
		code = binary.NativeEndian.AppendUint32(code, i.K)
	}
	return code
}
