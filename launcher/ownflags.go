package launcher

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// lockable are the flags that the kernel locks.
const lockable = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// lifts tells whether the container's root may take away the flags of a mount
// with such a lock. They hold at the start all the same, but must not come into
// the container along with the mount, or the kernel would lock them: the mount
// gets them in there. Without a user namespace nothing is ever locked.
func (p *Plan) lifts(l Lock) bool { return !p.Users.Host && !l.HoldsFlags() }

// makeBare makes the mount of a tree without those of its flags that can be
// locked. What the host's mount has by itself stays, and mounts below a bind's
// source have the flags for good.
func (s *stage) makeBare(t *tree, m Mount) error {
	wanted := attributes(t.base.Flags).Set & lockable
	m.Flags = slices.DeleteFunc(slices.Clone(m.Flags), func(f string) bool { return mountFlags[f].set&lockable != 0 })
	var err error
	if t.mnt, err = s.make(m); err != nil {
		return err
	}
	if t.top, err = t.mnt.Stat(); err != nil {
		return err
	}
	if t.own, err = missing(t.mnt, wanted); err != nil || wanted == 0 || !m.Recursive {
		return err
	}
	if err := kernel.SetAttr(t.mnt, kernel.Attr{Set: wanted, Recursive: true}); err != nil {
		return err
	}
	return kernel.SetAttr(t.mnt, kernel.Attr{Clear: t.own})
}

// missing is what a mount lacks of some flags.
func missing(mnt *os.File, flags uint64) (uint64, error) {
	has, err := kernel.MountFlags(mnt)
	return flags &^ has, err
}

// keepCovered gives a mount that another will cover its flags for good: in the
// container it can't be reached.
func (s *stage) keepCovered(t *tree) error {
	covered := slices.ContainsFunc(s.waiting, func(o *tree) bool { return within(t.target, o.target) })
	if !covered || t.own == 0 {
		return nil
	}
	own := t.own
	t.own = 0
	return kernel.SetAttr(t.mnt, kernel.Attr{Set: own})
}

// giveOwnFlags gives mounts, now that they have come into the container, those of
// their flags that its root may take away. Nothing of the container's runs yet.
func (s *stage) giveOwnFlags() error {
	var list []*tree
	for _, t := range s.trees {
		if t.own != 0 && t.attached {
			list = append(list, t)
		}
	}
	if len(list) == 0 {
		return nil
	}
	namespace, err := kernel.OpenNS(s.child, "mnt")
	if err != nil {
		return err
	}
	defer namespace.Close()
	kernel.OnThread(func() { err = giveInside(namespace, list) })
	return err
}

// giveInside does it in the container's mount namespace. The thread stays there.
func giveInside(namespace *os.File, list []*tree) error {
	if err := enterMounts(namespace); err != nil {
		return err
	}
	root, err := kernel.OpenPath(stageRoot)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, t := range list {
		if err := t.give(root); err != nil {
			return fmt.Errorf("cannot set the flags of %s: %w", t.base.Target, err)
		}
	}
	return nil
}

func (t *tree) give(root *os.File) error {
	mnt, err := kernel.OpenPlain(root, path.Join(".", t.target))
	if err != nil {
		return err
	}
	defer mnt.Close()
	is, err := kernel.IsMountRoot(mnt)
	if err != nil {
		return err
	}
	top, err := mnt.Stat()
	if err != nil {
		return err
	}
	if !is || !os.SameFile(top, t.top) { // as whoever can write to its directory may arrange
		return errors.New("it has changed just now")
	}
	return kernel.SetAttr(mnt, kernel.Attr{Set: t.own})
}
