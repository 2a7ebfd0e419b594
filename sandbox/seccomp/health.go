package seccomp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// LibraryVersion returns the version of the libseccomp that this program was
// built with, such as "2.6.0".
func LibraryVersion() string {
	major, minor, micro := libseccomp.GetLibraryVersion()
	return fmt.Sprintf("%d.%d.%d", major, minor, micro)
}

// Usable tells why programs would not be kept in the cache; nil: they would. It
// makes nothing. It is about the user that asks.
func (c Cache) Usable() error {
	if c.Dir == "" {
		return errors.New("there is no directory for it")
	}
	info, err := os.Lstat(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return makeable(filepath.Dir(c.Dir))
	}
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%q is not a directory", c.Dir)
	}
	if err := writable(c.Dir); err != nil {
		return err
	}
	if !ours(info) {
		return fmt.Errorf("%q belongs to another user, or others may write it", c.Dir)
	}
	return nil
}

// makeable tells why a directory can't be made that stands in another one, which
// itself may have to be made.
func makeable(parent string) error {
	err := writable(parent)
	if errors.Is(err, fs.ErrNotExist) && parent != filepath.Dir(parent) {
		return makeable(filepath.Dir(parent))
	}
	return err
}

func writable(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("cannot write in %q: %w", dir, err)
	}
	return nil
}
