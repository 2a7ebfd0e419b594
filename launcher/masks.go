package launcher

import (
	"os"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// masks are what stands in for what is hidden.
type masks struct {
	nothing, empty  *os.File // an empty file and an empty directory that nobody can write
	noFile, nowhere *os.File // a file and a directory without any permission
}

// maskFor returns what hides a file or a directory. Quiet, it is something that
// is empty; else it can't be opened: the container's root has no capability over
// it, since it belongs to nobody in there.
func (s *stage) maskFor(target *os.File, quiet bool) (*os.File, error) {
	dir, err := kernel.IsDir(target)
	if err != nil {
		return nil, err
	}
	m := &s.masks
	switch {
	case quiet && dir:
		return s.once(&m.empty, s.emptyDir)
	case quiet:
		return s.once(&m.nothing, func() (*os.File, error) { return s.alone(kernel.MakeFileIn, 0o444) })
	case dir:
		return s.once(&m.nowhere, func() (*os.File, error) { return s.alone(kernel.MakeDirIn, 0) })
	}
	return s.once(&m.noFile, func() (*os.File, error) { return s.alone(kernel.MakeFileIn, 0) })
}

func (s *stage) once(mask **os.File, make func() (*os.File, error)) (*os.File, error) {
	var err error
	if *mask == nil {
		*mask, err = make()
	}
	return *mask, err
}

// alone makes an empty file or directory on a file system of its own.
func (s *stage) alone(make func(dir *os.File, name string, mode uint32) (*os.File, error), mode uint32) (*os.File, error) {
	const attrs = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NODEV
	mnt, err := kernel.NewFS("tmpfs", attrs, kernel.Option{Key: "mode", Value: "755"}, kernel.Option{Key: "nr_inodes", Value: "2"})
	if err != nil {
		return nil, err
	}
	defer mnt.Close()
	if _, err := s.parkIn(s.private, mnt); err != nil {
		return nil, err
	}
	return make(mnt, "mask", mode)
}

// emptyDir has no room for a file even where its mount is writable.
func (s *stage) emptyDir() (*os.File, error) {
	const attrs = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NODEV
	mnt, err := kernel.NewFS("tmpfs", attrs, kernel.Option{Key: "mode", Value: "555"}, kernel.Option{Key: "nr_inodes", Value: "1"})
	if err != nil {
		return nil, err
	}
	_, err = s.parkIn(s.private, mnt) // a clone needs an attached origin before Linux 6.15
	return mnt, err
}

func (m *masks) close() {
	for _, f := range []*os.File{m.nothing, m.empty, m.noFile, m.nowhere} {
		if f != nil {
			f.Close()
		}
	}
}
