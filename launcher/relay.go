package launcher

import (
	"fmt"
	"os"
	"path"
	"strconv"

	"berth/internal/kernel"
	"berth/internal/nsinit"

	"golang.org/x/sys/unix"
)

// relay is a mount namespace that the container's user namespace owns, and in which
// nothing runs. What is mounted in the stage propagates into it, and there the kernel
// locks it. A copy of what it has locked can be put, as a tree, into the container's
// mount namespace and into any below. All methods run on the stage's thread.
type relay struct {
	stage     *stage
	namespace *os.File // once there is one
	made      int
}

// pass sends a tree through the relay, and returns the copy that comes out. Its top
// gets the flags of own behind the lock, so that they can be taken away again.
func (r *relay) pass(mnt *os.File, own uint64) (*os.File, error) {
	place, at, err := r.place(mnt)
	if err != nil {
		return nil, err
	}
	defer r.vacate(place)
	defer at.Close()
	if err := kernel.Attach(mnt, at); err != nil {
		return nil, err
	}
	var copied *os.File
	err = r.inside(func() error {
		top, err := openWith(place, own)
		if err != nil {
			return err
		}
		defer top.Close()
		copied, err = clone(top, unix.AT_RECURSIVE, kernel.Attr{})
		return err
	})
	return copied, err
}

// passFixed is pass of a tree whose top is locked in place as well.
//
// The kernel locks what is inside a tree in place, not its top, and a copy of a mount
// is a top again. So the tree comes with two empty mounts below it, all at the same
// place: the upper one is the top in the relay, the lower one that of the copy. Nobody
// can reach these, since every path leads to the mount above them.
//
// The kernel undoes such a lock for who can unmount what the mount is a copy of. That
// stays at place until release.
func (r *relay) passFixed(mnt *os.File, own uint64) (copied *os.File, place string, err error) {
	place, at, err := r.place(mnt)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			r.vacate(place)
		}
	}()
	defer at.Close()
	stageLower, err := r.empty(at)
	if err != nil {
		return nil, "", err
	}
	defer stageLower.Close()
	upper, err := r.raise(mnt)
	if err != nil {
		return nil, "", err
	}
	defer upper.Close()
	var lower *os.File
	if err := r.inside(func() error { lower, err = kernel.OpenPath(place); return err }); err != nil {
		return nil, "", err
	}
	defer lower.Close()
	if err := kernel.Attach(upper, stageLower); err != nil {
		return nil, "", err
	}
	err = r.inside(func() error {
		top, err := openWith(place, own)
		if err != nil {
			return err
		}
		defer top.Close()
		copied, err = kernel.CloneTree(lower, "", unix.AT_RECURSIVE)
		return err
	})
	return copied, place, err
}

// release unlocks what has come out of passFixed: the mount itself is unmounted, and
// the upper of those below it. EBUSY, if not lazy, where it is in use.
func (r *relay) release(place string, lazy bool) error {
	flags := 0
	if lazy {
		flags = unix.MNT_DETACH
	}
	if err := unix.Unmount(place, flags); err != nil {
		return fmt.Errorf("umount2: %w", err)
	}
	r.vacate(place)
	return nil
}

// openWith opens what is mounted at a path, and gives it flags.
func openWith(place string, flags uint64) (*os.File, error) {
	top, err := kernel.OpenPath(place)
	if err != nil || flags == 0 {
		return top, err
	}
	if err := kernel.SetAttr(top, kernel.Attr{Set: flags}); err != nil {
		top.Close()
		return nil, err
	}
	return top, nil
}

// inside has f called in the relay.
func (r *relay) inside(f func() error) (err error) {
	kernel.OnThread(func() {
		if err = enterMounts(r.namespace); err == nil {
			err = f()
		}
	})
	return err
}

// place makes a new mount point for a mount in the shared tmpfs, and the relay if
// there is none yet.
func (r *relay) place(mnt *os.File) (name string, at *os.File, err error) {
	if r.namespace == nil {
		if r.namespace, err = nsinit.CopyMountNS(r.stage.userns); err != nil {
			return "", nil, err
		}
	}
	shared, err := kernel.OpenPath(sharedDir)
	if err != nil {
		return "", nil, err
	}
	defer shared.Close()
	r.made++
	name = "relay-" + strconv.Itoa(r.made)
	at, err = makePlace(shared, name, mnt)
	return path.Join(sharedDir, name), at, err
}

// makePlace makes a mount point for a mount in one of the stage's tmpfs.
func makePlace(in *os.File, name string, mnt *os.File) (*os.File, error) {
	dir, err := kernel.IsDir(mnt)
	switch {
	case err != nil:
		return nil, err
	case dir:
		return kernel.MkdirIn(in, name)
	}
	return kernel.CreateIn(in, name)
}

// vacate removes a place with all that is mounted there.
func (r *relay) vacate(place string) {
	for unix.Unmount(place, unix.MNT_DETACH) == nil {
	}
	_ = os.Remove(place) // what stays is an empty file, in memory
}

// empty mounts something empty, and returns its root.
func (r *relay) empty(at *os.File) (*os.File, error) {
	mask, err := r.stage.maskFor(at, true)
	if err != nil {
		return nil, err
	}
	mnt, err := clone(mask, 0, attributes([]string{"ro", "nosuid", "nodev", "noexec"}))
	if err != nil {
		return nil, err
	}
	if err := kernel.Attach(mnt, at); err != nil {
		mnt.Close()
		return nil, err
	}
	return mnt, nil
}

// raise puts a mount onto something empty, in the place for what is made aside, and
// returns that.
func (r *relay) raise(mnt *os.File) (*os.File, error) {
	at, err := makePlace(r.stage.area, "raised", mnt)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	base, err := r.empty(at)
	if err != nil {
		return nil, err
	}
	if err := kernel.Attach(mnt, base); err != nil {
		base.Close()
		return nil, err
	}
	return base, nil
}

// close lets go of it.
func (r *relay) close() {
	if r.namespace != nil {
		r.namespace.Close()
	}
}

// enterMounts moves the calling thread, which must not be used for anything else
// afterwards, into a mount namespace.
func enterMounts(namespace *os.File) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare CLONE_FS: %w", err)
	}
	return kernel.JoinMountNS(namespace)
}
