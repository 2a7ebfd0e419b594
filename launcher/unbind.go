package launcher

import (
	"context"
	"errors"
	"path"
	"slices"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

var (
	errNotAdded = errors.New("berth bind has mounted nothing there, or the container has unmounted it")
	errInUse    = errors.New("it, or a mount on it, is in use in the container: --lazy takes it away all the same, but for what has files of it open")
)

// unbind takes away a mount that was added: the last one, of several at one target.
func (b *binder) unbind(ctx context.Context, u Unbind) error {
	return b.change(ctx, func(commit func() bool) error {
		return b.inside(func(in inside) error {
			if err := b.refresh(in); err != nil {
				return err
			}
			a := b.find(path.Clean(u.Target))
			if a == nil {
				return errNotAdded
			}
			if !commit() {
				return errSilent
			}
			if err := b.remove(in, a, u.Lazy); err != nil {
				return err
			}
			return b.refresh(in)
		})
	})
}

// remove unmounts a mount of the container.
func (b *binder) remove(in inside, a *addition, lazy bool) error {
	if err := b.release(a, lazy); err != nil {
		return err
	}
	if a.seen != 0 {
		mounts, err := in.mounts()
		if err != nil {
			return err
		}
		if len(treeBelow(mounts, a.seen)) > 0 {
			return errors.New("it is locked in place, and the container has cut it off, by making its mounts private: it goes with the container")
		}
	}
	return in.unmount(a.mount, lazy)
}

// release unlocks a mount that is locked in place.
func (b *binder) release(a *addition, lazy bool) error {
	if a.place == "" {
		return nil
	}
	err := b.thread.Do(func() error { return b.relay.release(a.place, lazy) })
	if errors.Is(err, unix.EBUSY) {
		return errInUse
	}
	if err == nil {
		a.place = ""
	}
	return err
}

// find returns the mount that was added last at a target, as it was given or as it is
// now.
func (b *binder) find(target string) *addition {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range slices.Backward(b.added) {
		if a.given == target || a.Target == target {
			return a
		}
	}
	return nil
}

// refresh drops what is not mounted any more, and finds out where the rest is.
func (b *binder) refresh(in inside) error {
	mounts, err := in.mounts()
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.added = slices.DeleteFunc(b.added, func(a *addition) bool {
		i := slices.IndexFunc(mounts, func(m kernel.MountInfo) bool {
			return m.ID == a.mount.ID && m.Device == a.mount.Device && m.Root == a.mount.Root
		})
		if i < 0 {
			b.forget(a)
			return true
		}
		a.mount = mounts[i]
		a.Target = a.mount.Target
		return false
	})
	return nil
}

// list returns what was added and is still there.
func (b *binder) list() ([]Added, error) {
	b.mu.Lock()
	none := len(b.added) == 0
	b.mu.Unlock()
	if none {
		return nil, nil
	}
	if err := b.inside(b.refresh); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Added
	for _, a := range b.added {
		list = append(list, a.Added)
	}
	return list, nil
}
