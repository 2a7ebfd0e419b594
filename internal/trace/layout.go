package trace

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// layout is where the running kernel has what the programs read, as its BTF
// tells: offsets in bytes.
type layout struct {
	taskParent, taskMM, taskLeader, taskPid, taskCred, taskInfo, taskFiles, taskFS int32
	mmExe                                                                          int32
	credUserNS, credFsuid                                                          int32
	filesTable, tableFiles                                                         int32 // files_struct.fdt, fdtable.fd
	fsRoot, fsPwd                                                                  int32
	fileInode, filePath                                                            int32
	pathDentry, pathMount                                                          int32
	dentryName, dentryParent                                                       int32
	mountRoot                                                                      int32 // vfsmount.mnt_root
	mountInner, mountParent, mountPoint                                            int32 // of struct mount, which has the vfsmount inside
	pidLevel, pidNumbers                                                           int32
	upidSize                                                                       int32
	bprmFile, bprmFilename, bprmInterp                                             int32
	secureexec, secureexecMask                                                     int32 // of the byte that has the bit
}

// readLayout looks all of it up.
func readLayout(spec *btf.Spec) (layout, error) {
	var l layout
	f := finder{spec: spec}
	for _, member := range []struct {
		to   *int32
		path string
	}{
		{&l.taskParent, "task_struct.real_parent"},
		{&l.taskMM, "task_struct.mm"},
		{&l.taskLeader, "task_struct.group_leader"},
		{&l.taskPid, "task_struct.thread_pid"},
		{&l.taskCred, "task_struct.cred"},
		{&l.taskInfo, "task_struct.thread_info." + compatField},
		{&l.taskFiles, "task_struct.files"},
		{&l.taskFS, "task_struct.fs"},
		{&l.mmExe, "mm_struct.exe_file"},
		{&l.credUserNS, "cred.user_ns"},
		{&l.credFsuid, "cred.fsuid"},
		{&l.filesTable, "files_struct.fdt"},
		{&l.tableFiles, "fdtable.fd"},
		{&l.fsRoot, "fs_struct.root"},
		{&l.fsPwd, "fs_struct.pwd"},
		{&l.fileInode, "file.f_inode"},
		{&l.filePath, "file.f_path"},
		{&l.pathDentry, "path.dentry"},
		{&l.pathMount, "path.mnt"},
		{&l.dentryName, "dentry.d_name.name"},
		{&l.dentryParent, "dentry.d_parent"},
		{&l.mountRoot, "vfsmount.mnt_root"},
		{&l.mountInner, "mount.mnt"},
		{&l.mountParent, "mount.mnt_parent"},
		{&l.mountPoint, "mount.mnt_mountpoint"},
		{&l.pidLevel, "pid.level"},
		{&l.pidNumbers, "pid.numbers"},
		{&l.bprmFile, "linux_binprm.file"},
		{&l.bprmFilename, "linux_binprm.filename"},
		{&l.bprmInterp, "linux_binprm.interp"},
	} {
		*member.to = int32(f.offset(member.path))
	}
	if upid := f.structure("upid"); upid != nil {
		l.upidSize = int32(upid.Size)
	}
	bit := f.bits("linux_binprm.secureexec")
	l.secureexec, l.secureexecMask = int32(bit/8), 1<<(bit%8)
	return l, f.err
}

// finder finds members of the kernel's structures. Its first error stays.
type finder struct {
	spec *btf.Spec
	err  error
}

// offset returns the offset in bytes of "STRUCT.MEMBER.MEMBER…".
func (f *finder) offset(path string) uint32 {
	bits := f.bits(path)
	if bits%8 != 0 && f.err == nil {
		f.err = fmt.Errorf("internal error: %s is a bit field", path)
	}
	return bits / 8
}

func (f *finder) bits(path string) uint32 {
	words := strings.Split(path, ".")
	s := f.structure(words[0])
	if s == nil {
		return 0
	}
	total, members := uint32(0), s.Members
	for _, word := range words[1:] {
		m, at, ok := member(members, word)
		if !ok {
			if f.err == nil {
				f.err = fmt.Errorf("this kernel's BTF has no %s", path)
			}
			return 0
		}
		total += at
		members = membersOf(m.Type)
	}
	return total
}

func (f *finder) structure(name string) *btf.Struct {
	var s *btf.Struct
	if err := f.spec.TypeByName(name, &s); err != nil {
		if f.err == nil {
			f.err = fmt.Errorf("this kernel's BTF has no struct %s: %v", name, err)
		}
		return nil
	}
	return s
}

// member finds a member, also in structures and unions without a name, and its
// offset in bits.
func member(members []btf.Member, name string) (btf.Member, uint32, bool) {
	for _, m := range members {
		if m.Name == name {
			return m, uint32(m.Offset), true
		}
		if m.Name == "" {
			if inner, at, ok := member(membersOf(m.Type), name); ok {
				return inner, uint32(m.Offset) + at, true
			}
		}
	}
	return btf.Member{}, 0, false
}

func membersOf(t btf.Type) []btf.Member {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}
