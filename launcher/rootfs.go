package launcher

import (
	"errors"
	"fmt"
	"os"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// makeRoot makes the container's root mount. The directory of a root that is to
// be read-only is left as it is: its owner has asked for that.
func (s *stage) makeRoot() error {
	root := s.plan.Root
	dir, err := kernel.OpenSource(root.Directory)
	if err != nil {
		return err
	}
	s.source = dir
	// Device nodes on disk are nobody's business in a container: /dev is new.
	flags := []string{"nodev"}
	lifts := s.plan.lifts(root.Lock)
	if lifts {
		flags = nil
	}
	if s.root, err = s.detachedRoot(dir, flags); err != nil {
		return fmt.Errorf("cannot use %q as the root: %w", root.Directory, err)
	}
	t := &tree{target: "/", mnt: s.root, fixed: true, sealed: root.ReadOnly && root.Type == "directory"}
	if root.ReadOnly {
		t.base.Flags = []string{"ro"}
	}
	s.trees = append(s.trees, t)
	if lifts {
		if t.top, err = s.root.Stat(); err != nil {
			return err
		}
		t.own, err = missing(s.root, attributes(append(t.base.Flags, "nodev")).Set)
	}
	return err
}

// restrictRoot makes of the root what the plan says, and parks it.
func (s *stage) restrictRoot(t *tree) error {
	if s.plan.Root.ReadOnly {
		t.sealed = true
	}
	if s.plan.Root.ReadOnly && t.own == 0 {
		if err := kernel.SetAttr(s.root, kernel.Attr{Set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return err
		}
	}
	if _, err := s.park(s.root); err != nil {
		return err
	}
	t.attached = true
	return s.applyRules(t)
}

// detachedRoot makes the root mount.
func (s *stage) detachedRoot(dir *os.File, flags []string) (*os.File, error) {
	switch root := s.plan.Root; root.Type {
	case "directory":
		a := attributes(flags)
		var err error
		if a.UserNS, err = s.idmap(s.plan.identity()); err != nil {
			return nil, err
		}
		return clone(dir, 0, a)
	case "overlay":
		return s.overlay(overlay{lower: []string{root.Directory}, ids: s.plan.identity(), flags: flags, hidden: root.Hidden, private: root.Private})
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

// makeTarget makes a mount point in the tree that it lies on, before that may
// become read-only. What can't be made is missed when it is used.
func (s *stage) makeTarget(name string, dir bool) {
	t, rest := s.treeOf(name)
	if t.mnt == nil || t.sealed {
		return
	}
	make := kernel.CreateIn
	if dir {
		make = kernel.MkdirIn
	}
	_ = kernel.As(s.owner(), func() error {
		target, err := make(t.mnt, rest)
		if err == nil {
			target.Close()
		}
		return err
	})
}

// identity gives every ID the same number on disk as in the container. Without
// a user namespace they have it.
func (p *Plan) identity() *MountIDs {
	if p.Users.Host {
		return nil
	}
	ids := []kernel.IDMap{{Container: 0, Host: int(p.Users.Base), Size: int(p.Users.Size)}}
	return &MountIDs{Map: "identity", UIDs: ids, GIDs: ids}
}

// mergedUsr are the directories that a system with everything in /usr has as
// symlinks. See file-hierarchy(7).
var mergedUsr = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// usr gives a root in memory the directory's /usr, read-only, as
// systemd-nspawn --volatile=yes does.
func (s *stage) usr(m Mount) (*os.File, error) {
	usr, err := kernel.OpenIn(s.source, "usr", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s as a volatile root: %w", s.source.Name(), err)
	}
	defer usr.Close()
	a := attributes(m.Flags)
	if a.UserNS, err = s.idmap(m.IDs); err != nil {
		return nil, err
	}
	return clone(usr, 0, a)
}

func (s *stage) copySymlink(from, to *os.File, name string) error {
	target, err := kernel.ReadlinkIn(from, name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("cannot use %s as a volatile root: /%s is not a symlink into /usr", from.Name(), name)
	case err != nil:
		return err
	}
	return kernel.As(s.owner(), func() error { return kernel.SymlinkIn(to, target, name) })
}
