package launcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"berth/internal/kernel"
	"berth/sandbox"

	"golang.org/x/sys/unix"
)

// tree is a mount that is made and not yet the container's. What is put onto it
// now propagates with it as one, and is locked in place.
type tree struct {
	target string   // canonical
	mnt    *os.File // nil: not made yet
	sealed bool     // nothing may be made in it
	base   Mount
	on     *tree       // that it is mounted on; nil: it is the root's
	fixed  bool        // it comes into the container as part of the root's
	own    uint64      // flags that it gets in the container, where they can be taken from it again
	top    fs.FileInfo // what own is for

	attached bool

	unruled *os.File // a copy of it without what rules say, where something needs it
}

// treeOf returns the innermost tree that a path without symlinks lies in, and
// the path in it. Of two on one path the later one covers the other.
func (s *stage) treeOf(name string) (*tree, string) {
	found := s.trees[0] // the root
	for _, t := range s.trees {
		if within(name, t.target) && len(t.target) >= len(found.target) {
			found = t
		}
	}
	if name == found.target {
		return found, "."
	}
	return found, strings.TrimPrefix(name[len(found.target):], "/")
}

// followRules makes the paths of the plan's rules canonical: symlinks in them
// are followed as they stand in the container. What is missing may be passed over.
func (s *stage) followRules() error {
	for _, r := range s.plan.Rules {
		name, err := s.canonical(r.Path)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			if r.Optional {
				s.followMissing(r, name)
				continue
			}
			return fmt.Errorf("cannot apply %s: %s is not in the container; \"-%s\" passes over it then", r.Setting, r.Path, r.Path)
		}
		if err != nil {
			return fmt.Errorf("cannot apply %s to %s: %w", r.Setting, r.Path, err)
		}
		if name == "/" && r.Access == sandbox.Inaccessible {
			return fmt.Errorf("cannot apply %s: %s is the root directory, and nothing of the container would be left", r.Setting, r.Path)
		}
		r.Path = name
		s.rules = append(s.rules, r)
	}
	return nil
}

// followMissing keeps a rule for a path with nothing at it: the container's root
// may unmount the mount that it lies in, and there may be something below.
func (s *stage) followMissing(r sandbox.PathRule, name string) {
	r.Path = name
	if t, _ := s.treeOf(name); t == s.trees[0] {
		s.absent = append(s.absent, r)
		return
	}
	s.rules, s.missing[name] = append(s.rules, r), true
}

// maxSymlinks is how many the kernel follows in one path. See
// path_resolution(7).
const maxSymlinks = 40

// canonical follows the symlinks in a path across all trees. With ENOENT there
// is nothing at it, and it is followed as far as there is something.
func (s *stage) canonical(name string) (string, error) {
	if t, rest := s.treeOf(name); t.mnt != nil {
		// Most have none.
		f, err := kernel.OpenPlain(t.mnt, rest)
		if err == nil {
			f.Close()
			return name, nil
		}
	}
	done, todo, links := "/", strings.Split(name, "/"), 0
	for len(todo) > 0 {
		next := path.Join(done, todo[0])
		todo = todo[1:]
		t, rest := s.treeOf(next)
		if t.mnt == nil || rest == "." {
			done = next
			continue
		}
		link, err := kernel.ReadlinkIn(t.mnt, rest)
		switch {
		case errors.Is(err, unix.EINVAL): // not a symlink
			done = next
		case err != nil:
			return path.Join(next, path.Join(todo...)), err
		case links == maxSymlinks:
			return "", unix.ELOOP
		default:
			links++
			if path.IsAbs(link) {
				done = "/"
			}
			todo = append(strings.Split(link, "/"), todo...)
		}
	}
	return done, nil
}

// applyRules carries out what the rules say of one tree.
func (s *stage) applyRules(t *tree) error {
	list := covers(s.rules, t.target, s.targets())
	dir, err := kernel.IsDir(t.mnt)
	if err != nil {
		return err
	}
	if !dir {
		list = nil
	}
	if len(list) > 0 && !t.attached {
		if _, err := s.park(t.mnt); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(list, func(c cover) bool { return c.loosens }) {
		if t.unruled, err = s.copyOf(t.mnt); err != nil {
			return err
		}
		defer t.unruled.Close()
	}
	top := attributesOf(at(s.rules, t.target))
	top.Recursive = t.base.Recursive
	if top.Set != 0 {
		if err := kernel.SetAttr(t.mnt, top); err != nil {
			return err
		}
	}
	for _, c := range list {
		if err := s.cover(t, c); err != nil {
			return fmt.Errorf("cannot make %s %s: %w", c.path, c.access, err)
		}
	}
	return nil
}

// copyOf clones a parked mount, and parks that as well.
func (s *stage) copyOf(mnt *os.File) (*os.File, error) {
	copied, err := clone(mnt, unix.AT_RECURSIVE, kernel.Attr{})
	if err != nil {
		return nil, err
	}
	if _, err := s.park(copied); err != nil {
		copied.Close()
		return nil, err
	}
	return copied, nil
}

// attributesOf are the mount attributes that a use comes to.
func attributesOf(u use) kernel.Attr {
	a := kernel.Attr{}
	if u.access == sandbox.ReadOnly {
		a.Set |= unix.MOUNT_ATTR_RDONLY
	}
	if u.exec == sandbox.NoExec {
		a.Set |= unix.MOUNT_ATTR_NOEXEC
	}
	return a
}

func (s *stage) targets() []string {
	list := make([]string, len(s.trees))
	for i, t := range s.trees {
		list[i] = t.target
	}
	return list
}

// cover puts one thing onto a tree. A path that has been seen lies in the
// innermost tree; the one below that may have nothing there to protect.
func (s *stage) cover(t *tree, c cover) error {
	name := strings.TrimPrefix(c.path[len(t.target):], "/")
	target, err := kernel.OpenPlain(t.mnt, name)
	nothing := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
	if innermost, _ := s.treeOf(c.path); nothing && (innermost != t || s.missing[c.path]) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("it has changed just now: %w", err)
	}
	defer target.Close()
	over, err := s.coverOf(t, target, name, c)
	if err != nil {
		return err
	}
	defer over.Close()
	return kernel.Attach(over, target)
}

// coverOf clones what goes onto a target: a mask, or the target itself. Nothing
// is ever taken from a mount's attributes: what is loosened is cloned from the
// tree as it was, in which a mount of the host's may be read-only by itself.
func (s *stage) coverOf(t *tree, target *os.File, name string, c cover) (*os.File, error) {
	if c.access == sandbox.Inaccessible {
		mask, err := s.maskFor(target, c.quiet)
		if err != nil {
			return nil, err
		}
		return clone(mask, 0, attributes([]string{"ro", "nosuid", "noexec"}))
	}
	a := attributesOf(c.use)
	a.Set |= t.own
	if slices.Contains(t.base.Flags, "ro") { // which a tmpfs becomes by its rule only
		a.Set |= unix.MOUNT_ATTR_RDONLY
	}
	if !c.loosens {
		return clone(target, unix.AT_RECURSIVE, a)
	}
	unruled, err := kernel.OpenPlain(t.unruled, name)
	if err != nil {
		return nil, fmt.Errorf("it has changed just now: %w", err)
	}
	defer unruled.Close()
	return clone(unruled, unix.AT_RECURSIVE, a)
}
