package launcher

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// directory makes the mount of a directory that is made for the container. Whose
// it becomes is known once the mounts are there that the user database lies on.
func (s *stage) directory(m Mount) (*os.File, error) {
	flags := slices.DeleteFunc(slices.Clone(m.Flags), func(f string) bool { return f == "ro" })
	if m.Type == "tmpfs" {
		m.Flags = flags
		return s.tmpfs(m)
	}
	dir, err := openDirectory(m, &s.undo)
	if err != nil {
		return nil, err
	}
	s.directories = append(s.directories, madeDirectory{m, dir})
	a := attributes(flags)
	if a.UserNS, err = s.idmap(m.IDs); err != nil {
		return nil, err
	}
	return clone(dir, unix.AT_RECURSIVE, a)
}

// madeDirectory is a directory of the host's, and what it is for.
type madeDirectory struct {
	Mount
	dir *os.File
}

// giveDirectories makes the payload's user the owner of what was made for it,
// and the links to it, before the first mount propagates.
func (s *stage) giveDirectories() error {
	for _, made := range s.directories {
		if err := s.giveDirectory(made); err != nil {
			return fmt.Errorf("cannot use %s=%s: %w", made.Setting, made.Directory.Name, err)
		}
	}
	for _, t := range s.trees {
		if t.base.Directory == nil || t.mnt == nil {
			continue
		}
		if err := s.finishDirectory(t); err != nil {
			return fmt.Errorf("cannot use %s=%s: %w", t.base.Setting, t.base.Directory.Name, err)
		}
	}
	return nil
}

// giveDirectory sets owner and mode on disk. As with systemd, all in it changes
// hands when the directory itself does.
func (s *stage) giveDirectory(made madeDirectory) error {
	defer made.dir.Close()
	if made.Directory.Kind == "Configuration" {
		for _, b := range made.Directory.Below {
			sub, err := makePath(made.dir, b.Name, b.Mode, &s.undo)
			if err != nil {
				return err
			}
			sub.Close()
		}
		return nil
	}
	user, err := s.payloadUser()
	if err != nil {
		return err
	}
	if err := ownDirectory(made.dir, made.Directory.Mode, user); err != nil {
		return err
	}
	return makeBelow(made.dir, made.Directory, user, &s.undo)
}

// makeBelow makes the other directories that lie in one.
func makeBelow(dir *os.File, d *Directory, owner kernel.Owner, u *undo) error {
	for _, b := range d.Below {
		sub, err := makePath(dir, b.Name, b.Mode, u)
		if err != nil {
			return err
		}
		err = ownDirectory(sub, b.Mode, owner)
		sub.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// ownDirectory gives a directory, and if need be all in it, to owner.
func ownDirectory(dir *os.File, mode uint32, owner kernel.Owner) error {
	now, err := ownerOf(dir)
	if err != nil {
		return err
	}
	if now != owner {
		if err := kernel.ChownTree(dir, owner); err != nil {
			return err
		}
	}
	return kernel.Chmod(dir, mode)
}

// finishDirectory completes the mount of a directory, and links to it.
func (s *stage) finishDirectory(t *tree) error {
	if t.base.Type == "tmpfs" {
		user, err := s.payloadUser()
		if err != nil {
			return err
		}
		if err := giveTmpfs(t, s.hostOwner(user)); err != nil {
			return err
		}
	}
	if slices.Contains(t.base.Flags, "ro") {
		if err := kernel.SetAttr(t.mnt, kernel.Attr{Set: unix.MOUNT_ATTR_RDONLY, Recursive: t.base.Recursive}); err != nil {
			return err
		}
	}
	return s.linkDirectories(t.base.Directory)
}

// giveTmpfs gives a new file system in memory to owner, with the directories
// that are to be in it.
func giveTmpfs(t *tree, owner kernel.Owner) error {
	if err := kernel.Chown(t.mnt, owner); err != nil {
		return err
	}
	top, err := kernel.Reopen(t.mnt, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer top.Close()
	var gone undo // it goes with the container anyway
	defer gone.close()
	return makeBelow(top, t.base.Directory, owner, &gone)
}

// linkDirectories makes the symlinks to a directory, and to those in it.
func (s *stage) linkDirectories(d *Directory) error {
	links := slices.Concat([]Below{{Symlinks: d.Symlinks}}, d.Below)
	for _, l := range links {
		for _, link := range l.Symlinks {
			if err := s.linkDirectory(path.Join(d.Parent, link), path.Join(d.Parent, d.Name, l.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// linkDirectory makes a symlink in the container, relative as systemd makes it.
func (s *stage) linkDirectory(link, target string) error {
	s.makeTarget(path.Dir(link), true)
	dir, err := s.canonical(path.Dir(link))
	if err != nil {
		return err
	}
	t, rest := s.treeOf(dir)
	if t.mnt == nil {
		return fmt.Errorf("%s can't hold a symlink", dir)
	}
	at, err := kernel.OpenPlain(t.mnt, rest)
	if err != nil {
		return err
	}
	defer at.Close()
	return kernel.As(s.owner(), func() error {
		_, err := linkOnce(at, path.Base(link), relativeTo(path.Dir(link), target))
		return err
	})
}

// relativeTo writes an absolute path as one that begins in a directory.
func relativeTo(dir, target string) string {
	from, to := strings.Split(dir, "/"), strings.Split(target, "/")
	for len(from) > 0 && len(to) > 1 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	return strings.Repeat("../", len(from)) + strings.Join(to, "/")
}

// linkOnce makes a symlink unless it is there. made tells which it was.
func linkOnce(dir *os.File, name, target string) (made bool, err error) {
	err = kernel.SymlinkIn(dir, target, name)
	if !errors.Is(err, unix.EEXIST) {
		return err == nil, err
	}
	if now, linkErr := kernel.ReadlinkIn(dir, name); linkErr == nil && now == target {
		return false, nil
	} else if linkErr == nil {
		return false, fmt.Errorf("%s/%s is a symlink to %q", dir.Name(), name, now)
	}
	return false, fmt.Errorf("%s/%s is there already, and isn't a symlink to %q: if it is the container's, move it there", dir.Name(), name, target)
}

// openDirectory opens the directory of the host's that a mount is made of, and
// makes what is missing of it. Nothing on the way is a symlink or belongs to
// somebody who might have put it there.
func openDirectory(m Mount, u *undo) (*os.File, error) {
	d := m.Directory
	at, err := openParent(d.Parent)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	if d.Kind == "Configuration" {
		return makePath(at, d.Name, d.Mode, u)
	}
	private, err := openPrivate(at, u)
	if err != nil {
		return nil, err
	}
	defer private.Close()
	if d.Public != "" {
		// First, so that undo ends before the link where the directory has to stay.
		if err := publish(at, d.Name, u); err != nil {
			return nil, err
		}
	}
	return makePath(private, d.Name, d.Mode, u)
}

// openParent opens /var/lib and the like, which may be a symlink of root's.
func openParent(name string) (*os.File, error) {
	found, err := kernel.OpenSource(name)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	dir, err := kernel.Reopen(found, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return rootsOwn(dir, 0o002)
}

// openPrivate opens the directory below which numbers of users mean something
// else than on the host. Nobody but root may enter it.
func openPrivate(parent *os.File, u *undo) (*os.File, error) {
	dir, _, err := u.makeDir(parent, privateName, 0o700)
	if err != nil {
		return nil, err
	}
	return rootsOwn(dir, 0o077)
}

// rootsOwn passes a directory on that belongs to root and grants others none of
// the permissions in denied. Else it closes it.
func rootsOwn(dir *os.File, denied os.FileMode) (*os.File, error) {
	info, err := dir.Stat()
	if err == nil {
		switch uid := info.Sys().(*syscall.Stat_t).Uid; {
		case uid != 0:
			err = fmt.Errorf("%s belongs to user %d", dir.Name(), uid)
		case info.Mode()&denied != 0:
			err = fmt.Errorf("%s has the mode %#o, and must not be open to others", dir.Name(), info.Mode().Perm())
		}
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// makePath opens name below a directory. Of what is missing the last component
// gets the mode, the others are 0755.
func makePath(at *os.File, name string, mode uint32, u *undo) (*os.File, error) {
	dir := at
	parts := strings.Split(name, "/")
	for i, part := range parts {
		perm := uint32(0o755)
		if i == len(parts)-1 {
			perm = mode
		}
		next, made, err := u.makeDir(dir, part, perm&0o777)
		if dir != at {
			dir.Close()
		}
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			return nil, fmt.Errorf("%s is not a directory", path.Join(append([]string{at.Name()}, parts[:i+1]...)...))
		}
		if err != nil {
			return nil, err
		}
		if dir = next; made {
			if err := kernel.Chmod(dir, perm); err != nil { // the umask has taken some
				dir.Close()
				return nil, err
			}
		}
	}
	return dir, nil
}

// publish makes a symlink at the place where others of the host look for a
// directory that is in private. One that a directory above has leads there too.
func publish(parent *os.File, name string, u *undo) error {
	dir, up := parent, ""
	defer func() {
		if dir != parent {
			dir.Close()
		}
	}()
	parts := strings.Split(name, "/")
	for i, part := range parts[:len(parts)-1] {
		to := up + path.Join(privateName, path.Join(parts[:i+1]...))
		if now, err := kernel.ReadlinkIn(dir, part); err == nil && now == to {
			return nil
		}
		next, _, err := u.makeDir(dir, part, 0o755)
		if err == nil {
			next, err = rootsOwn(next, 0o002)
		}
		if err != nil {
			return err
		}
		if dir != parent {
			dir.Close()
		}
		dir, up = next, up+"../"
	}
	return u.link(dir, parts[len(parts)-1], up+path.Join(privateName, name))
}

func ownerOf(f *os.File) (kernel.Owner, error) {
	info, err := f.Stat()
	if err != nil {
		return kernel.Owner{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	return kernel.Owner{UID: int(st.Uid), GID: int(st.Gid)}, nil
}

// forgetDirectories removes what RuntimeDirectoryPreserve=restart has kept.
func (p *Plan) forgetDirectories() error {
	var errs []error
	for _, m := range p.Mounts {
		if m.Directory == nil || !m.Directory.Forget {
			continue
		}
		errs = append(errs, os.RemoveAll(m.Source))
		if link := m.Directory.Public; link != "" {
			if target, err := os.Readlink(link); err == nil && path.Join(path.Dir(link), target) == m.Source {
				errs = append(errs, os.Remove(link))
			}
		}
	}
	return errors.Join(errs...)
}
