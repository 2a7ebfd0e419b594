package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// maxXattr is the size of the longest list of names and of the longest value, in
// bytes: linux/limits.h, XATTR_LIST_MAX and XATTR_SIZE_MAX.
const maxXattr = 65536

// CopyXattrs gives an open file the extended attributes of another: its ACL and the
// label of an LSM among them. Nothing is done where the file system has none. See
// xattr(7).
func CopyXattrs(from, to *os.File) error {
	defer runtime.KeepAlive(from)
	defer runtime.KeepAlive(to)
	names := make([]byte, maxXattr)
	n, err := unix.Flistxattr(int(from.Fd()), names)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("flistxattr %s: %w", from.Name(), err)
	}
	value := make([]byte, maxXattr)
	for name := range bytes.SplitSeq(bytes.TrimSuffix(names[:n], []byte{0}), []byte{0}) {
		if len(name) == 0 {
			continue
		}
		n, err := unix.Fgetxattr(int(from.Fd()), string(name), value)
		if err != nil {
			return fmt.Errorf("fgetxattr %s of %s: %w", name, from.Name(), err)
		}
		if err := unix.Fsetxattr(int(to.Fd()), string(name), value[:n], 0); err != nil {
			return fmt.Errorf("fsetxattr %s of %s: %w", name, to.Name(), err)
		}
	}
	return nil
}
