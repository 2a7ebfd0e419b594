package launcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// makeRoot makes the container's root mount and attaches it where it
// propagates.
func (s *stage) makeRoot() error {
	root := s.plan.Root
	dir, err := kernel.OpenPath(root.Directory)
	if err != nil {
		return err
	}
	defer dir.Close()
	if s.root, err = s.detachedRoot(dir); err != nil {
		return fmt.Errorf("cannot use %q as the root: %w", root.Directory, err)
	}
	// What can't be written any more once it propagates is completed before. The
	// directory itself is left as it is: its owner has asked for that.
	if root.ReadOnly && root.Type != "directory" {
		if err := s.makeTargets(); err != nil {
			return err
		}
	}
	if root.ReadOnly {
		if err := kernel.SetAttr(s.root, kernel.Attr{Set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return err
		}
	}
	at, err := kernel.MkdirIn(s.private, strings.TrimPrefix(stageRoot, stageDir))
	if err != nil {
		return err
	}
	defer at.Close()
	if err := kernel.Attach(s.root, at); err != nil {
		return err
	}
	if root.Type == "tmpfs" {
		return s.addUsr(dir)
	}
	return nil
}

// detachedRoot makes the root mount. Device nodes on disk are nobody's business
// in a container: /dev is new.
func (s *stage) detachedRoot(dir *os.File) (*os.File, error) {
	flags := []string{"nodev"}
	switch root := s.plan.Root; root.Type {
	case "directory":
		a := attributes(flags)
		var err error
		if a.UserNS, err = s.idmap(s.plan.identity()); err != nil {
			return nil, err
		}
		return clone(dir, 0, a)
	case "overlay":
		return s.overlay(overlay{lower: []string{root.Directory}, ids: s.plan.identity(), flags: flags, hidden: root.Hidden})
	}
	mnt, err := s.tmpfs(Mount{Flags: flags, Options: []kernel.Option{{Key: "mode", Value: "755"}, {Key: "size", Value: "10%"}}})
	if err != nil {
		return nil, err
	}
	for _, name := range mergedUsr {
		if err := s.copySymlink(dir, mnt, name); err != nil {
			return nil, err
		}
	}
	return mnt, nil
}

// makeTargets makes the mount points that lie on the root itself.
func (s *stage) makeTargets() error {
	targets := []Mount{}
	if s.plan.Root.Type == "tmpfs" {
		targets = append(targets, Mount{Target: "/usr"})
	}
	for _, m := range append(targets, s.plan.Mounts...) {
		if slices.ContainsFunc(s.plan.Mounts, func(o Mount) bool { return strings.HasPrefix(m.Target, o.Target+"/") }) {
			continue // on another mount
		}
		make := kernel.MkdirIn
		if m.File {
			make = kernel.CreateIn
		}
		err := kernel.As(s.owner(), func() error {
			target, err := make(s.root, m.Target)
			if err == nil {
				target.Close()
			}
			return err
		})
		if err != nil && !m.Optional {
			return fmt.Errorf("cannot make the mount point %s: %w", m.Target, err)
		}
	}
	return nil
}

// identity gives every ID the same number on disk as in the container.
func (p *Plan) identity() *MountIDs {
	ids := []kernel.IDMap{{Container: 0, Host: int(p.Users.Base), Size: int(p.Users.Size)}}
	return &MountIDs{Map: "identity", UIDs: ids, GIDs: ids}
}

// mergedUsr are the directories that a system with everything in /usr has as
// symlinks. See file-hierarchy(7).
var mergedUsr = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// addUsr gives a root in memory the directory's /usr, read-only, as
// systemd-nspawn --volatile=yes does.
func (s *stage) addUsr(dir *os.File) error {
	usr, err := kernel.OpenIn(dir, "usr", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("cannot use %s as a volatile root: %w", dir.Name(), err)
	}
	defer usr.Close()
	a := attributes([]string{"ro", "nodev"})
	if a.UserNS, err = s.idmap(s.plan.identity()); err != nil {
		return err
	}
	mnt, err := clone(usr, 0, a)
	if err != nil {
		return err
	}
	defer mnt.Close()
	at, err := s.target("/usr", mnt)
	if err != nil {
		return err
	}
	defer at.Close()
	return kernel.Attach(mnt, at)
}

func (s *stage) copySymlink(from, to *os.File, name string) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(from.Fd()), name, buf)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("cannot use %s as a volatile root: /%s is not a symlink into /usr", from.Name(), name)
	case err != nil:
		return fmt.Errorf("readlinkat %s: %w", name, err)
	}
	return kernel.As(s.owner(), func() error { return unix.Symlinkat(string(buf[:n]), int(to.Fd()), name) })
}

// overlay is an overlay file system to be made.
type overlay struct {
	lower       []string // on the host, uppermost first
	upper, work string   // "": in memory
	ids         *MountIDs
	flags       []string
	hidden      []string // patterns below the one lower layer
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
	return kernel.NewFS("overlay", int(attributes(o.flags).Set),
		kernel.Option{Key: "lowerdir", Value: strings.Join(lower, ":")},
		kernel.Option{Key: "upperdir", Value: upper},
		kernel.Option{Key: "workdir", Value: work})
}

// layer parks an ID-mapped clone of a directory.
func (s *stage) layer(source string, ns *os.File, attrs uint64) (string, error) {
	mnt, err := cloneHost(source, 0, kernel.Attr{Set: attrs | unix.MOUNT_ATTR_NODEV, UserNS: ns, Propagation: unix.MS_PRIVATE})
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
	for _, pattern := range o.hidden {
		found, err := filepath.Glob(filepath.Join(o.lower[0], pattern))
		if err != nil {
			return err
		}
		for _, name := range found {
			if err := s.hideOne(o.lower[0], upper, name); err != nil {
				return fmt.Errorf("cannot hide %s: %w", name, err)
			}
		}
	}
	return nil
}

func (s *stage) hideOne(lower, upper, name string) error {
	info, err := os.Lstat(name)
	if err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return err // a symlink tells nothing by itself
	}
	relative, err := filepath.Rel(lower, name)
	if err != nil {
		return err
	}
	if err := s.copyParents(lower, upper, filepath.Dir(relative)); err != nil {
		return err
	}
	over := filepath.Join(upper, relative)
	if !info.IsDir() {
		return unix.Mknod(over, unix.S_IFCHR, 0)
	}
	if err := s.copyDir(name, over); err != nil {
		return err
	}
	return unix.Setxattr(over, "trusted.overlay.opaque", []byte("y"), 0)
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

// devices are what systemd's PrivateDevices=yes has, by number. See
// Documentation/admin-guide/devices.txt.
var devices = []struct {
	name         string
	major, minor uint32
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
}

// dev makes the container's /dev: real nodes that belong to its root, which can
// make no others.
func (s *stage) dev(m Mount) (*os.File, error) {
	mnt, err := s.tmpfs(m)
	if err != nil {
		return nil, err
	}
	fd, owner := int(mnt.Fd()), s.owner()
	for _, d := range devices {
		if err := unix.Mknodat(fd, d.name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return nil, fmt.Errorf("mknodat %s: %w", d.name, err)
		}
		if err := unix.Fchownat(fd, d.name, owner.UID, owner.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return nil, fmt.Errorf("fchownat %s: %w", d.name, err)
		}
		if err := unix.Fchmodat(fd, d.name, 0o666, 0); err != nil {
			return nil, fmt.Errorf("fchmodat %s: %w", d.name, err)
		}
	}
	links := [][2]string{{"/proc/self/fd", "fd"}, {"pts/ptmx", "ptmx"}}
	for i, name := range []string{"stdin", "stdout", "stderr"} {
		links = append(links, [2]string{"/proc/self/fd/" + strconv.Itoa(i), name})
	}
	return mnt, kernel.As(owner, func() error {
		for _, l := range links {
			if err := unix.Symlinkat(l[0], fd, l[1]); err != nil {
				return fmt.Errorf("symlinkat %s: %w", l[1], err)
			}
		}
		return nil
	})
}
