package kernel

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// MakeDevice makes a character device with mode 0666 in a directory. See
// mknod(2).
func MakeDevice(dir *os.File, name string, major, minor uint32, owner Owner) error {
	defer runtime.KeepAlive(dir)
	fd := int(dir.Fd())
	if err := unix.Mknodat(fd, name, unix.S_IFCHR|0o666, int(unix.Mkdev(major, minor))); err != nil {
		return fmt.Errorf("mknodat %s: %w", name, err)
	}
	if err := unix.Fchownat(fd, name, owner.UID, owner.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("fchownat %s: %w", name, err)
	}
	if err := unix.Fchmodat(fd, name, 0o666, 0); err != nil { // the umask has taken some
		return fmt.Errorf("fchmodat %s: %w", name, err)
	}
	return nil
}

// MakeDirIn makes a directory in another, with a mode that the umask takes
// nothing from, and opens it as an O_PATH descriptor.
func MakeDirIn(dir *os.File, name string, mode uint32) (*os.File, error) {
	defer runtime.KeepAlive(dir)
	if err := unix.Mkdirat(int(dir.Fd()), name, mode); err != nil {
		return nil, fmt.Errorf("mkdirat %s: %w", name, err)
	}
	return openWithMode(dir, name, mode)
}

// MakeFileIn is MakeDirIn for an empty file.
func MakeFileIn(dir *os.File, name string, mode uint32) (*os.File, error) {
	defer runtime.KeepAlive(dir)
	if err := unix.Mknodat(int(dir.Fd()), name, unix.S_IFREG|mode, 0); err != nil {
		return nil, fmt.Errorf("mknodat %s: %w", name, err)
	}
	return openWithMode(dir, name, mode)
}

func openWithMode(dir *os.File, name string, mode uint32) (*os.File, error) {
	if err := unix.Fchmodat(int(dir.Fd()), name, mode, 0); err != nil {
		return nil, fmt.Errorf("fchmodat %s: %w", name, err)
	}
	return OpenPlain(dir, name)
}

// Chown changes the owner of an open file or mount, O_PATH or not.
func Chown(f *os.File, owner Owner) error {
	defer runtime.KeepAlive(f)
	if err := unix.Fchownat(int(f.Fd()), "", owner.UID, owner.GID, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("fchownat %s: %w", f.Name(), err)
	}
	return nil
}

// SymlinkIn makes a symlink in a directory.
func SymlinkIn(dir *os.File, target, name string) error {
	defer runtime.KeepAlive(dir)
	if err := unix.Symlinkat(target, int(dir.Fd()), name); err != nil {
		return fmt.Errorf("symlinkat %s: %w", name, err)
	}
	return nil
}

// ReadlinkIn reads a symlink in a directory. EINVAL where name is something
// else.
func ReadlinkIn(dir *os.File, name string) (string, error) {
	defer runtime.KeepAlive(dir)
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), name, buf)
	if err != nil {
		return "", fmt.Errorf("readlinkat %s: %w", name, err)
	}
	return string(buf[:n]), nil
}

// Whiteout makes what hides a file of an overlay's lower layers, in its upper
// one. See the kernel's Documentation/filesystems/overlayfs.rst.
func Whiteout(path string) error {
	if err := unix.Mknod(path, unix.S_IFCHR, 0); err != nil {
		return fmt.Errorf("mknod %s: %w", path, err)
	}
	return nil
}

// MakeOpaque makes a directory of an overlay's upper layer hide what the lower
// ones have in it.
func MakeOpaque(dir string) error {
	if err := unix.Setxattr(dir, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		return fmt.Errorf("setxattr %s: %w", dir, err)
	}
	return nil
}
