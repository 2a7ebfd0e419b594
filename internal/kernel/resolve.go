package kernel

import (
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// maxRaces bounds how often a resolution is repeated that openat2 gave up with
// EAGAIN because of a rename or mount elsewhere on the system.
const maxRaces = 128

// OpenIn opens name as a process would see it whose root directory is root: a
// leading slash, ".." and every symlink stay inside, and magic links are
// refused. Flags are those of open(2); O_PATH gives a descriptor that only
// names the file. See openat2(2).
func OpenIn(root *os.File, name string, flags int) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	return openat2(root, name, how)
}

// OpenPlain opens name in dir as an O_PATH descriptor, where no component of it
// is a symlink (ELOOP).
func OpenPlain(dir *os.File, name string) (*os.File, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	return openat2(dir, name, how)
}

func openat2(dir *os.File, name string, how unix.OpenHow) (*os.File, error) {
	defer runtime.KeepAlive(dir)
	for range maxRaces {
		fd, err := unix.Openat2(int(dir.Fd()), name, &how)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("openat2 %s in %s: %w", name, dir.Name(), err)
		}
		return os.NewFile(uintptr(fd), path.Join(dir.Name(), name)), nil
	}
	return nil, fmt.Errorf("openat2 %s in %s: %w", name, dir.Name(), unix.EAGAIN)
}

// MkdirIn opens the directory name inside root like OpenIn, and makes what is
// missing of it with mode 0755 less the umask.
func MkdirIn(root *os.File, name string) (*os.File, error) {
	return makeIn(root, name, unix.S_IFDIR|0o755, maxLinks)
}

// CreateIn opens the file name inside root like OpenIn, and makes it, empty
// with mode 0644, and its directories where they are missing.
func CreateIn(root *os.File, name string) (*os.File, error) {
	return makeIn(root, name, unix.S_IFREG|0o644, maxLinks)
}

// maxLinks bounds the symlinks that point to something to be made, as the
// kernel bounds those it follows.
const maxLinks = 40

// makeIn opens name and, where it doesn't exist, makes it in its parent. The
// parent is held by descriptor and base is a single component that mkdirat and
// mknodat don't follow, so nothing is ever made outside root. A symlink that
// points to nothing has its target made, inside root as well.
func makeIn(root *os.File, name string, mode uint32, links int) (*os.File, error) {
	name = path.Clean("/" + name)
	found, err := OpenIn(root, name, unix.O_PATH)
	if !errors.Is(err, unix.ENOENT) || name == "/" {
		return found, err
	}
	dir, base := path.Split(name)
	parent, err := makeIn(root, dir, unix.S_IFDIR|0o755, links)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	if mode&unix.S_IFMT == unix.S_IFDIR {
		err = unix.Mkdirat(int(parent.Fd()), base, mode&0o7777)
	} else {
		err = unix.Mknodat(int(parent.Fd()), base, mode, 0)
	}
	if errors.Is(err, unix.EEXIST) && links > 0 {
		if target, linkErr := ReadlinkIn(parent, base); linkErr == nil {
			if !path.IsAbs(target) {
				target = path.Join(dir, target)
			}
			return makeIn(root, target, mode, links-1)
		}
		err = nil // somebody was faster
	}
	if err != nil {
		return nil, fmt.Errorf("make %s in %s: %w", name, root.Name(), err)
	}
	return OpenIn(root, name, unix.O_PATH)
}

// OpenSource opens a path of the host as an O_PATH descriptor, component by
// component. A symlink of an ordinary user may lead only to what belongs to the
// same user: else they could name anything in a path that root has written down.
func OpenSource(name string) (*os.File, error) {
	at, err := OpenPath("/")
	if err != nil {
		return nil, err
	}
	defer func() { at.Close() }() // what it is at the end
	var users []uint32            // whose symlinks were followed
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == "" {
			continue
		}
		how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
		next, err := openat2(at, part, how)
		if err != nil {
			return nil, err
		}
		target, uid, err := symlink(next)
		if err == nil && target == "" {
			at.Close()
			at = next
			continue
		}
		next.Close()
		if links++; err == nil && links > maxLinks {
			err = fmt.Errorf("open %s: %w", name, unix.ELOOP)
		}
		if err != nil {
			return nil, err
		}
		if uid != 0 {
			users = append(users, uid)
		}
		if path.IsAbs(target) {
			at.Close()
			if at, err = OpenPath("/"); err != nil {
				return nil, err
			}
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return ownedBy(at, name, users)
}

// ownedBy duplicates a file that belongs to all of users.
func ownedBy(f *os.File, name string, users []uint32) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("fstat %s: %w", name, err)
	}
	for _, uid := range users {
		if uid != st.Uid {
			return nil, fmt.Errorf("a symlink of user %d leads to what belongs to user %d", uid, st.Uid)
		}
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	runtime.KeepAlive(f)
	if err != nil {
		return nil, fmt.Errorf("fcntl F_DUPFD_CLOEXEC: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// symlink returns where a symlink leads and whose it is, "" for other files.
func symlink(f *os.File) (target string, uid uint32, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", 0, fmt.Errorf("fstat %s: %w", f.Name(), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", 0, nil
	}
	target, err = ReadlinkIn(f, "")
	return target, st.Uid, err
}

// Owner is the owner of something that is made.
type Owner struct{ UID, GID int }

// As calls f with the calling thread's file system user and group changed, so
// that files are made and permissions checked as they would be for that user,
// whose capabilities over files it does not have. See setfsuid(2).
func As(owner Owner, f func() error) error {
	gid, err := unix.SetfsgidRetGid(owner.GID)
	if err != nil {
		return fmt.Errorf("setfsgid: %w", err)
	}
	defer unix.SetfsgidRetGid(gid)
	uid, err := unix.SetfsuidRetUid(owner.UID)
	if err != nil {
		return fmt.Errorf("setfsuid: %w", err)
	}
	defer unix.SetfsuidRetUid(uid)
	return f()
}

// AsKeepingCaps is As with the calling thread's capabilities kept: what is made
// belongs to owner, and nothing is refused. See capabilities(7),
// SECBIT_NO_SETUID_FIXUP.
func AsKeepingCaps(owner Owner, f func() error) error {
	bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("prctl PR_GET_SECUREBITS: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits|secbitNoSetuidFixup), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_SECUREBITS: %w", err)
	}
	return errors.Join(As(owner, f), unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits), 0, 0, 0))
}

const secbitNoSetuidFixup = 1 << 2 // linux/securebits.h

// IsDir tells whether an open file is a directory.
func IsDir(f *os.File) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, fmt.Errorf("fstat %s: %w", f.Name(), err)
	}
	runtime.KeepAlive(f)
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

// OpenPath opens a path of the host as an O_PATH descriptor.
func OpenPath(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), strings.TrimSuffix(name, "/")), nil
}
