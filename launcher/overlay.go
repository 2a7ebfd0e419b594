package launcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// overlay is an overlay file system to be made.
type overlay struct {
	lower       []string // on the host, uppermost first
	upper, work string   // "": in memory
	ids         *MountIDs
	flags       []string
	hidden      []string // what to leave out: patterns below the one lower layer
	private     []string // what of these to leave out that others can't read
}

// overlay makes one. Its layers are ID-mapped, since an overlay itself can't be.
func (s *stage) overlay(o overlay) (*os.File, error) {
	ns, err := s.idmap(o.ids)
	if err != nil {
		return nil, err
	}
	lower := make([]string, len(o.lower))
	for i, source := range o.lower {
		if lower[i], err = s.layer(source, ns, unix.MOUNT_ATTR_RDONLY); err != nil {
			return nil, err
		}
	}
	upper, work, err := s.upper(o, ns)
	if err != nil {
		return nil, err
	}
	var mnt *os.File
	// The file system acts with the credentials of who makes it: on an
	// ID-mapped layer the host's root is nobody and could make nothing.
	err = kernel.AsKeepingCaps(s.owner(), func() (err error) {
		mnt, err = kernel.NewFS("overlay", 0,
			kernel.Option{Key: "lowerdir", Value: strings.Join(lower, ":")},
			kernel.Option{Key: "upperdir", Value: upper},
			kernel.Option{Key: "workdir", Value: work})
		return err
	})
	if err != nil {
		return nil, err
	}
	// overlayfs doesn't refuse an upper layer that it can't use.
	readOnly, err := kernel.IsReadOnly(mnt)
	if err == nil && readOnly {
		err = fmt.Errorf("the upper layer can't be written: %q and %q have to be on one file system that supports extended attributes", o.upper, o.work)
	}
	if err == nil {
		err = kernel.SetAttr(mnt, attributes(o.flags))
	}
	if err != nil {
		mnt.Close()
		return nil, err
	}
	return mnt, nil
}

// layer parks an ID-mapped clone of a directory.
func (s *stage) layer(source string, ns *os.File, attrs uint64) (string, error) {
	mnt, err := cloneHost(source, 0, kernel.Attr{Set: attrs | unix.MOUNT_ATTR_NODEV, UserNS: ns})
	if err != nil {
		return "", err
	}
	defer mnt.Close()
	return s.park(mnt)
}

// upper returns the writable layer and its work directory, which have to be on
// one mount.
func (s *stage) upper(o overlay, ns *os.File) (upper, work string, err error) {
	if o.upper != "" {
		return s.upperOnDisk(o, ns)
	}
	mnt, err := kernel.NewFS("tmpfs", unix.MOUNT_ATTR_NODEV, kernel.Option{Key: "mode", Value: "755"}, kernel.Option{Key: "size", Value: "25%"})
	if err != nil {
		return "", "", err
	}
	defer mnt.Close()
	at, err := s.park(mnt)
	if err != nil {
		return "", "", err
	}
	upper, work = path.Join(at, "upper"), path.Join(at, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		return "", "", err
	}
	if err := s.copyDir(o.lower[0], upper); err != nil {
		return "", "", err
	}
	return upper, work, s.hide(o, upper)
}

// upperOnDisk: the kernel wants both directories below one mount, so their
// common parent is the layer.
func (s *stage) upperOnDisk(o overlay, ns *os.File) (upper, work string, err error) {
	parent := path.Dir(o.upper)
	if parent != path.Dir(o.work) {
		return "", "", fmt.Errorf("upper %q and work %q must lie in the same directory", o.upper, o.work)
	}
	at, err := s.layer(parent, ns, 0)
	return path.Join(at, path.Base(o.upper)), path.Join(at, path.Base(o.work)), err
}

// hide leaves files and directories of the lower layer out: a directory
// appears empty, a file not at all. See the kernel's
// Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
func (s *stage) hide(o overlay, upper string) error {
	h := hiding{stage: s, lower: o.lower[0], upper: upper, hidden: map[string]bool{}, reached: map[string]bool{}}
	for _, pattern := range o.hidden {
		if err := h.absent(pattern); err != nil {
			return err
		}
		if err := h.all(pattern, func(mode fs.FileMode) bool { return mode&fs.ModeSymlink == 0 }); err != nil {
			return err
		}
	}
	for _, pattern := range o.private {
		if err := h.all(pattern, func(mode fs.FileMode) bool { return !public(mode) }); err != nil {
			return err
		}
	}
	return nil
}

// hiding is what is left out of an overlay.
type hiding struct {
	*stage
	lower, upper string
	hidden       map[string]bool // relative paths
	reached      map[string]bool // directories, by whether no symlink leads there
}

// all hides what matches a pattern and is wanted.
func (h *hiding) all(pattern string, wanted func(fs.FileMode) bool) error {
	found, err := filepath.Glob(filepath.Join(h.lower, pattern))
	if err != nil {
		return err
	}
	for _, name := range found {
		if !h.direct(filepath.Dir(name)) {
			continue // it is found, and hidden, where the symlink leads
		}
		info, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone meanwhile
		}
		if err == nil && wanted(info.Mode()) {
			err = h.one(name, info)
		}
		if err != nil {
			return fmt.Errorf("cannot hide %s: %w", name, err)
		}
	}
	return nil
}

// direct tells whether a directory of the lower layer is reached without a
// symlink: what lies behind one, such as /var/run, is not in the overlay there.
func (h *hiding) direct(dir string) bool {
	if dir == h.lower {
		return true
	}
	known, seen := h.reached[dir]
	if !seen {
		info, err := os.Lstat(dir)
		known = err == nil && info.IsDir() && h.direct(filepath.Dir(dir))
		h.reached[dir] = known
	}
	return known
}

// absent hides what isn't there, so that it stays so when it comes.
func (h *hiding) absent(pattern string) error {
	name := filepath.Join(h.lower, pattern)
	if strings.ContainsAny(pattern, `*?[\\`) {
		return nil
	}
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if parent, err := os.Lstat(filepath.Dir(name)); err != nil || !parent.IsDir() {
		return nil
	}
	if err := h.copyParents(h.lower, h.upper, filepath.Dir(strings.TrimPrefix(pattern, "/"))); err != nil {
		return fmt.Errorf("cannot hide %s: %w", name, err)
	}
	return kernel.Whiteout(filepath.Join(h.upper, pattern))
}

func (h *hiding) one(name string, info fs.FileInfo) error {
	relative, err := filepath.Rel(h.lower, name)
	if err != nil {
		return err
	}
	for parent := relative; parent != "."; parent = filepath.Dir(parent) {
		if h.hidden[parent] {
			return nil
		}
	}
	h.hidden[relative] = true
	if err := h.copyParents(h.lower, h.upper, filepath.Dir(relative)); err != nil {
		return err
	}
	over := filepath.Join(h.upper, relative)
	if !info.IsDir() {
		return kernel.Whiteout(over)
	}
	if err := h.copyDir(name, over); err != nil {
		return err
	}
	return kernel.MakeOpaque(over)
}

// copyParents makes the directories above something in the upper layer as they
// are in the lower one.
func (s *stage) copyParents(lower, upper, dir string) error {
	if dir == "." {
		return nil
	}
	if err := s.copyParents(lower, upper, filepath.Dir(dir)); err != nil {
		return err
	}
	err := s.copyDir(filepath.Join(lower, dir), filepath.Join(upper, dir))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// copyDir makes an empty directory with the mode of another and its owner as
// the container sees it.
func (s *stage) copyDir(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(to, s.hostID(st.Uid), s.hostID(st.Gid)); err != nil {
		return err
	}
	return os.Chmod(to, info.Mode())
}

// hostID is the host's number of an ID on disk; one that the container doesn't
// have becomes its root's.
func (s *stage) hostID(id uint32) int {
	if id >= s.plan.Users.Size {
		id = 0
	}
	return int(s.plan.Users.Base + id)
}
