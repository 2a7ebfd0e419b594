package kernel

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// CloneTree copies the mount at path below dir (path "": dir itself) as a
// detached mount that belongs to nobody's tree yet; with unix.AT_RECURSIVE in
// flags the mounts below it come along. See open_tree(2).
func CloneTree(dir *os.File, path string, flags uint) (*os.File, error) {
	flags |= unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH | unix.AT_SYMLINK_NOFOLLOW
	fd, err := unix.OpenTree(int(dir.Fd()), path, flags)
	runtime.KeepAlive(dir)
	if err != nil {
		return nil, fmt.Errorf("open_tree %s: %w", join(dir, path), err)
	}
	return os.NewFile(uintptr(fd), join(dir, path)), nil
}

// Attr is a change to the attributes of one mount, or of a tree of them. See
// mount_setattr(2).
type Attr struct {
	Set         uint64   // MOUNT_ATTR_*
	Clear       uint64   // MOUNT_ATTR_*
	UserNS      *os.File // not nil: map IDs as this user namespace does
	Propagation uint64   // 0, MS_SHARED, MS_SLAVE or MS_PRIVATE
	Recursive   bool
}

// SetAttr changes the attributes of a mount.
func SetAttr(mnt *os.File, a Attr) error {
	attr := unix.MountAttr{Attr_set: a.Set, Attr_clr: a.Clear, Propagation: a.Propagation}
	if a.UserNS != nil {
		attr.Attr_set |= unix.MOUNT_ATTR_IDMAP
		attr.Userns_fd = uint64(a.UserNS.Fd())
	}
	flags := uint(unix.AT_EMPTY_PATH)
	if a.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	err := unix.MountSetattr(int(mnt.Fd()), "", flags, &attr)
	runtime.KeepAlive(mnt)
	runtime.KeepAlive(a.UserNS)
	if err != nil {
		return fmt.Errorf("mount_setattr %s: %w", mnt.Name(), err)
	}
	return nil
}

// Attach puts the mount on top of target, in the calling thread's mount
// namespace. Neither path is looked up again. See move_mount(2).
func Attach(mnt, target *os.File) error {
	const flags = unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_EMPTY_PATH
	err := unix.MoveMount(int(mnt.Fd()), "", int(target.Fd()), "", flags)
	runtime.KeepAlive(mnt)
	runtime.KeepAlive(target)
	if err != nil {
		return fmt.Errorf("move_mount %s to %s: %w", mnt.Name(), target.Name(), err)
	}
	return nil
}

// EnterMountNS moves the calling thread into a copy of its mount namespace, in
// which nothing propagates back. What is unmounted in the original later is
// unmounted there too. See mount_namespaces(7).
func EnterMountNS() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare CLONE_NEWNS: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("mount MS_SLAVE: %w", err)
	}
	return nil
}

// JoinMountNS moves the calling thread, whose root and working directory are its
// own (CLONE_FS), into another mount namespace. See setns(2).
func JoinMountNS(ns *os.File) error {
	err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS)
	runtime.KeepAlive(ns)
	if err != nil {
		return fmt.Errorf("setns: %w", err)
	}
	return nil
}

// OpenFS begins the creation of a file system instance. What the instance takes
// from its creator — the PID namespace of a procfs, the network namespace of a
// sysfs, the IPC namespace of an mqueue, the user namespace that owns it — it
// takes here, from the calling thread; Mount may then be called by another
// process that was sent the descriptor. See fsopen(2).
func OpenFS(fstype string) (*os.File, error) {
	fd, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsopen %s: %w", fstype, err)
	}
	return os.NewFile(uintptr(fd), fstype), nil
}

// Option is one option of a file system instance; an empty value makes it a flag.
type Option struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

// MountFS creates the instance with its options and returns it as a detached
// mount with the given MOUNT_ATTR_* attributes; mountinfo shows name as its
// source. It belongs to the calling
// thread's mount namespace's user namespace. See fsconfig(2), fsmount(2).
func MountFS(fs *os.File, name string, attrs int, options ...Option) (*os.File, error) {
	if err := CreateFS(fs, append([]Option{{"source", name}}, options...)); err != nil {
		return nil, err
	}
	return MakeMount(fs, attrs)
}

// CreateFS is the first half of MountFS: the instance with its options.
func CreateFS(fs *os.File, options []Option) error {
	if err := setOptions(fs, options); err != nil {
		return err
	}
	if err := unix.FsconfigCreate(int(fs.Fd())); err != nil {
		return fsError(fs, "fsconfig "+fs.Name()+" create", err)
	}
	return nil
}

func setOptions(fs *os.File, options []Option) error {
	fd := int(fs.Fd())
	defer runtime.KeepAlive(fs)
	for _, o := range options {
		var err error
		if o.Value == "" {
			err = unix.FsconfigSetFlag(fd, o.Key)
		} else {
			err = unix.FsconfigSetString(fd, o.Key, o.Value)
		}
		if err != nil {
			return fsError(fs, fmt.Sprintf("fsconfig %s %s=%s", fs.Name(), o.Key, o.Value), err)
		}
	}
	return nil
}

// MakeMount is the second half of MountFS: a detached mount of an instance.
func MakeMount(fs *os.File, attrs int) (*os.File, error) {
	mnt, err := unix.Fsmount(int(fs.Fd()), unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return nil, fsError(fs, "fsmount "+fs.Name(), err)
	}
	return os.NewFile(uintptr(mnt), fs.Name()), nil
}

// ReconfigureFS changes options of an instance whose mount has been made from
// this context. See fsconfig(2), FSCONFIG_CMD_RECONFIGURE.
func ReconfigureFS(fs *os.File, options []Option) error {
	if len(options) == 0 {
		return nil
	}
	if err := setOptions(fs, options); err != nil {
		return err
	}
	if err := unix.FsconfigReconfigure(int(fs.Fd())); err != nil {
		return fsError(fs, "fsconfig "+fs.Name()+" reconfigure", err)
	}
	return nil
}

// NewFS is OpenFS and MountFS in one, for file systems that take nothing
// from their creator.
func NewFS(fstype string, attrs int, options ...Option) (*os.File, error) {
	fs, err := OpenFS(fstype)
	if err != nil {
		return nil, err
	}
	defer fs.Close()
	return MountFS(fs, fstype, attrs, options...)
}

// fsError adds the message that the kernel left in the file system context,
// which says more than the errno.
func fsError(fs *os.File, what string, err error) error {
	buf := make([]byte, 512)
	n, readErr := unix.Read(int(fs.Fd()), buf)
	if readErr != nil || n < 3 {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w (%s)", what, err, string(buf[2:n])) // "e ", "w " or "i " stands first
}

func join(dir *os.File, path string) string {
	if path == "" {
		return dir.Name()
	}
	return dir.Name() + "/" + path
}

// IsMountRoot tells whether an open directory is the root of a mount. See
// statx(2), STATX_ATTR_MOUNT_ROOT.
func IsMountRoot(dir *os.File) (bool, error) {
	var st unix.Statx_t
	err := unix.Statx(int(dir.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, &st)
	runtime.KeepAlive(dir)
	if err != nil {
		return false, fmt.Errorf("statx %s: %w", dir.Name(), err)
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

// MountFlags returns which of MOUNT_ATTR_RDONLY, NOSUID, NODEV and NOEXEC hold
// for a mount: by itself, or for read-only by its file system. See statfs(2), whose
// flags have the same numbers.
func MountFlags(mnt *os.File) (uint64, error) {
	var st unix.Statfs_t
	err := unix.Fstatfs(int(mnt.Fd()), &st)
	runtime.KeepAlive(mnt)
	if err != nil {
		return 0, fmt.Errorf("fstatfs %s: %w", mnt.Name(), err)
	}
	const flags = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	return uint64(st.Flags) & flags, nil
}

// IsReadOnly tells whether a mount or its file system can't be written.
func IsReadOnly(mnt *os.File) (bool, error) {
	var st unix.Statfs_t
	err := unix.Fstatfs(int(mnt.Fd()), &st)
	runtime.KeepAlive(mnt)
	if err != nil {
		return false, fmt.Errorf("fstatfs %s: %w", mnt.Name(), err)
	}
	return st.Flags&unix.ST_RDONLY != 0, nil
}

// FSName names the file system that a file is on, for messages.
func FSName(f *os.File) string {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return "unknown"
	}
	runtime.KeepAlive(f)
	if name, ok := fsNames[uint32(st.Type)]; ok {
		return name
	}
	return fmt.Sprintf("type %#x", uint32(st.Type))
}

// fsNames are those that a root or a bind is likely to be on. See statfs(2).
var fsNames = map[uint32]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs",
	unix.FUSE_SUPER_MAGIC: "fuse", unix.F2FS_SUPER_MAGIC: "f2fs", unix.EROFS_SUPER_MAGIC_V1: "erofs",
	unix.SQUASHFS_MAGIC: "squashfs", unix.RAMFS_MAGIC: "ramfs", unix.PROC_SUPER_MAGIC: "proc",
	unix.SYSFS_MAGIC: "sysfs", unix.CGROUP2_SUPER_MAGIC: "cgroup2", unix.V9FS_MAGIC: "9p",
	unix.MSDOS_SUPER_MAGIC: "vfat", unix.DEVPTS_SUPER_MAGIC: "devpts",
}
