package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Unpack reads the stream and makes what is in it.
func (t Target) Unpack(r io.Reader) error {
	u := &unpacker{Target: t, tar: tar.NewReader(r)}
	defer u.close()
	if err := u.all(); err != nil {
		return err
	}
	return u.finish()
}

type unpacker struct {
	Target
	tar  *tar.Reader
	top  *os.File
	made []madeDir // in this order

	dir     *os.File // the directory of the last entry
	dirName string
}

// madeDir is a directory whose attributes are set when nothing comes into it any more.
type madeDir struct {
	name   string // below top
	id     [2]uint64
	header *tar.Header
}

func (u *unpacker) close() {
	for _, f := range []*os.File{u.top, u.dir} {
		if f != nil {
			f.Close()
		}
	}
}

func (u *unpacker) all() error {
	if u.Tree {
		dir, _, err := u.directory()
		if err != nil {
			return err
		}
		u.top = dir
		return u.entries()
	}
	first, err := u.tar.Next()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if first.Typeflag != tar.TypeDir {
		dir, base, err := u.place()
		if err != nil {
			return err
		}
		u.top = dir
		return u.entry(dir, base, first)
	}
	dir, made, err := u.directory()
	if err != nil {
		return err
	}
	u.top = dir
	if made {
		if err := u.remember(dir, ".", first); err != nil {
			return err
		}
	}
	return u.entries()
}

// entries makes all that is below top.
func (u *unpacker) entries() error {
	for {
		h, err := u.tar.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read the archive: %w", err)
		}
		name, err := local(h.Name)
		if err != nil {
			return err
		}
		if name == "." {
			continue
		}
		dir, err := u.open(path.Dir(name))
		if err != nil {
			return err
		}
		if err := u.entry(dir, path.Base(name), h); err != nil {
			return err
		}
	}
}

// local is a name of the stream below top.
func local(name string) (string, error) {
	if slices.Contains(strings.Split(name, "/"), "..") || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("cannot unpack %q: its name leads elsewhere", name)
	}
	return path.Join(".", name), nil
}

// open opens a directory below top, of which no part is a symlink, and makes what is
// missing in the archives that leave directories out.
func (u *unpacker) open(name string) (*os.File, error) {
	if u.dir != nil && u.dirName == name {
		return u.dir, nil
	}
	at, err := kernel.OpenAt(u.top, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "." {
			continue
		}
		next, err := u.step(at, part)
		at.Close()
		if err != nil {
			return nil, fmt.Errorf("cannot open the directory %q: %w", name, cause(err))
		}
		at = next
	}
	if u.dir != nil {
		u.dir.Close()
	}
	u.dir, u.dirName = at, name
	return at, nil
}

func (u *unpacker) step(at *os.File, part string) (*os.File, error) {
	if !u.Tree {
		return kernel.OpenAt(at, part, unix.O_RDONLY|unix.O_DIRECTORY)
	}
	dir, _, err := kernel.MakeDirAt(at, part, 0o755)
	return dir, err
}

// entry makes one thing in a directory.
func (u *unpacker) entry(dir *os.File, base string, h *tar.Header) error {
	var err error
	switch h.Typeflag {
	case tar.TypeDir:
		err = u.makeDir(dir, base, h)
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		err = u.makeFile(dir, base, h)
	case tar.TypeSymlink:
		err = u.makeSymlink(dir, base, h)
	case tar.TypeLink:
		err = u.makeLink(dir, base, h)
	case tar.TypeXGlobalHeader: // about the archive as a whole
	default:
		u.Skipped(h.Name, special)
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("cannot make %q: %w", path.Join(u.Path, h.Name), cause(err))
	}
	return err
}

func (u *unpacker) makeDir(parent *os.File, base string, h *tar.Header) error {
	dir, made, err := kernel.MakeDirAt(parent, base, 0o700)
	if err != nil {
		return err
	}
	defer dir.Close()
	if !made {
		return nil
	}
	name, err := local(h.Name)
	if err != nil {
		return err
	}
	return u.remember(dir, name, h)
}

func (u *unpacker) remember(dir *os.File, name string, h *tar.Header) error {
	id, err := identity(dir)
	u.made = append(u.made, madeDir{name, id, h})
	return err
}

func identity(f *os.File) (id [2]uint64, err error) {
	st, err := stat(f)
	return [2]uint64{uint64(st.Dev), st.Ino}, err
}

func (u *unpacker) makeFile(dir *os.File, base string, h *tar.Header) error {
	if err := remove(dir, base); err != nil {
		return err
	}
	fd, err := unix.Openat(int(dir.Fd()), base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), base)
	_, err = io.Copy(f, u.tar)
	if err == nil {
		err = u.setAttributes(f, h)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = unix.Unlinkat(int(dir.Fd()), base, 0) // half a file is none
	}
	return err
}

func (u *unpacker) makeSymlink(dir *os.File, base string, h *tar.Header) error {
	if err := remove(dir, base); err != nil {
		return err
	}
	if err := kernel.SymlinkIn(dir, h.Linkname, base); err != nil {
		return err
	}
	if u.Owners {
		if err := owned(unix.Fchownat(int(dir.Fd()), base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW), h); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(int(dir.Fd()), base, times(h), unix.AT_SYMLINK_NOFOLLOW)
}

// makeLink makes another name of a file of the same archive, which none of Pack's has.
func (u *unpacker) makeLink(dir *os.File, base string, h *tar.Header) error {
	name, err := local(h.Linkname)
	if err != nil {
		return err
	}
	from, err := kernel.OpenPlain(u.top, path.Dir(name))
	if err != nil {
		return err
	}
	defer from.Close()
	if err := remove(dir, base); err != nil {
		return err
	}
	return unix.Linkat(int(from.Fd()), path.Base(name), int(dir.Fd()), base, 0)
}

// remove makes room for a name. A directory stays.
func remove(dir *os.File, name string) error {
	err := unix.Unlinkat(int(dir.Fd()), name, 0)
	runtime.KeepAlive(dir)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// finish gives the directories that were made their attributes, the innermost first.
func (u *unpacker) finish() error {
	for _, d := range slices.Backward(u.made) {
		if err := u.finishDir(d); err != nil {
			return fmt.Errorf("cannot complete the directory %q: %w", path.Join(u.Path, d.name), cause(err))
		}
	}
	return nil
}

func (u *unpacker) finishDir(d madeDir) error {
	named, err := kernel.OpenPlain(u.top, d.name)
	if err != nil {
		return err
	}
	defer named.Close()
	dir, err := kernel.OpenAt(named, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer dir.Close()
	if id, err := identity(dir); err != nil || id != d.id {
		return errors.Join(err, errors.New("it is another one by now"))
	}
	return u.setAttributes(dir, d.header)
}

// setAttributes sets the owner before the mode, of which a new owner takes bits.
func (u *unpacker) setAttributes(f *os.File, h *tar.Header) error {
	if u.Owners {
		if err := owned(kernel.Chown(f, kernel.Owner{UID: h.Uid, GID: h.Gid}), h); err != nil {
			return err
		}
	}
	if err := kernel.Chmod(f, uint32(h.Mode)&u.Modes); err != nil {
		return err
	}
	return unix.UtimesNanoAt(int(f.Fd()), "", times(h), unix.AT_EMPTY_PATH)
}

// owned explains why an owner can't be: it has no number in the user namespace.
func owned(err error, h *tar.Header) error {
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("user %d or group %d does not exist there", h.Uid, h.Gid)
	}
	return err
}

func times(h *tar.Header) []unix.Timespec {
	when := h.ModTime
	if when.IsZero() {
		when = time.Unix(0, 0)
	}
	t := unix.NsecToTimespec(when.UnixNano())
	return []unix.Timespec{t, t}
}
