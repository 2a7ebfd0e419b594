package launcher

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// makeRoot makes the container's root mount and attaches it where it
// propagates.
func (s *stage) makeRoot() error {
	root := s.plan.Root
	dir, err := kernel.OpenSource(root.Directory)
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
