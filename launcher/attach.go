package launcher

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"berth/internal/kernel"
	"berth/sandbox"

	"golang.org/x/sys/unix"
)

// addTree adds a tree behind those that it may lie on. What a tree lies on that is
// locked in place, has to be there before it.
func (s *stage) addTree(t *tree) {
	t.on, _ = s.treeOf(t.target)
	t.fixed = t.base.Lock.HoldsPlace()
	for on := t.on; t.fixed && !on.fixed; on = on.on {
		on.fixed = true
	}
	s.trees = append(s.trees, t)
}

// attachOrder is the root, what is locked in place, and all others, each time
// what has to wait for the cgroup behind the rest.
func attachOrder(trees []*tree) []*tree {
	order := slices.Clone(trees)
	rank := func(t *tree) int {
		rank := 0
		if !t.fixed {
			rank = 2
		}
		if t.mnt == nil {
			rank++
		}
		return rank
	}
	slices.SortStableFunc(order, func(a, b *tree) int { return cmp.Compare(rank(a), rank(b)) })
	return order
}

// attachMade attaches what waits for that, up to what is not made yet. What is
// to be locked in place goes onto the root before that itself goes to where it
// propagates: of a tree that comes into a less privileged mount namespace the
// kernel locks all but the top in place.
func (s *stage) attachMade() error {
	for len(s.waiting) > 0 {
		t := s.waiting[0]
		if t.mnt == nil {
			return nil
		}
		if !t.fixed {
			if err := s.share(); err != nil {
				return err
			}
		}
		s.waiting = s.waiting[1:]
		if err := s.attach(t); err != nil {
			return err
		}
	}
	return s.share()
}

// share puts the root, with all that is on it, where it propagates.
func (s *stage) share() error {
	if s.shared {
		return nil
	}
	s.shared = true
	at, err := kernel.MkdirIn(s.private, strings.TrimPrefix(stageRoot, stageDir))
	if err != nil {
		return err
	}
	defer at.Close()
	return kernel.Attach(s.root, at)
}

// attach restricts a tree and puts it where it is to be.
func (s *stage) attach(t *tree) error {
	if t == s.trees[0] {
		return s.restrictRoot(t)
	}
	defer t.mnt.Close()
	m := t.base
	if at(s.rules, t.target).access == sandbox.Inaccessible {
		return nil // what lies below it is masked
	}
	if err := s.applyRules(t); err != nil {
		return err
	}
	if err := s.keepCovered(t); err != nil {
		return err
	}
	target, err := s.target(t)
	if m.Optional && err != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot mount %s on %s: %w", m.Type, m.Target, err)
	}
	defer target.Close()
	if err := kernel.Attach(t.mnt, target); err != nil {
		return err
	}
	t.attached = true
	return nil
}

// target opens the place of a mount inside the container's root and makes it
// where it is missing, as the container's root user would. It is where rules were
// made for: symlinks have been followed, and a new one is refused.
func (s *stage) target(t *tree) (*os.File, error) {
	name := t.target
	dir, err := kernel.IsDir(t.mnt)
	if err != nil {
		return nil, err
	}
	open := kernel.CreateIn
	if dir {
		open = kernel.MkdirIn
	}
	var target *os.File
	if t.on.sealed { // it may not be read-only yet
		open = func(root *os.File, name string) (*os.File, error) {
			target, err := kernel.OpenIn(root, name, unix.O_PATH)
			if errors.Is(err, unix.ENOENT) {
				err = unix.EROFS
			}
			return target, err
		}
	}
	err = kernel.As(s.owner(), func() (err error) {
		target, err = open(s.root, name)
		return err
	})
	switch {
	case errors.Is(err, unix.EROFS):
		return nil, fmt.Errorf("%s is not there, in what is read-only: make it in the root file system", name)
	case errors.Is(err, unix.EACCES):
		return nil, fmt.Errorf("%s is not in the root file system, and its root user may not make it: make it there (%w)", name, err)
	case errors.Is(err, unix.ENOTDIR):
		return nil, fmt.Errorf("%s passes through something that is not a directory", name)
	case err != nil:
		return nil, err
	}
	target.Close()
	if target, err = kernel.OpenPlain(s.root, path.Join(".", name)); err != nil {
		return nil, fmt.Errorf("%s has changed just now: %w", name, err)
	}
	if isDir, err := kernel.IsDir(target); err != nil || isDir != dir {
		target.Close()
		return nil, errors.Join(err, fmt.Errorf("%s is %s in the root file system, and what is mounted there is %s", name, kindOf(isDir), kindOf(dir)))
	}
	return target, nil
}

func kindOf(dir bool) string {
	if dir {
		return "a directory"
	}
	return "not a directory"
}
