package idpool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNeverTwoHolders acquires and releases few blocks from many goroutines of
// several processes, so that lock files are unlinked and made again all the
// time. A marker file that only one can create is the witness.
func TestNeverTwoHolders(t *testing.T) {
	rounds := "1500"
	if testing.Short() {
		rounds = "50"
	}
	root, markers := t.TempDir(), t.TempDir()
	var all []*process
	for range 4 {
		all = append(all, start(t, "churn", root, markers, rounds))
	}
	for _, p := range all {
		if err := p.end(); err != nil {
			t.Error("a process saw two holders or another failure:", err)
		}
	}
	wantNoFiles(t, Pool{Root: root})
}

// A holder whose file was unlinked, as another leaver of the same file does
// between its unlocking and its locking the whole, leaves the new file alone.
func TestReleaseSparesNewFile(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	r := Request{Name: "old", Base: firstBase, Size: 1024}
	old := acquire(t, pool, r)
	if err := os.Remove(old.Files()[0].Name()); err != nil {
		t.Fatal(err)
	}
	r.Name = "new"
	lease := acquire(t, pool, r)
	closeLease(t, old)
	wantInUse(t, pool, r, `container "new" holds`)
	closeLease(t, lease)
	wantNoFiles(t, pool)
}

// churnPool has two chunks, so that every holder meets every other.
func churnPool(root string) Pool {
	return Pool{Root: root, First: firstBase, Last: firstBase + chunkSize}
}

func churnProcess(root, markers, rounds string) error {
	n, err := strconv.Atoi(rounds)
	if err != nil {
		return err
	}
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = churn(churnPool(root), markers, i, n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// churn takes blocks in the manner of its number: nspawn, whole chunks, both
// chunks, or small blocks.
func churn(pool Pool, markers string, number, rounds int) error {
	sizes := []uint32{0, 65536, 131072, 32768, 32768, 16384, 16384, 65536}
	for i := range rounds {
		var err error
		if size := sizes[number]; size == 0 {
			err = churnNspawn(pool, markers, uint32(firstBase+i%2*chunkSize))
		} else {
			err = churnOnce(pool, markers, Request{Name: fmt.Sprint(number, "-", i%3), Size: size})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func churnOnce(pool Pool, markers string, r Request) error {
	lease, err := pool.Acquire(context.Background(), r)
	var full *FullError
	if errors.As(err, &full) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(witness(markers, lease.Block()), lease.Close())
}

func churnNspawn(pool Pool, markers string, base uint32) error {
	lock, err := lockAsNspawn(pool, base)
	if err == unix.EAGAIN {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(witness(markers, Block{base, chunkSize}), lock.release())
}

// witness fails when somebody else claims to hold any of the block.
func witness(markers string, b Block) error {
	var mine []string
	for id := b.Base; id < b.end(); id += 16384 {
		path := filepath.Join(markers, fmt.Sprint(id))
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("two holders: %w", err)
		}
		file.Close()
		mine = append(mine, path)
	}
	runtime.Gosched()
	for _, path := range mine {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// nspawnLock is a lock as systemd-nspawn takes it (make_lock_file and
// release_lock_file in systemd's src/basic/lock-util.c).
type nspawnLock struct{ file *os.File }

func lockAsNspawn(pool Pool, base uint32) (nspawnLock, error) {
	path := pool.path(lockDir) + "/" + fileName(base)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nspawnLock{}, err
	}
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nspawnLock{}, err
		}
		var st unix.Stat_t
		err = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		if err == nil {
			err = unix.Fstat(int(file.Fd()), &st)
		}
		if err == nil && st.Nlink > 0 {
			return nspawnLock{file}, nil
		}
		file.Close()
		if err != nil {
			return nspawnLock{}, err
		}
	}
}

func (l nspawnLock) release() error {
	return errors.Join(os.Remove(l.file.Name()), l.file.Close())
}
