package idpool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Lease is a block that is held. It must stay reachable, as `defer
// lease.Close()` makes it: the descriptors of a lease that the garbage
// collector takes are closed, and the block is free.
type Lease struct {
	block  Block
	dir    string
	pieces []heldPiece
}

// heldPiece is a piece with the file that holds its lock.
type heldPiece struct {
	piece
	file *os.File
}

// Block is the IDs held.
func (l *Lease) Block() Block { return l.block }

// Files is the descriptors that hold the block, one for each 65536 IDs. They
// belong to the lease. The block stays held as long as any duplicate of each
// is open in any process, so a copy given to the container's first process, or
// to a service manager's descriptor store, keeps it after this process died.
func (l *Lease) Files() []*os.File {
	files := make([]*os.File, len(l.pieces))
	for i, p := range l.pieces {
		files[i] = p.file
	}
	return files
}

// Close frees the block, for every process that has a duplicate of its
// descriptors too: nothing may run with these IDs any more. To leave the block
// to such a process, exit, or close the Files, instead. Closing twice is no
// error.
func (l *Lease) Close() error {
	if l == nil || len(l.pieces) == 0 {
		return nil
	}
	dir, err := openLockDir(l.dir, false)
	if err != nil {
		for _, p := range l.pieces {
			err = errors.Join(err, setLock(p.file, unix.F_UNLCK, p.offset, p.length), p.file.Close())
		}
		l.pieces = nil
		return fmt.Errorf("cannot remove the lock file of IDs %v: %w", l.block, err)
	}
	defer dir.Close()
	if err := l.release(dir); err != nil {
		return fmt.Errorf("cannot free IDs %v: %w", l.block, err)
	}
	return nil
}

func (l *Lease) release(dir *os.File) error {
	var errs []error
	for _, p := range l.pieces {
		errs = append(errs, p.release(dir))
	}
	l.pieces = nil
	return errors.Join(errs...)
}

// release unlocks the piece and removes the file unless others use it.
//
// Only who has the whole file locked unlinks it, and only while it is the one
// of that name; whoever locked it in between finds it unlinked and opens
// another. The piece is unlocked before the whole is tried: of several that
// leave at once, the last to unlock then finds either nobody or another leaver
// who got the whole, so that one of them removes the file.
func (p heldPiece) release(dir *os.File) error {
	defer p.file.Close()
	if err := setLock(p.file, unix.F_UNLCK, p.offset, p.length); err != nil {
		return err
	}
	if err := setLock(p.file, unix.F_WRLCK, 0, chunkSize); err != nil {
		if err == errHeld {
			return nil
		}
		return err
	}
	// A duplicate in another process would keep the whole file locked.
	defer setLock(p.file, unix.F_UNLCK, 0, chunkSize)
	name := fileName(p.chunk)
	same, err := isNamed(dir, name, p.file)
	if err != nil || !same {
		return err
	}
	if err := unix.Unlinkat(int(dir.Fd()), name, 0); err != nil {
		return &fs.PathError{Op: "unlinkat", Path: p.file.Name(), Err: err}
	}
	return nil
}

// sign writes whose block it is at the first byte of each piece.
func (l *Lease) sign(name string) error {
	text := record{name: name, block: l.block}.String()
	for _, p := range l.pieces {
		if _, err := p.file.WriteAt([]byte(text), int64(p.offset)); err != nil {
			return fmt.Errorf("cannot note the holder of IDs %v: %w", l.block, err)
		}
	}
	return nil
}
