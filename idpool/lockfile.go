package idpool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// lockDir is systemd-nspawn's directory, below Pool.Root. nspawn (252 to 257:
// uid_shift_pick in src/nspawn/nspawn.c, make_lock_file in
// src/shared/lockfile-util.c, later src/basic/lock-util.c) opens BASE there,
// takes an exclusive open file description lock from 0 to the end of the file
// wherever that may be, starts again when the file has been unlinked
// meanwhile, and unlinks it before it lets go. It neither reads nor truncates
// the file.
const lockDir = "run/systemd/nspawn-uid"

// piece is the part of a block that lies in one chunk.
type piece struct {
	chunk  uint32 // the chunk's first ID
	offset uint32
	length uint32
}

func (b Block) pieces() []piece {
	if b.Size < chunkSize {
		return []piece{{b.Base - b.Base%chunkSize, b.Base % chunkSize, b.Size}}
	}
	var all []piece
	for base := b.Base; base < b.end(); base += chunkSize {
		all = append(all, piece{base, 0, chunkSize})
	}
	return all
}

func fileName(chunk uint32) string { return strconv.FormatUint(uint64(chunk), 10) }

// openLockDir opens the directory of lock files, and makes it when create is
// set. A directory in which others could unlink a lock file is refused.
func openLockDir(path string, create bool) (*os.File, error) {
	if create {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
	}
	dir, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := onlyOurs(dir); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

func onlyOurs(dir *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return &fs.PathError{Op: "fstat", Path: dir.Name(), Err: err}
	}
	if st.Mode&0o022 != 0 || (st.Uid != 0 && int(st.Uid) != os.Geteuid()) {
		return &fs.PathError{Op: "use", Path: dir.Name(), Err: errors.New("others may remove its files; make it root's with mode 0755")}
	}
	return nil
}

// locker takes locks in one directory. It keeps the file that it looked at
// last, because the next candidate is often in the same chunk.
type locker struct {
	dir   *os.File
	file  *os.File // nil, or the lock file of chunk
	chunk uint32
}

func (l *locker) close() {
	l.forget()
	l.dir.Close()
}

func (l *locker) forget() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// lock locks all pieces of b or none; errHeld when somebody has one of them.
func (l *locker) lock(b Block) (*Lease, error) {
	lease := Lease{block: b, dir: l.dir.Name()}
	for _, p := range b.pieces() {
		file, err := l.lockPiece(p)
		if err == errHeld {
			lease.release(l.dir)
			return nil, errHeld
		}
		if err != nil {
			lease.release(l.dir)
			return nil, fmt.Errorf("cannot lock IDs %v: %w", b, err)
		}
		lease.pieces = append(lease.pieces, heldPiece{p, file})
	}
	return &lease, nil
}

var errHeld = errors.New("somebody else holds the lock")

// lockPiece locks p in the file that has the chunk's name when the lock is
// there: one that was unlinked meanwhile is given up and opened again.
func (l *locker) lockPiece(p piece) (*os.File, error) {
	for {
		if err := l.open(p.chunk); err != nil {
			return nil, err
		}
		if err := setLock(l.file, unix.F_WRLCK, p.offset, p.length); err != nil {
			return nil, err
		}
		same, err := isNamed(l.dir, fileName(p.chunk), l.file)
		if err != nil {
			return nil, err
		}
		if same {
			file := l.file
			l.file = nil
			return file, nil
		}
		l.forget()
	}
}

func (l *locker) open(chunk uint32) error {
	if l.file != nil && l.chunk == chunk {
		return nil
	}
	l.forget()
	file, err := openLockFile(l.dir, chunk, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return err
	}
	l.file, l.chunk = file, chunk
	return nil
}

// openLockFile opens a chunk's lock file, which must be a regular file and no
// link.
func openLockFile(dir *os.File, chunk uint32, flags int) (*os.File, error) {
	path := dir.Name() + "/" + fileName(chunk)
	flags |= unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NOCTTY
	fd, err := unix.Openat(int(dir.Fd()), fileName(chunk), flags, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "openat", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("not a regular file; remove it")
	}
	if err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "use", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// setLock changes the lock of the file's open file description on length
// bytes from offset, without waiting; errHeld when another description has
// any of them.
func setLock(file *os.File, kind int16, offset, length uint32) error {
	lock := unix.Flock_t{Type: kind, Start: int64(offset), Len: int64(length)}
	for {
		err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock)
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EAGAIN, unix.EACCES:
			return errHeld
		default:
			return &fs.PathError{Op: "fcntl F_OFD_SETLK", Path: file.Name(), Err: err}
		}
	}
}

// isNamed is whether name in dir is this very file, and not another one of
// that name or none.
func isNamed(dir *os.File, name string, file *os.File) (bool, error) {
	var open, named unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &open); err != nil {
		return false, &fs.PathError{Op: "fstat", Path: file.Name(), Err: err}
	}
	err := unix.Fstatat(int(dir.Fd()), name, &named, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, &fs.PathError{Op: "fstatat", Path: file.Name(), Err: err}
	}
	return open.Dev == named.Dev && open.Ino == named.Ino, nil
}
