package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenAt opens name, a single component, in a directory. Symlinks, of which the
// last component can be one, are refused with ELOOP, and nothing is waited for.
// Flags are those of open(2).
func OpenAt(dir *os.File, name string, flags int) (*os.File, error) {
	if name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("openat2 %q in %s: %w", name, dir.Name(), unix.EINVAL)
	}
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW),
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH,
	}
	if flags&unix.O_PATH == 0 {
		how.Flags |= unix.O_NONBLOCK | unix.O_NOCTTY
	}
	return openat2(dir, name, how)
}

// MakeDirAt opens the directory name, a single component, in dir, and makes it
// with the given mode where there is none. made tells which it was.
func MakeDirAt(dir *os.File, name string, mode uint32) (f *os.File, made bool, err error) {
	err = unix.Mkdirat(int(dir.Fd()), name, mode)
	runtime.KeepAlive(dir)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, false, fmt.Errorf("mkdirat %s in %s: %w", name, dir.Name(), err)
	}
	made = err == nil
	f, err = OpenAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	return f, made, err
}

// CreateAt makes a file of a directory with the given content, mode and owner.
// EEXIST where there is one of that name.
func CreateAt(dir *os.File, name string, data []byte, mode uint32, owner Owner) error {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	runtime.KeepAlive(dir)
	if err != nil {
		return fmt.Errorf("openat %s in %s: %w", name, dir.Name(), err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := Chmod(f, mode); err != nil {
		return err
	}
	return Chown(f, owner)
}

// Reopen opens what an O_PATH descriptor names, a directory or a file that
// makes nobody wait.
func Reopen(f *os.File, flags int) (*os.File, error) {
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), flags|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	runtime.KeepAlive(f)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Chmod sets the mode, 07777 at most, of a file that is open for more than its
// path.
func Chmod(f *os.File, mode uint32) error {
	err := unix.Fchmod(int(f.Fd()), mode)
	runtime.KeepAlive(f)
	if err != nil {
		return fmt.Errorf("fchmod %s: %w", f.Name(), err)
	}
	return nil
}

// ChownTree gives a directory and all in it to owner, the directory last: one
// that belongs to owner is one that is complete. No symlink is followed, and
// the kernel takes setuid and setgid bits from the files that change hands.
// See chown(2).
func ChownTree(dir *os.File, owner Owner) error {
	list, err := Reopen(dir, unix.O_RDONLY|unix.O_DIRECTORY) // with a position of its own
	if err != nil {
		return err
	}
	defer list.Close()
	names, err := list.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := chownEntry(list, name, owner); err != nil {
			return err
		}
	}
	return Chown(dir, owner)
}

func chownEntry(dir *os.File, name string, owner Owner) error {
	f, err := openat2(dir, name, unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_BENEATH,
	})
	if errors.Is(err, unix.ENOENT) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if isDir, err := IsDir(f); err != nil {
		return err
	} else if isDir {
		return ChownTree(f, owner)
	}
	return Chown(f, owner)
}

// Names lists a directory in order, without its hidden files. The descriptor
// may be an O_PATH one.
func Names(dir *os.File) ([]string, error) {
	list, err := Reopen(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer list.Close()
	names, err := list.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, ".") })
	slices.Sort(names)
	return names, nil
}
