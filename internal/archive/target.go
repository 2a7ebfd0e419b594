package archive

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Target is where a stream is unpacked.
type Target struct {
	Root    *os.File // the root directory that Path is seen from
	Path    string   // absolute; a symlink here is followed, inside Root
	Into    string   // the name of what comes, in a directory at Path; "": the directory is what comes
	Tree    bool     // a stream of anybody's, whose names are below the directory at Path
	Owners  bool     // keep the owners' numbers; else all belongs to this process
	Modes   uint32   // the bits of modes that are kept
	Skipped Skipped
}

// maxLinks bounds the symlinks that one path leads through, as the kernel does.
const maxLinks = 40

// directory opens the directory that a stream of a directory goes to, and makes it
// where it is missing. made tells which it was.
func (t Target) directory() (dir *os.File, made bool, err error) {
	found, err := t.existing()
	switch {
	case errors.Is(err, unix.ENOENT) && !t.Tree:
		parent, base, err := t.parent(t.Path, maxLinks)
		if err != nil {
			return nil, false, err
		}
		defer parent.Close()
		return makeDir(parent, base)
	case err != nil:
		return nil, false, err
	case t.Into == "" || t.Tree:
		return found, false, nil
	}
	defer found.Close()
	return makeDir(found, t.Into)
}

// place opens the directory that a file goes to, and returns its name there.
func (t Target) place() (dir *os.File, base string, err error) {
	if found, err := t.existing(); err == nil {
		return found, t.Into, nil
	} else if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) || strings.HasSuffix(t.Path, "/") {
		return nil, "", err
	}
	return t.parent(t.Path, maxLinks)
}

// existing opens the directory at Path.
func (t Target) existing() (*os.File, error) {
	dir, err := kernel.OpenIn(t.Root, t.Path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, fmt.Errorf("cannot write to %q: %w", t.Path, cause(err))
	}
	return dir, nil
}

// parent opens the directory of what a path leads to, which need not be there, and
// returns the last name.
func (t Target) parent(name string, links int) (dir *os.File, base string, err error) {
	above, base := path.Split(strings.TrimRight(name, "/"))
	if base == "" || base == "." || base == ".." {
		return nil, "", fmt.Errorf("cannot write to %q: %w", t.Path, unix.EISDIR)
	}
	if dir, err = kernel.OpenIn(t.Root, "/"+above, unix.O_RDONLY|unix.O_DIRECTORY); err != nil {
		return nil, "", fmt.Errorf("cannot write to %q: %w", t.Path, cause(err))
	}
	target, err := kernel.ReadlinkIn(dir, base)
	if err != nil {
		return dir, base, nil // no symlink, or nothing yet
	}
	dir.Close()
	if links == 0 {
		return nil, "", fmt.Errorf("cannot write to %q: %w", t.Path, unix.ELOOP)
	}
	if !path.IsAbs(target) {
		target = above + "/" + target // openat2 knows what ".." is there
	}
	return t.parent(target, links-1)
}

// makeDir opens a directory, and makes it where there is none, for its owner alone
// until it is complete.
func makeDir(parent *os.File, name string) (dir *os.File, made bool, err error) {
	dir, made, err = kernel.MakeDirAt(parent, name, 0o700)
	if err != nil {
		return nil, false, fmt.Errorf("cannot make the directory %q: %w", name, cause(err))
	}
	return dir, made, nil
}
