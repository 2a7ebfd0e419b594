package trace

import (
	"fmt"

	"berth/internal/structs"

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
	var upid *btf.Struct
	if err := spec.TypeByName("upid", &upid); err != nil {
		return l, fmt.Errorf("this kernel's BTF has no struct upid: %w", err)
	}
	l.upidSize = int32(upid.Size)
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
	m, err := structs.Find(f.spec, path)
	if f.err == nil {
		f.err = err
	}
	return uint32(m.Offset)
}
