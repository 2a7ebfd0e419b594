package seccomp

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// The instructions of classic BPF that filters of system calls may use, see the
// kernel's Documentation/networking/filter.rst.
const (
	loadWord     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	andConst     = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	jump         = unix.BPF_JMP | unix.BPF_JA
	jumpEqual    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	jumpOrMore   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	jumpMore     = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	returnsConst = unix.BPF_RET | unix.BPF_K
)

// Where struct seccomp_data has what, in bytes, on the little-endian machines
// that berth knows. See seccomp(2).
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// instructions are a piece of a BPF program. A piece runs into the one after it,
// unless it says that it returns.
type instructions []unix.SockFilter

// bytes returns what the kernel loads: an array of struct sock_filter.
func (c instructions) bytes() []byte {
	var code []byte
	for _, i := range c {
		code = binary.NativeEndian.AppendUint16(code, i.Code)
		code = append(code, i.Jt, i.Jf)
		code = binary.NativeEndian.AppendUint32(code, i.K)
	}
	return code
}

// parse reads an array of struct sock_filter.
func parse(code []byte) (instructions, error) {
	if len(code)%8 != 0 || len(code) == 0 {
		return nil, fmt.Errorf("%d bytes are no BPF program", len(code))
	}
	var c instructions
	for ; len(code) > 0; code = code[8:] {
		c = append(c, unix.SockFilter{
			Code: binary.NativeEndian.Uint16(code), Jt: code[2], Jf: code[3], K: binary.NativeEndian.Uint32(code[4:]),
		})
	}
	return c, nil
}

// load reads the word at an offset of struct seccomp_data.
func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: loadWord, K: offset}
}

// returns ends the program.
func returns(value uint32) unix.SockFilter {
	return unix.SockFilter{Code: returnsConst, K: value}
}

// skip jumps over n instructions.
func skip(n int) unix.SockFilter {
	return unix.SockFilter{Code: jump, K: uint32(n)}
}

// unless jumps over the piece if the word that was loaded doesn't compare with k.
// The jumps of conditions are short, so a long piece needs two.
func unless(code uint16, k uint32, piece instructions) instructions {
	if len(piece) <= 255 {
		return append(instructions{{Code: code, Jf: uint8(len(piece)), K: k}}, piece...)
	}
	return append(instructions{{Code: code, Jt: 1, K: k}, skip(len(piece))}, append(instructions{}, piece...)...)
}
