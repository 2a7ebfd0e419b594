package kernel

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Place is what is to be mounted on, in a tree that belongs to somebody else, who
// may change it at the same time.
type Place struct {
	Root  *os.File // the calling thread's root directory
	Dir   bool     // it is to be a directory
	Owner Owner    // makes what is missing, with no more rights over files than it has
	// Trust tells whose symlinks may be followed.
	Trust func(uid uint32) bool
}

// placeRaces bounds how often a path is followed again that has changed meanwhile.
const placeRaces = 16

// Open opens name as an O_PATH descriptor, and makes what is missing of it.
// canonical is the same path without symlinks, by which the descriptor was opened.
func (p Place) Open(name string) (f *os.File, canonical string, err error) {
	for range placeRaces {
		if canonical, err = p.follow(name); err == nil {
			f, err = OpenPlain(p.Root, path.Join(".", canonical))
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENOTDIR) {
			return f, canonical, err
		}
	}
	return nil, "", err
}

// follow goes along a path, one name after the other.
func (p Place) follow(name string) (canonical string, err error) {
	done, rest := "/", names(name)
	at, err := OpenPlain(p.Root, ".")
	for links := 0; err == nil && len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			done = path.Dir(done)
			at, err = p.again(at, done)
			continue
		}
		var link string
		if at, link, err = p.step(at, part, p.Dir || len(rest) > 0); err != nil {
			break
		}
		if link == "" {
			done = path.Join(done, part)
			continue
		}
		if links++; links > maxLinks {
			err = fmt.Errorf("open %s: %w", name, unix.ELOOP)
			break
		}
		if path.IsAbs(link) {
			done = "/"
		}
		rest = append(names(link), rest...)
		at, err = p.again(at, done)
	}
	if at != nil {
		at.Close()
	}
	return done, err
}

// again closes a directory, and opens another by its path without symlinks.
func (p Place) again(at *os.File, canonical string) (*os.File, error) {
	at.Close()
	return OpenPlain(p.Root, path.Join(".", canonical))
}

// names are the parts of a path that lead somewhere.
func names(name string) []string {
	var list []string
	for part := range strings.SplitSeq(name, "/") {
		if part != "" && part != "." {
			list = append(list, part)
		}
	}
	return list
}

// step closes a directory, and opens what is in it, which it makes if nothing is
// there. Of a symlink that may be followed it tells where that leads.
func (p Place) step(at *os.File, name string, dir bool) (next *os.File, link string, err error) {
	defer at.Close()
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	next, err = openat2(at, name, how)
	if errors.Is(err, unix.ENOENT) {
		if err := p.make(at, name, dir); err != nil {
			return nil, "", err
		}
		next, err = openat2(at, name, how)
	}
	if err != nil {
		return nil, "", err
	}
	link, uid, err := symlink(next)
	if err == nil && link != "" && !p.Trust(uid) {
		err = &UntrustedLinkError{Path: next.Name(), UID: uid}
	}
	if err != nil {
		next.Close()
		return nil, "", err
	}
	return next, link, nil
}

func (p Place) make(at *os.File, name string, dir bool) error {
	err := As(p.Owner, func() error {
		if dir {
			return unix.Mkdirat(int(at.Fd()), name, 0o755)
		}
		return unix.Mknodat(int(at.Fd()), name, unix.S_IFREG|0o644, 0)
	})
	if err != nil && !errors.Is(err, unix.EEXIST) { // somebody was faster
		return fmt.Errorf("make %s in %s: %w", name, at.Name(), err)
	}
	return nil
}

// UntrustedLinkError is about a symlink that is not followed.
type UntrustedLinkError struct {
	Path string // in the place's root
	UID  uint32 // whose it is
}

func (e *UntrustedLinkError) Error() string {
	return fmt.Sprintf("%s is a symlink of user %d", e.Path, e.UID)
}
