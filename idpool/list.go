package idpool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The programs that hold blocks, as [Held.Program] names them.
const (
	ProgramBerth       = "berth"
	ProgramNspawn      = "systemd-nspawn"
	ProgramNSResourced = "systemd-nsresourced"
)

// Held is a block in use.
type Held struct {
	Block Block
	// Owner is the container's name where known, for nspawn's blocks
	// "systemd-nspawn", or "".
	Owner string
	// Program is one of the Program constants, or "" for an unknown one.
	Program string
	// Locked is whether a live lock holds the block, rather than a note of
	// systemd-nsresourced.
	Locked bool
}

// describe says who holds the block, for an error.
func (h Held) describe() string {
	switch h.Program {
	case ProgramBerth:
		return fmt.Sprintf("container %q holds %v", h.Owner, h.Block)
	case ProgramNspawn:
		return fmt.Sprintf("systemd-nspawn holds %v", h.Block)
	}
	return fmt.Sprintf("somebody holds a lock on %v", h.Block)
}

// List is the blocks in use, by their first ID. What a dead holder left in a
// lock file is not among them: the kernel is asked which locks exist.
func (p Pool) List() ([]Held, error) {
	g, err := p.grid()
	if err != nil {
		return nil, err
	}
	held, err := p.locked()
	if err != nil {
		return nil, fmt.Errorf("cannot list IDs in use: %w", err)
	}
	registry, err := p.openRegistry()
	if err != nil {
		return nil, fmt.Errorf("cannot list IDs in use: %w", err)
	}
	defer registry.close()
	noted, err := registry.list(g)
	if err != nil {
		return nil, fmt.Errorf("cannot list IDs in use: %w", err)
	}
	held = append(held, noted...)
	slices.SortStableFunc(held, func(a, b Held) int { return cmp.Compare(a.Block.Base, b.Block.Base) })
	return slices.Compact(held), nil // a block of several chunks is found in each
}

// locked is what the lock files say.
func (p Pool) locked() ([]Held, error) {
	dir, err := openLockDir(p.path(lockDir), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []Held
	for _, name := range names {
		base, err := strconv.ParseUint(name, 10, 32)
		if err != nil || base%chunkSize != 0 || fileName(uint32(base)) != name {
			continue
		}
		held, err := locksIn(dir, uint32(base), 0, chunkSize)
		if err != nil {
			return nil, err
		}
		all = append(all, held...)
	}
	return all, nil
}

// locksIn is the locks on length bytes from offset of a chunk's file.
func locksIn(dir *os.File, chunk, offset, length uint32) ([]Held, error) {
	file, err := openLockFile(dir, chunk, unix.O_RDONLY|unix.O_NONBLOCK)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // released since
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return locksOf(file, chunk, int64(offset), int64(offset+length))
}

// holder is who stands in the way of b, as text.
func (l *locker) holder(b Block) string {
	for _, p := range b.pieces() {
		held, err := locksIn(l.dir, p.chunk, p.offset, p.length)
		if err == nil && len(held) > 0 {
			return held[0].describe()
		}
	}
	return "somebody held their lock a moment ago"
}

// locksOf is the locks of other open file descriptions that touch the bytes
// from lo up to end. The kernel names one at a time, in no order, so what is
// before it and behind it is asked again.
func locksOf(file *os.File, chunk uint32, lo, end int64) ([]Held, error) {
	if lo >= end {
		return nil, nil
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: lo, Len: end - lo}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return nil, &fs.PathError{Op: "fcntl F_OFD_GETLK", Path: file.Name(), Err: err}
	}
	if lock.Type == unix.F_UNLCK {
		return nil, nil
	}
	before, err := locksOf(file, chunk, lo, lock.Start)
	if err != nil {
		return nil, err
	}
	held := append(before, holderOf(file, chunk, lock))
	if lock.Len == 0 { // up to the end of the file, wherever that is
		return held, nil
	}
	behind, err := locksOf(file, chunk, lock.Start+lock.Len, end)
	return append(held, behind...), err
}

// holderOf is who has the lock. nspawn's has no length; berth's is signed at
// its first byte, and a signature for other bytes is a dead holder's.
func holderOf(file *os.File, chunk uint32, lock unix.Flock_t) Held {
	if lock.Start == 0 && lock.Len == 0 {
		return Held{Block: Block{chunk, chunkSize}, Owner: ProgramNspawn, Program: ProgramNspawn, Locked: true}
	}
	length := lock.Len
	if length == 0 || lock.Start+length > chunkSize {
		length = chunkSize - lock.Start
	}
	held := Held{Block: Block{chunk + uint32(lock.Start), uint32(length)}, Locked: true}
	signed, ok := readRecord(file, lock.Start)
	if !ok || !slices.Contains(signed.block.pieces(), piece{chunk, uint32(lock.Start), uint32(lock.Len)}) {
		return held
	}
	return Held{Block: signed.block, Owner: signed.name, Program: ProgramBerth, Locked: true}
}

// record is the line "berth BASE SIZE NAME" with which a holder signs.
type record struct {
	name  string
	block Block
}

func (r record) String() string {
	return fmt.Sprintf("berth %d %d %s\n", r.block.Base, r.block.Size, r.name)
}

// readRecord is the record at an offset of a lock file, if there is one.
func readRecord(file *os.File, offset int64) (record, bool) {
	buffer := make([]byte, minSize)
	n, err := file.ReadAt(buffer, offset)
	if err != nil && err != io.EOF {
		return record{}, false
	}
	line, _, found := strings.Cut(string(buffer[:n]), "\n")
	fields := strings.Split(line, " ")
	if !found || len(fields) != 4 || fields[0] != "berth" {
		return record{}, false
	}
	base, err := strconv.ParseUint(fields[1], 10, 32)
	size, err2 := strconv.ParseUint(fields[2], 10, 32)
	r := record{fields[3], Block{uint32(base), uint32(size)}}
	valid := err == nil && err2 == nil && validSize(r.block.Size) && r.block.Base <= lastBase+chunkSize-1
	return r, valid && r.block.Base%min(r.block.Size, chunkSize) == 0
}
