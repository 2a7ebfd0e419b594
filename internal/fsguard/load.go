package fsguard

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// loadAttr is what BPF_PROG_LOAD takes, of union bpf_attr in
// include/uapi/linux/bpf.h.
type loadAttr struct {
	programType, count     uint32
	instructions, license  uint64
	logLevel, logSize      uint32
	log                    uint64
	_                      uint32 // kernel version
	flags                  uint32
	name                   [16]byte
	_                      uint32 // network device
	attachType             uint32
	btf, funcInfoSize      uint32
	funcInfo               uint64
	funcCount, lineSize    uint32
	lineInfo               uint64
	lineCount, attachBTFID uint32
}

// load has the kernel verify the program. The library would look the hook up in
// BTF each time, which takes longer than all else.
func load(r Rule, p places, exempted int) (*ebpf.Program, error) {
	code, err := program(r, p, exempted)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := code.Marshal(&b, byteOrder()); err != nil {
		return nil, fmt.Errorf("internal error: %w", err)
	}
	fd, err := loadProgram(b.Bytes(), p.Hook, nil)
	if err != nil {
		log := make([]byte, 1<<20)
		if fd, err = loadProgram(b.Bytes(), p.Hook, log); err != nil {
			return nil, fmt.Errorf("bpf BPF_PROG_LOAD: %w%s", err, verdict(log))
		}
	}
	return ebpf.NewProgramFromFD(fd)
}

func loadProgram(code []byte, hook uint32, log []byte) (int, error) {
	license := []byte("GPL\x00") // which the helpers demand
	var pinned runtime.Pinner    // the kernel gets their addresses as numbers
	defer pinned.Unpin()
	address := func(b []byte) uint64 {
		pinned.Pin(&b[0])
		return uint64(uintptr(unsafe.Pointer(&b[0])))
	}
	attr := loadAttr{
		programType: unix.BPF_PROG_TYPE_LSM, attachType: unix.BPF_LSM_CGROUP, attachBTFID: hook,
		instructions: address(code), count: uint32(len(code) / 8), license: address(license),
	}
	copy(attr.name[:], name)
	if len(log) > 0 {
		attr.log, attr.logSize, attr.logLevel = address(log), uint32(len(log)), 1
	}
	for {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EAGAIN, unix.EINTR: // a signal came while it was verified
		default:
			return -1, errno
		}
	}
}

// verdict is the verifier's last word but its statistics, for a message.
func verdict(log []byte) string {
	text, _, _ := bytes.Cut(log, []byte{0})
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for len(lines) > 1 && strings.HasPrefix(lines[len(lines)-1], "processed ") {
		lines = lines[:len(lines)-1]
	}
	if last := lines[len(lines)-1]; last != "" {
		return " (" + last + ")"
	}
	return ""
}

// byteOrder is the machine's, as a value that can be compared.
func byteOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}
