package fsguard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"

	"berth/internal/structs"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// Layout knows where the running kernel has what the program reads. Reading it
// from BTF takes tens of milliseconds, so it is kept in a file in Dir.
type Layout struct {
	Dir string // made where it is missing, for the user that berth runs as alone; "": nothing is kept
}

// load takes the places from the cache, or else from BTF, and keeps them.
func (l Layout) load() (places, error) {
	kernel := kernelID()
	if p, err := l.read(kernel); err == nil {
		return p, nil
	}
	p, err := readPlaces()
	if err == nil && kernel != "" {
		_ = l.store(kernel, p) // the next start reads BTF again
	}
	return p, err
}

// Where the kernel tells about itself.
const (
	notesFile = "/sys/kernel/notes" // of its program: the build ID is among them
	btfFile   = "/sys/kernel/btf/vmlinux"
)

// kernelID tells one build of the kernel from others, and is "" where that can't
// be told: the version may well be the same after a change of configuration.
func kernelID() string {
	notes, err := os.ReadFile(notesFile)
	if err != nil || len(notes) == 0 {
		return ""
	}
	types, err := os.Stat(btfFile)
	if err != nil {
		return ""
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(notes, "%s%s%s%d", uts.Release[:], uts.Version[:], uts.Machine[:], types.Size()))
	return hex.EncodeToString(sum[:])
}

// places are the hook's number in BTF, and offsets in bytes. The kernel verifies
// that what is followed as a pointer is one.
type places struct {
	Hook       uint32 `json:"hook"`        // bpf_lsm_file_open
	Leader     int16  `json:"leader"`      // task_struct.group_leader
	Memory     int16  `json:"memory"`      // task_struct.mm
	Flags      int16  `json:"flags"`       // file.f_flags
	Inode      int16  `json:"inode"`       // file.f_inode
	SuperBlock int16  `json:"super_block"` // inode.i_sb
	Magic      int16  `json:"magic"`       // super_block.s_magic
}

func readPlaces() (places, error) {
	var p places
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return p, fmt.Errorf("cannot read the kernel's BTF: %w", err)
	}
	var hook *btf.Func
	if err := spec.TypeByName("bpf_lsm_file_open", &hook); err != nil {
		return p, fmt.Errorf("this kernel has no security hooks for BPF programs: %w", err)
	}
	id, err := spec.TypeID(hook)
	if err != nil {
		return p, err
	}
	p.Hook = uint32(id)
	for _, member := range []struct {
		to   *int16
		path string
		size int
	}{
		{&p.Leader, "task_struct.group_leader", 8},
		{&p.Memory, "task_struct.mm", 8},
		{&p.Flags, "file.f_flags", 4},
		{&p.Inode, "file.f_inode", 8},
		{&p.SuperBlock, "inode.i_sb", 8},
		{&p.Magic, "super_block.s_magic", 8},
	} {
		if *member.to, err = offset(spec, member.path, member.size); err != nil {
			return p, err
		}
	}
	return p, nil
}

// offset finds a member of a size.
func offset(spec *btf.Spec, path string, size int) (int16, error) {
	m, err := structs.Find(spec, path)
	if err != nil {
		return 0, err
	}
	if got, err := btf.Sizeof(m.Type); err != nil || got != size || m.BitfieldSize != 0 || m.Offset%8 != 0 || m.Offset.Bytes() > math.MaxInt16 {
		return 0, fmt.Errorf("this kernel's BTF: %s is not %d bytes at an offset that can be loaded from", path, size)
	}
	return int16(m.Offset.Bytes()), nil
}
