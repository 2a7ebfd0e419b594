package idpool

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

const (
	// chunkSize is how many IDs one lock file stands for; nspawn's unit.
	chunkSize = 1 << 16
	// minSize is the smallest block: room for a record in its own bytes.
	minSize = 256
	// maxSize is the largest block, 16 chunks.
	maxSize = 16 * chunkSize

	// What systemd's build calls container-uid-base-min and -max
	// (meson_options.txt): the range of the chunks' first IDs.
	firstBase = 0x00080000
	lastBase  = 0x6FFF0000
)

const (
	// A file of small blocks is locked as a whole for some microseconds while
	// one of them is released, so a block asked for by number is tried again
	// for a moment before it is called taken.
	baseRetries    = 10
	baseRetryDelay = 5 * time.Millisecond

	// maxLookups bounds the candidates that nsswitch sources may refuse, each
	// of which costs two processes.
	maxLookups = 32
)

// Block is the IDs Base … Base+Size-1 of the host, users and groups alike.
type Block struct{ Base, Size uint32 }

// end is the first ID after the block.
func (b Block) end() uint32 { return b.Base + b.Size }

// String is the first and the last ID: "524288-589823".
func (b Block) String() string { return fmt.Sprintf("%d-%d", b.Base, b.end()-1) }

// Request says which block is wanted.
type Request struct {
	// Name of the container: 1 to 128 characters without space or control
	// characters.
	Name string
	// Base is the first ID wanted, a multiple of Size or of 65536, whichever
	// is smaller; 0 leaves the choice to the pool.
	Base uint32
	// Size is a power of two from 256 to 65536, or a multiple of 65536 up to
	// 1048576.
	Size uint32
}

// Pool is where blocks come from. It holds no state: pools of equal value,
// in any number of processes, are the same pool.
type Pool struct {
	// Root is prepended to every path read or written; "" is "/".
	Root string
	// First and Last are the first IDs of the first and the last chunk,
	// multiples of 65536; 0 is the range systemd reserves for containers.
	First, Last uint32
}

// Default is the host's own pool.
func Default() Pool { return Pool{} }

// Acquire takes a block that is exclusively the caller's until the lease is
// closed or every descriptor of it is gone. A base that cannot be had is an
// [*InUseError], a pool without a free block a [*FullError]; an error of
// another type means that the pool could not be searched.
func (p Pool) Acquire(ctx context.Context, r Request) (*Lease, error) {
	g, err := p.grid()
	if err != nil {
		return nil, err
	}
	if err := r.validate(g); err != nil {
		return nil, err
	}
	s, err := p.search(r.Name, g)
	if err != nil {
		return nil, fmt.Errorf("cannot look for free IDs: %w", err)
	}
	defer s.close()
	if r.Base != 0 {
		return s.takeBase(ctx, Block{r.Base, r.Size})
	}
	return s.takeAny(ctx, r.Size)
}

func (p Pool) path(name string) string {
	if p.Root == "" {
		return "/" + name
	}
	return filepath.Join(p.Root, name)
}

func (p Pool) grid() (grid, error) {
	first, last := p.First, p.Last
	if first == 0 {
		first = firstBase
	}
	if last == 0 {
		last = lastBase
	}
	if first%chunkSize != 0 || last%chunkSize != 0 || first > last || last > lastBase {
		return grid{}, fmt.Errorf("internal error: ID pool from %d to %d", first, last)
	}
	return grid{first: first / chunkSize, count: (last-first)/chunkSize + 1}, nil
}

func (r Request) validate(g grid) error {
	if len(r.Name) < 1 || len(r.Name) > 128 || strings.ContainsFunc(r.Name, isSpaceOrControl) {
		return fmt.Errorf("cannot allocate IDs: %q is no container name", r.Name)
	}
	if !validSize(r.Size) {
		return fmt.Errorf("cannot allocate %d IDs for %q: the size must be a power of two from %d to %d, or a multiple of %d up to %d",
			r.Size, r.Name, minSize, chunkSize, chunkSize, maxSize)
	}
	if r.Base == 0 {
		return nil
	}
	if unit := min(r.Size, chunkSize); r.Base%unit != 0 {
		return fmt.Errorf("cannot use IDs from %d for %q: the base must be a multiple of %d, such as %d",
			r.Base, r.Name, unit, max(r.Base-r.Base%unit, g.first*chunkSize))
	}
	if first, end := uint64(g.first)*chunkSize, uint64(g.first+g.count)*chunkSize; uint64(r.Base) < first || uint64(r.Base)+uint64(r.Size) > end {
		return fmt.Errorf("cannot use IDs from %d for %q: the block must lie in %d-%d, the IDs reserved for containers",
			r.Base, r.Name, first, end-1)
	}
	return nil
}

func isSpaceOrControl(r rune) bool { return r <= ' ' || r == 0x7f || r == '\uFFFD' }

func validSize(size uint32) bool {
	if size < chunkSize {
		return size >= minSize && size&(size-1) == 0
	}
	return size%chunkSize == 0 && size <= maxSize
}

// search is one Acquire: what the host has reserved, read once, and the lock
// directory.
type search struct {
	name     string
	grid     grid
	reserved reserved
	registry registry
	names    names
	locks    *locker
}

func (p Pool) search(name string, g grid) (*search, error) {
	s := &search{name: name, grid: g}
	var err error
	if s.reserved, err = p.readReserved(g); err != nil {
		return nil, err
	}
	if s.names, err = p.readNames(s.reserved.compat); err != nil {
		return nil, err
	}
	dir, err := openLockDir(p.path(lockDir), true)
	if err != nil {
		return nil, err
	}
	s.locks = &locker{dir: dir}
	if s.registry, err = p.openRegistry(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *search) close() {
	s.locks.close()
	s.registry.close()
}

// takeBase takes exactly b, or says what is in the way.
func (s *search) takeBase(ctx context.Context, b Block) (*Lease, error) {
	for range baseRetries {
		lease, err := s.take(ctx, b)
		if err != errHeld {
			return lease, err
		}
		s.locks.forget()
		select {
		case <-time.After(baseRetryDelay):
		case <-ctx.Done():
		}
	}
	return nil, &InUseError{Block: b, By: s.locks.holder(b), Locked: true}
}

// takeAny takes the first free block of the name's sequence.
func (s *search) takeAny(ctx context.Context, size uint32) (*Lease, error) {
	full := &FullError{Name: s.name, Size: size, grid: s.grid}
	for b := range s.grid.candidates(s.name, size) {
		lease, err := s.take(ctx, b)
		var taken *InUseError
		switch {
		case err == nil:
			return lease, nil
		case err == errHeld:
			full.Held++
		case errors.As(err, &taken):
			full.count(taken)
		default:
			return nil, err
		}
		if full.Lookups == maxLookups {
			break
		}
	}
	return nil, full
}

// take takes b if nothing is in the way, the cheapest test first. A lock in
// the way is errHeld, anything else an *InUseError.
func (s *search) take(ctx context.Context, b Block) (*Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cannot take IDs %v: %w", b, err)
	}
	if by := s.reserved.overlap(b); by != "" {
		return nil, &InUseError{Block: b, By: by}
	}
	by, err := s.registry.overlap(b)
	if err != nil {
		return nil, fmt.Errorf("cannot take IDs %v: %w", b, err)
	}
	if by != "" {
		return nil, &InUseError{Block: b, By: by}
	}
	lease, err := s.locks.lock(b)
	if err != nil {
		return nil, err
	}
	if err := s.claim(ctx, lease); err != nil {
		lease.release(s.locks.dir)
		return nil, err
	}
	return lease, nil
}

// claim finishes a locked block. The file says whose it is at once, so that a
// dead holder's name is not shown for this one; then the user database must
// have no name for its ends.
func (s *search) claim(ctx context.Context, l *Lease) error {
	if err := l.sign(s.name); err != nil {
		return err
	}
	by, err := s.names.lookup(ctx, l.block)
	if err != nil {
		return fmt.Errorf("cannot take IDs %v: %w", l.block, err)
	}
	if by != "" {
		return &InUseError{Block: l.block, By: by, lookup: true}
	}
	return nil
}
