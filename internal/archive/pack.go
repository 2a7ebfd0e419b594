package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Source is what is packed.
type Source struct {
	Root    *os.File // the root directory that Path is seen from
	Path    string   // a symlink here is followed, inside Root
	Name    string   // what it is called in the stream; what is in it, below that
	Skipped Skipped
}

// Skipped is told of what isn't copied, by its name in the stream, and why.
type Skipped func(name, why string)

const (
	special = "it is no file, directory or symlink"
	closed  = "it may not be read there"
	changed = "it has become something else meanwhile"
)

// Pack writes the stream.
func (s Source) Pack(w io.Writer) error {
	p := &packer{Source: s, tar: tar.NewWriter(w)}
	if err := p.top(); err != nil {
		return err
	}
	return p.tar.Close()
}

type packer struct {
	Source
	tar *tar.Writer
}

// top packs what was asked for, whatever file system it is on.
func (p *packer) top() error {
	found, err := kernel.OpenIn(p.Root, p.Path, unix.O_PATH)
	if err != nil {
		return fmt.Errorf("cannot read %q: %w", p.Path, cause(err))
	}
	st, err := stat(found)
	found.Close()
	if err != nil {
		return err
	}
	flags := unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		flags |= unix.O_DIRECTORY
	case unix.S_IFREG:
	default:
		return fmt.Errorf("cannot read %q: neither a file nor a directory", p.Path)
	}
	f, err := kernel.OpenIn(p.Root, p.Path, flags)
	if err != nil {
		return fmt.Errorf("cannot read %q: %w", p.Path, cause(err))
	}
	defer f.Close()
	return p.open(f, p.Name, true)
}

// open packs an open directory or file. What it is, is known only now.
func (p *packer) open(f *os.File, name string, top bool) error {
	st, err := stat(f)
	if err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return p.directory(f, st, name, top)
	case unix.S_IFREG:
		return p.file(f, st, name)
	}
	p.Skipped(name, special)
	return nil
}

func (p *packer) file(f *os.File, st unix.Stat_t, name string) error {
	content, size := io.Reader(f), st.Size
	if madeUp(f) { // its size says nothing
		data, err := io.ReadAll(io.LimitReader(f, maxMadeUp))
		if err != nil {
			return fmt.Errorf("cannot pack %q: %w", name, cause(err))
		}
		content, size = bytes.NewReader(data), int64(len(data))
	}
	h := header(st, name, tar.TypeReg)
	h.Size = size
	if err := p.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("cannot pack %q: %w", name, cause(err))
	}
	n, err := io.Copy(p.tar, io.LimitReader(content, size))
	if err == nil && n < size {
		err = errors.New("it has shrunk meanwhile")
	}
	if err != nil {
		return fmt.Errorf("cannot pack %q: %w", name, cause(err))
	}
	return nil
}

func (p *packer) directory(dir *os.File, st unix.Stat_t, name string, top bool) error {
	if err := p.tar.WriteHeader(header(st, name+"/", tar.TypeDir)); err != nil {
		return fmt.Errorf("cannot pack %q: %w", name, cause(err))
	}
	if !top && madeUp(dir) {
		return nil
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("cannot list %q: %w", name, cause(err))
	}
	slices.Sort(names)
	for _, below := range names {
		if err := p.entry(dir, below, path.Join(name, below)); err != nil {
			return err
		}
	}
	return nil
}

// maxMadeUp is how much of a file is packed, in bytes, that the kernel makes up.
const maxMadeUp = 16 << 20

// madeUp tells whether a file or directory is on a file system that the kernel makes
// up.
func madeUp(f *os.File) bool {
	switch kernel.FSName(f) {
	case "proc", "sysfs", "cgroup2", "devpts":
		return true
	}
	return false
}

// entry packs what is in a directory under a name, unless it has gone.
func (p *packer) entry(dir *os.File, below, name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(int(dir.Fd()), below, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot pack %q: %w", name, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return p.symlink(dir, st, below, name)
	case unix.S_IFREG, unix.S_IFDIR:
	default:
		p.Skipped(name, special)
		return nil
	}
	f, err := kernel.OpenAt(dir, below, unix.O_RDONLY)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO): // a symlink or a socket
		p.Skipped(name, changed)
		return nil
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM): // hidden by the sandbox, or of another user namespace
		p.Skipped(name, closed)
		return nil
	case err != nil:
		return fmt.Errorf("cannot pack %q: %w", name, cause(err))
	}
	defer f.Close()
	return p.open(f, name, false)
}

func (p *packer) symlink(dir *os.File, st unix.Stat_t, below, name string) error {
	target, err := kernel.ReadlinkIn(dir, below)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if errors.Is(err, unix.EINVAL) {
		p.Skipped(name, changed)
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot pack %q: %w", name, cause(err))
	}
	h := header(st, name, tar.TypeSymlink)
	h.Linkname = target
	if err := p.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("cannot pack %q: %w", name, cause(err))
	}
	return nil
}

func header(st unix.Stat_t, name string, kind byte) *tar.Header {
	return &tar.Header{
		Typeflag: kind, Name: name, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Sec, st.Mtim.Nsec), Format: tar.FormatPAX,
	}
}

func stat(f *os.File) (st unix.Stat_t, err error) {
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return st, fmt.Errorf("fstat %s: %w", f.Name(), err)
	}
	return st, nil
}

// cause is an error without the system call and the path, which the message around
// it has.
func cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
