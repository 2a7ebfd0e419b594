package mountguard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Memory is that of the caller.
type Memory interface {
	// Text returns the string at an address, without the NUL that ends it.
	// ErrFault: the memory before the NUL can't be read. ErrTooLong: none of the
	// first max bytes is a NUL.
	Text(address uint64, max int) (string, error)
	// Read fills p. ErrFault: not all of that memory can be read.
	Read(address uint64, p []byte) error
}

// Errors of a Memory. Any other one is the guard's own failure.
var (
	ErrFault   = errors.New("memory cannot be read")
	ErrTooLong = errors.New("text is too long")
)

// ErrKernelRefuses is what an error of Decode's is for a call that the kernel
// refuses by itself, and that it may be left to: should the memory be another one
// when the kernel reads it, its locks still bound the call.
var ErrKernelRefuses = errors.New("the kernel refuses the call")

// failure is an error of Decode's that has an errno: a call that fails with it.
type failure struct {
	call   string
	errno  syscall.Errno
	kernel bool // it is an ErrKernelRefuses
}

func (f failure) Error() string {
	return fmt.Sprintf("cannot decode %s: %v", f.call, f.errno)
}

func (f failure) Is(err error) bool { return f.kernel && err == ErrKernelRefuses }
func (f failure) Unwrap() error     { return f.errno }

// Decode makes a Call of a system call's registers, and copies of the caller's
// memory what its Operation says. It reads arguments as the kernel does
// (fs/namespace.c and fs/fsopen.c of Linux 6.18), in as few and as small pieces as
// it can, since each costs time. number is as seccomp gives it, with the bit that
// marks x32.
//
// With an error comes as much of the Call as is known: Undecoded says what to do
// about it. Where the call is bound to fail, the error is a syscall.Errno, and
// ErrKernelRefuses if the kernel may be left to say so.
func Decode(arch uint32, number int32, args [6]uint64, m Memory) (Call, error) {
	a, ok := abiOf(arch)
	if !ok {
		return Call{}, fmt.Errorf("cannot decode system call %d: unknown architecture %#x", number, arch)
	}
	name := a.callName(number)
	if name == "" {
		return Call{}, fmt.Errorf("cannot decode system call %d of architecture %#x: it isn't one for mounts", number, arch)
	}
	if a.narrow {
		for i := range args {
			args[i] = uint64(uint32(args[i]))
		}
	}
	d := decoder{Call: Call{Name: name}, args: args, memory: m}
	err := d.decode()
	return d.Call, err
}

// decoder is a call of which a part is decoded.
type decoder struct {
	Call
	args   [6]uint64
	memory Memory
}

func (d *decoder) decode() (err error) {
	switch d.Name {
	case "mount":
		return d.mount()
	case "umount":
		d.Operation = Unmount
		d.Target, err = d.path(unix.AT_FDCWD, 0, false, false)
		return err
	case "umount2":
		return d.umount2()
	case "move_mount":
		return d.moveMount()
	case "mount_setattr":
		return d.mountSetAttr()
	case "open_tree_attr":
		return d.openTreeAttr()
	case "fsopen":
		d.Operation, d.Flags = OpenFS, d.word(1)
		if d.Flags&^unix.FSOPEN_CLOEXEC != 0 {
			return d.fails(unix.EINVAL)
		}
		d.FS, err = d.text(0, os.Getpagesize())
		return err
	case "fsmount":
		d.Operation, d.FD, d.Flags = MakeMount, int32(d.args[0]), d.word(1)
		if d.Flags&^unix.FSMOUNT_CLOEXEC != 0 {
			return d.fails(unix.EINVAL)
		}
		return nil
	case "fsconfig":
		return d.fsconfig()
	case "fspick":
		return d.fspick()
	case "pivot_root": // the paths change nothing about it
		d.Operation = Pivot
	}
	return nil
}

// mount decodes in the order in which the kernel looks at flags: path_mount.
func (d *decoder) mount() (err error) {
	d.Flags = d.args[3]
	if d.Flags&magicMask == magicValue {
		d.Flags &= 1<<16 - 1 // the words above are cleared as well
	}
	d.Recursive = d.Flags&unix.MS_REC != 0
	without := Lockable &^ Attr(d.Flags) // the bits of MS_* are those of MOUNT_ATTR_*
	switch {
	case d.Flags&^(noUser-1) != 0: // MS_NOUSER is a negative int there
		return d.fails(unix.EINVAL)
	case d.Flags&unix.MS_REMOUNT != 0 && d.Flags&unix.MS_BIND != 0:
		d.Operation, d.Drops, d.Recursive = Remount, without, false
		if d.Drops != 0 {
			d.Target, err = d.path(unix.AT_FDCWD, 1, false, false)
		}
		return err
	case d.Flags&unix.MS_REMOUNT != 0: // the type is not looked at
		d.Operation, d.Drops, d.Recursive = Reconfigure, without, false
		return d.targetAndData()
	case d.Flags&unix.MS_BIND != 0:
		d.Operation = Bind
		return nil
	case d.Flags&propagations != 0:
		d.Operation = Propagation
		return nil
	case d.Flags&unix.MS_MOVE != 0:
		d.Operation = Move
		return d.moveByMount()
	}
	d.Operation = NewMount
	return d.newMount()
}

const propagations = unix.MS_SHARED | unix.MS_PRIVATE | unix.MS_SLAVE | unix.MS_UNBINDABLE

func (d *decoder) moveByMount() (err error) {
	if d.args[0] == 0 {
		return d.fails(unix.EINVAL)
	}
	d.Source = Path{Dir: unix.AT_FDCWD}
	if d.Source.Name, err = d.text(0, maxPath); err != nil {
		return err
	}
	if d.Source.Name == "" {
		return d.cannot(unix.EINVAL)
	}
	d.Target, err = d.path(unix.AT_FDCWD, 1, false, false)
	return err
}

func (d *decoder) newMount() (err error) {
	if d.args[2] == 0 {
		return d.fails(unix.EINVAL)
	}
	if d.FS, err = d.text(2, maxPath); err != nil || !isView(d.FS) {
		return err
	}
	return d.targetAndData()
}

// isView tells whether a file system shows what the container hides parts of.
func isView(fs string) bool { return fs == "proc" || fs == "sysfs" }

func (d *decoder) targetAndData() (err error) {
	if d.Target, err = d.path(unix.AT_FDCWD, 1, false, false); err != nil {
		return err
	}
	d.Data, err = d.page(4)
	return err
}

func (d *decoder) umount2() (err error) {
	d.Operation, d.Flags = Unmount, d.word(1)
	if d.Flags&^(unix.MNT_FORCE|unix.MNT_DETACH|unix.MNT_EXPIRE|unix.UMOUNT_NOFOLLOW) != 0 {
		return d.fails(unix.EINVAL)
	}
	d.Target, err = d.path(unix.AT_FDCWD, 0, false, d.Flags&unix.UMOUNT_NOFOLLOW != 0)
	return err
}

func (d *decoder) moveMount() (err error) {
	const known = unix.MOVE_MOUNT_F_SYMLINKS | unix.MOVE_MOUNT_F_AUTOMOUNTS | unix.MOVE_MOUNT_F_EMPTY_PATH |
		unix.MOVE_MOUNT_T_SYMLINKS | unix.MOVE_MOUNT_T_AUTOMOUNTS | unix.MOVE_MOUNT_T_EMPTY_PATH |
		moveSetGroup | moveBeneath
	d.Operation, d.Flags = Move, d.word(4)
	switch {
	case d.Flags&^known != 0: // a newer kernel may have a use for it
		return d.cannot(unix.EINVAL)
	case d.Flags&moveSetGroup != 0: // nothing moves: a mount joins another's propagation
		d.Operation = Propagation
		return nil
	}
	d.Source, err = d.path(int32(d.args[0]), 1,
		d.Flags&unix.MOVE_MOUNT_F_EMPTY_PATH != 0, d.Flags&unix.MOVE_MOUNT_F_SYMLINKS == 0)
	if err != nil {
		return err
	}
	d.Target, err = d.path(int32(d.args[2]), 3,
		d.Flags&unix.MOVE_MOUNT_T_EMPTY_PATH != 0, d.Flags&unix.MOVE_MOUNT_T_SYMLINKS == 0)
	return err
}

func (d *decoder) mountSetAttr() error {
	d.Operation, d.Flags = SetAttr, d.word(2)
	return d.attributes()
}

// openTreeAttr changes attributes of a copy, or of the very mount that the path
// leads to: do_mount_setattr with what vfs_open_tree has opened.
func (d *decoder) openTreeAttr() error {
	d.Operation, d.Flags = SetAttr, d.word(2)
	if d.Flags&(unix.OPEN_TREE_CLONE|openTreeNamespace) != 0 {
		d.Operation = CloneAttr
	} else if d.Flags&unix.AT_RECURSIVE != 0 {
		return d.fails(unix.EINVAL)
	}
	if d.args[3] == 0 && d.args[4] == 0 {
		return nil // it is open_tree
	}
	return d.attributes()
}

// attributes reads struct mount_attr, and the path if the call drops an
// attribute. The kernel takes a longer struct than it knows if the rest is 0.
func (d *decoder) attributes() (err error) {
	address, size := d.args[3], d.args[4]
	d.Recursive = d.Flags&unix.AT_RECURSIVE != 0
	switch {
	case size > uint64(os.Getpagesize()):
		return d.fails(unix.E2BIG)
	case size < attrSize:
		return d.fails(unix.EINVAL)
	}
	attr := make([]byte, size)
	if err := d.memory.Read(address, attr); err != nil {
		return d.unread(err, unix.EFAULT)
	}
	if len(bytes.Trim(attr[attrSize:], "\x00")) != 0 {
		return d.cannot(unix.E2BIG)
	}
	set, cleared := binary.NativeEndian.Uint64(attr), binary.NativeEndian.Uint64(attr[8:])
	if d.Drops = Attr(cleared&^set) & Lockable; d.Drops == 0 {
		return nil
	}
	d.Target, err = d.path(int32(d.args[0]), 1, d.Flags&unix.AT_EMPTY_PATH != 0, d.Flags&unix.AT_SYMLINK_NOFOLLOW != 0)
	return err
}

func (d *decoder) fsconfig() error {
	d.Operation, d.FD = Configure, int32(d.args[0])
	if cmd := d.word(1); cmd != cmdReconfigure {
		return fmt.Errorf("cannot decode fsconfig: command %d isn't one to ask about", cmd)
	}
	return nil
}

func (d *decoder) fspick() (err error) {
	d.Operation, d.Flags = Reconfigure, d.word(2)
	d.Target, err = d.path(int32(d.args[0]), 1,
		d.Flags&unix.FSPICK_EMPTY_PATH != 0, d.Flags&unix.FSPICK_SYMLINK_NOFOLLOW != 0)
	return err
}

// word returns an argument that the kernel has as an int.
func (d *decoder) word(arg int) uint64 { return uint64(uint32(d.args[arg])) }

// path reads a path: getname_flags. Where an empty one is allowed, so is a null
// pointer, though not by every call and kernel.
func (d *decoder) path(dir int32, arg int, empty, noFollow bool) (Path, error) {
	p := Path{Dir: dir, Empty: empty, NoFollow: noFollow}
	if empty && d.args[arg] == 0 {
		return p, nil
	}
	var err error
	if p.Name, err = d.memory.Text(d.args[arg], maxPath); err != nil {
		return p, d.unread(err, unix.ENAMETOOLONG)
	}
	if p.Name == "" && !empty {
		return p, d.cannot(unix.ENOENT)
	}
	return p, nil
}

// text reads another string: strndup_user.
func (d *decoder) text(arg, max int) (string, error) {
	text, err := d.memory.Text(d.args[arg], max)
	if err != nil {
		return "", d.unread(err, unix.EINVAL)
	}
	return text, nil
}

// page reads the options of mount(2): as much of a page as can be read, up to a
// NUL. See copy_mount_options. Memory ends between pages only.
func (d *decoder) page(arg int) (string, error) {
	address := d.args[arg]
	if address == 0 {
		return "", nil
	}
	data := make([]byte, os.Getpagesize())
	here := len(data) - int(address%uint64(len(data)))
	if err := d.memory.Read(address, data[:here]); err != nil {
		return "", d.unread(err, unix.EFAULT)
	}
	if bytes.IndexByte(data[:here], 0) < 0 && here < len(data) {
		err := d.memory.Read(address+uint64(here), data[here:])
		if errors.Is(err, ErrFault) {
			clear(data[here:])
		} else if err != nil {
			return "", d.unread(err, unix.EFAULT)
		}
	}
	data[len(data)-1] = 0
	text, _, _ := bytes.Cut(data, []byte{0})
	return string(text), nil
}

// fails is an error for registers with which the kernel refuses the call: they
// can't change any more.
func (d *decoder) fails(errno syscall.Errno) error { return failure{d.Name, errno, true} }

// cannot is an error for what memory says, or a newer kernel may see otherwise. The
// kernel must not be left to refuse what no lock of its keeps within bounds:
// another thread may change the memory meanwhile.
func (d *decoder) cannot(errno syscall.Errno) error {
	return failure{d.Name, errno, d.Operation != Move && d.Operation != Reconfigure}
}

func (d *decoder) unread(err error, tooLong syscall.Errno) error {
	switch {
	case errors.Is(err, ErrFault):
		return d.cannot(unix.EFAULT)
	case errors.Is(err, ErrTooLong):
		return d.cannot(tooLong)
	}
	return fmt.Errorf("cannot read the arguments of %s: %v", d.Name, err)
}
