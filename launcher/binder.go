package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"berth/config"
	"berth/internal/kernel"
	"berth/mountguard"
	"berth/sandbox"

	"golang.org/x/sys/unix"
)

// binder adds mounts to the running container, and takes them away.
//
// A mount is made in the stage as one of the file's is, goes through the relay, which
// locks it, and is attached by a thread in the container's mount namespace, at a place
// that this thread has found there. That place is in a tree of the container's, whose
// file systems may be its own and may never answer: no other thread waits for this
// one longer than a while.
type binder struct {
	*start
	namespace *os.File // the container's first mount namespace
	relay     *relay
	busy      chan struct{} // held by the one that changes something

	mu    sync.Mutex
	added []*addition
}

// addition is a mount that was added, as it can be found again.
type addition struct {
	Added
	given string           // the target as it was given
	mount kernel.MountInfo // the lowest of its tree
	ids   []uint64         // what the guard knows it by, with the mounts that came on it

	// Of one that is locked in place: see relay.passFixed.
	seen  uint64 // the ID of the mount that can be seen, which is not the lowest
	place string // what unlocks it; "" once that is done
}

// newBinder has to be called before anything of the container's runs.
func (s *start) newBinder() (*binder, error) {
	namespace, err := kernel.OpenNS(s.child.Pid, "mnt")
	if err != nil {
		return nil, err
	}
	return &binder{start: s, namespace: namespace, relay: s.relay, busy: make(chan struct{}, 1)}, nil
}

// close lets go of the container. One that waits for a file system of the container's
// gets its answer with the end of that.
func (b *binder) close() {
	select {
	case b.busy <- struct{}{}:
	case <-time.After(changeTimeout):
		return // what it uses must stay
	}
	b.namespace.Close()
}

var (
	errSilent = errors.New("the container's file systems do not answer")
	errBusy   = errors.New("another change of its mounts has not ended: the container's file systems do not answer")
)

// change has f change something, alone. It gives up waiting with ctx: then commit,
// which f has to ask before what can't be taken back, answers false.
func (b *binder) change(ctx context.Context, f func(commit func() bool) error) error {
	select {
	case b.busy <- struct{}{}:
	case <-ctx.Done():
		return errBusy
	}
	var decided atomic.Bool
	decide := func() bool { return decided.CompareAndSwap(false, true) }
	done := make(chan error, 1)
	go func() {
		defer func() { <-b.busy }()
		defer time.AfterFunc(settled, shrink)
		done <- f(decide)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		if decide() {
			return errSilent
		}
		return <-done
	}
}

// bind adds a mount.
func (b *binder) bind(ctx context.Context, request Bind) (warnings []string, err error) {
	err = b.change(ctx, func(commit func() bool) error {
		source := lookAt(request.Source)
		return b.inside(func(in inside) error {
			at, err := b.prepare(in, request, source)
			if err != nil {
				return err
			}
			defer at.place.Close()
			mnt, err := b.make(at.mount, at.rule)
			if err != nil {
				return err
			}
			defer mnt.tree.Close()
			warnings = at.warnings
			return b.attach(in, at, mnt, commit)
		})
	})
	return warnings, err
}

// prepared is a mount that is to be made, and its place.
type prepared struct {
	given    string
	place    *os.File
	mount    Mount
	rule     sandbox.PathRule
	warnings []string
}

// prepare finds the place of a mount, and decides what the mount comes to there.
func (b *binder) prepare(in inside, r Bind, source Source) (p prepared, err error) {
	bind := func(target string) (config.Mount, error) {
		return config.NewBind(r.Source, target, r.ReadOnly, r.IDMap, r.Options)
	}
	given, err := bind(r.Target)
	if err != nil {
		return p, err
	}
	if _, _, _, err := b.plan.planBind(b.container, given, source); err != nil {
		return p, err // before anything is made
	}
	place, canonical, err := in.place(r.Target, source.IsDir, b.plan.Users)
	if err != nil {
		return p, err
	}
	p = prepared{given: r.Target, place: place}
	if given, err = bind(canonical); err != nil {
		err = fmt.Errorf("%s leads to %s: %w", r.Target, canonical, err)
	} else {
		p.mount, p.rule, p.warnings, err = b.plan.planBind(b.container, given, source)
	}
	if err != nil {
		place.Close()
	}
	return p, err
}

// lockedTree is a mount, locked and detached.
type lockedTree struct {
	tree  *os.File
	own   uint64 // those of its flags that are not locked, and can be
	place string // as addition has it
}

// make makes a mount.
func (b *binder) make(m Mount, rule sandbox.PathRule) (made lockedTree, err error) {
	err = b.thread.Do(func() error {
		return b.stage.aside(func() error {
			made, err = b.stage.makeAdded(m, rule, b.relay)
			return err
		})
	})
	return made, err
}

// makeAdded is make, on the stage's thread and with a place for what is made.
func (s *stage) makeAdded(m Mount, rule sandbox.PathRule, r *relay) (made lockedTree, err error) {
	rules := s.rules
	s.rules = slices.Concat(rules, s.absent, []sandbox.PathRule{rule})
	defer func() {
		s.rules = rules
		s.closeMaps()
	}()
	if at(s.rules, m.Target).access == sandbox.Inaccessible {
		return made, fmt.Errorf("%s is inaccessible in the container", m.Target)
	}
	t := &tree{target: m.Target, base: m}
	if err := s.makeDetached(t, m); err != nil {
		return made, err
	}
	defer t.mnt.Close()
	if dir, err := kernel.IsDir(t.mnt); err != nil || dir == m.File {
		return made, errors.Join(err, fmt.Errorf("%s has changed just now: try again", m.Source))
	}
	if err := s.applyRules(t); err != nil {
		return made, err
	}
	made.own = t.own
	switch {
	case m.Lock.HoldsPlace():
		made.tree, made.place, err = r.passFixed(t.mnt, t.own)
		return made, err
	case !s.plan.Users.Host:
		made.tree, err = r.pass(t.mnt, t.own)
		return made, err
	}
	// The kernel locks nothing. A clone needs an attached origin before Linux 6.15.
	at, err := makePlace(s.area, "whole", t.mnt)
	if err != nil {
		return made, err
	}
	defer at.Close()
	if err := kernel.Attach(t.mnt, at); err != nil {
		return made, err
	}
	made.tree, err = clone(t.mnt, unix.AT_RECURSIVE, kernel.Attr{})
	return made, err
}

// attach puts a mount at its place. The guard knows its top before anybody in the
// container can see it.
func (b *binder) attach(in inside, at prepared, made lockedTree, commit func() bool) (err error) {
	a := &addition{Added: Added{Mount: at.mount, Since: time.Now()}, given: at.given, place: made.place}
	defer func() {
		if err == nil {
			return
		}
		_ = b.release(a, true)
		_ = in.detach(made.tree) // it may not be mounted
		b.forget(a)
	}()
	if a.mount.ID, _, _, err = kernel.FileMount(kernel.FD(made.tree.Fd()), false); err != nil {
		return cannot("look at the mount", err)
	}
	if err := b.announce(a, made); err != nil {
		return err
	}
	if err := kernel.Attach(made.tree, at.place); err != nil {
		return err
	}
	if err := b.record(in, a, made.own); err != nil {
		return err
	}
	if !commit() {
		return errSilent
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.added = append(b.added, a)
	return nil
}

// announce tells the guard of a tree's top.
func (b *binder) announce(a *addition, made lockedTree) error {
	if b.guard == nil {
		return nil
	}
	_, err := kernel.MountNamespaceID(b.namespace)
	id, _, device, err := kernel.FileMount(kernel.FD(made.tree.Fd()), err == nil)
	if err != nil {
		return cannot("look at the mount", err)
	}
	flags, err := kernel.MountFlags(made.tree)
	if err != nil {
		return err
	}
	a.ids = []uint64{id}
	top := mountguard.Initial{
		Mount: mountguard.Mount{ID: id, Device: device}, Path: a.Target, Locked: mountguard.Attr(flags &^ made.own), Host: true,
	}
	b.guard.SetInitial(func(t *mountguard.Table) *mountguard.Table { return t.With(top) })
	return nil
}

// record finds a tree where it has come to be, and tells the guard of all of it.
func (b *binder) record(in inside, a *addition, own uint64) error {
	mounts, err := in.mounts()
	if err != nil {
		return err
	}
	tree := treeBelow(mounts, a.mount.ID)
	if len(tree) == 0 {
		return errors.New("the container has unmounted it at once")
	}
	a.mount = tree[0]
	visible := 0
	if a.place != "" && len(tree) > 2 {
		visible, a.seen = 2, tree[2].ID
	}
	if b.guard == nil {
		return nil
	}
	ids, err := uniqueIDs(b.namespace)
	if err != nil {
		return err
	}
	var initial []mountguard.Initial
	for i, m := range tree {
		one := initialMount(m, ids)
		one.Path, one.Fixed, one.Host = m.Target, i > 0, true
		if i == visible {
			one.Locked &^= mountguard.Attr(own)
		}
		initial = append(initial, one)
	}
	b.guard.SetInitial(func(t *mountguard.Table) *mountguard.Table {
		for _, i := range initial {
			t = t.With(i)
		}
		return t
	})
	a.ids = nil
	for _, i := range initial {
		a.ids = append(a.ids, i.ID)
	}
	return nil
}

// forget has the guard forget a mount.
func (b *binder) forget(a *addition) {
	if b.guard == nil || len(a.ids) == 0 {
		return
	}
	ids := a.ids
	a.ids = nil
	b.guard.SetInitial(func(t *mountguard.Table) *mountguard.Table {
		for _, id := range ids {
			t = t.Without(id)
		}
		return t
	})
}

// treeBelow returns a mount and those that are mounted on it, each behind what it is
// mounted on.
func treeBelow(mounts []kernel.MountInfo, top uint64) []kernel.MountInfo {
	var tree []kernel.MountInfo
	for _, m := range mounts {
		if m.ID == top {
			tree = append(tree, m)
		}
	}
	for i := 0; i < len(tree); i++ {
		for _, m := range mounts {
			if m.Parent == tree[i].ID && m.ID != tree[i].ID {
				tree = append(tree, m)
			}
		}
	}
	return tree
}
