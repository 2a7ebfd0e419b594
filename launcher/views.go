package launcher

import (
	"fmt"
	"os"

	"berth/internal/kernel"
	"berth/internal/nsinit"
	"berth/sandbox"

	"golang.org/x/sys/unix"
)

// views makes a procfs or sysfs for containers within a container, out of what
// the container's own is made of. It is made in the stage, and goes through the relay.
type views struct {
	stage  *stage
	thread *kernel.Thread // the stage's
	relay  *relay
}

// Open opens a context for a namespace: see mountguard.Views.
func (v *views) Open(fs string, ns *os.File) (context *os.File, err error) {
	if fs == "proc" {
		return nsinit.OpenFSIn(fs, ns)
	}
	kernel.OnThread(func() {
		if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			err = fmt.Errorf("setns: %w", err)
			return
		}
		context, err = kernel.OpenFS(fs)
	})
	return context, err
}

// Mount makes the mount of a context: see mountguard.Views.
func (v *views) Mount(fs string, context *os.File) (mnt *os.File, err error) {
	err = v.thread.Do(func() error {
		mnt, err = v.mount(fs, context)
		return err
	})
	return mnt, err
}

func (v *views) mount(fs string, context *os.File) (*os.File, error) {
	own, err := v.stage.plan.view(fs)
	if err != nil {
		return nil, err
	}
	var copied *os.File
	err = v.stage.aside(func() error {
		t, err := v.tree(own, context)
		if err != nil {
			return err
		}
		defer t.mnt.Close()
		copied, err = v.relay.pass(t.mnt, 0)
		return err
	})
	return copied, err
}

// view is the container's own mount of a type.
func (p *Plan) view(fs string) (Mount, error) {
	for _, m := range p.Mounts {
		if m.Type == fs {
			return m, nil
		}
	}
	// It has been replaced by something else, and nothing says what to hide.
	return Mount{}, fmt.Errorf("the container has no %s of its own: %w", fs, unix.EPERM)
}

// tree mounts a context as the container's own is, with its masks.
func (v *views) tree(own Mount, context *os.File) (*tree, error) {
	mnt, err := kernel.MakeMount(context, int(attributes(own.Flags).Set))
	if err != nil {
		return nil, err
	}
	t := &tree{target: own.Target, mnt: mnt, base: own}
	err = kernel.ReconfigureFS(context, v.stage.hostOptions(own.Options))
	if err == nil && at(v.stage.rules, own.Target).access == sandbox.Inaccessible {
		err = unix.EPERM
	}
	if err == nil {
		_, err = v.stage.park(mnt)
		t.attached = true
	}
	if err == nil {
		err = v.stage.applyRules(t)
	}
	if err != nil {
		mnt.Close()
		return nil, err
	}
	return t, nil
}

// aside has what f parks taken away afterwards.
func (s *stage) aside(f func() error) error {
	dir, name, err := s.place(s.private)
	if err != nil {
		return err
	}
	defer os.Remove(name)
	defer dir.Close()
	area, err := s.smallTmpfs(dir)
	if err != nil {
		return err
	}
	defer unix.Unmount(name, unix.MNT_DETACH)
	defer area.Close()
	s.area = area
	defer func() { s.area = s.private }()
	return f()
}
