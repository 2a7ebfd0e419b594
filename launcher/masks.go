package launcher

import (
	"errors"
	"fmt"
	"os"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// addInner puts masks and the like on a mount that is not yet the container's,
// so that it propagates with them as one tree, in which they are locked in place.
func (s *stage) addInner(mnt *os.File, m Mount) error {
	if _, err := s.park(mnt); err != nil {
		return err
	}
	for _, inner := range m.Inner {
		if err := s.inner(mnt, m.Target, inner); err != nil {
			return fmt.Errorf("cannot make %s %s: %w", inner.Target, inner.Type, err)
		}
	}
	return nil
}

func (s *stage) inner(mnt *os.File, top string, m Mount) error {
	target, err := kernel.OpenIn(mnt, m.Target[len(top):], unix.O_PATH)
	if errors.Is(err, unix.ENOENT) {
		return nil // this kernel doesn't have it
	}
	if err != nil {
		return err
	}
	defer target.Close()
	source := target
	if m.Type == "mask" {
		if source, err = s.maskFor(target); err != nil {
			return err
		}
	}
	over, err := clone(source, 0, innerAttributes(m))
	if err != nil {
		return err
	}
	defer over.Close()
	return kernel.Attach(over, target)
}

// innerAttributes: "writable" lifts the read-only flag that a clone would take
// over from what it is cloned from.
func innerAttributes(m Mount) kernel.Attr {
	a := attributes(m.Flags)
	if m.Type == "writable" {
		a.Clear |= unix.MOUNT_ATTR_RDONLY
	}
	return a
}

// maskFor returns what hides a file or a directory: /dev/null, or an empty
// directory that nobody can write.
func (s *stage) maskFor(target *os.File) (*os.File, error) {
	dir, err := kernel.IsDir(target)
	if err != nil {
		return nil, err
	}
	if !dir {
		if s.null == nil {
			s.null, err = kernel.OpenPath("/dev/null")
		}
		return s.null, err
	}
	if s.empty == nil {
		const attrs = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NODEV
		s.empty, err = kernel.NewFS("tmpfs", attrs, kernel.Option{Key: "mode", Value: "555"}, kernel.Option{Key: "nr_inodes", Value: "1"})
		if err == nil {
			_, err = s.park(s.empty) // a clone needs an attached origin before Linux 6.15
		}
	}
	return s.empty, err
}
