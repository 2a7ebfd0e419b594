package idpool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func acquire(t testing.TB, pool Pool, r Request) *Lease {
	t.Helper()
	lease, err := pool.Acquire(context.Background(), r)
	if err != nil {
		t.Fatalf("Acquire(%+v): %v", r, err)
	}
	return lease
}

func closeLease(t testing.TB, l *Lease) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// wantInUse fails unless the request is refused because of what has the text.
func wantInUse(t *testing.T, pool Pool, r Request, text string) *InUseError {
	t.Helper()
	lease, err := pool.Acquire(context.Background(), r)
	var taken *InUseError
	if !errors.As(err, &taken) || !strings.Contains(err.Error(), text) {
		t.Fatalf("Acquire(%+v): lease %v, error %v; want an InUseError with %q", r, lease, err, text)
	}
	return taken
}

func wantNoFiles(t *testing.T, pool Pool) {
	t.Helper()
	left, err := os.ReadDir(pool.path(lockDir))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the lock directory: %v, error %v", left, err)
	}
}

func write(t testing.TB, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestBadRequest(t *testing.T) {
	tests := []struct {
		name    string
		request Request
		want    string
	}{
		{"no name", Request{Size: 65536}, "is no container name"},
		{"newline", Request{Name: "a\nb", Size: 65536}, "is no container name"},
		{"space", Request{Name: "a b", Size: 65536}, "is no container name"},
		{"long name", Request{Name: strings.Repeat("x", 129), Size: 65536}, "is no container name"},
		{"no size", Request{Name: "web"}, "size must be"},
		{"tiny", Request{Name: "web", Size: 128}, "size must be"},
		{"no power of two", Request{Name: "web", Size: 3000}, "size must be"},
		{"no multiple", Request{Name: "web", Size: 65536 + 1024}, "size must be"},
		{"too big", Request{Name: "web", Size: 17 * 65536}, "size must be"},
		{"unaligned", Request{Name: "web", Base: 600000, Size: 65536}, "multiple of 65536, such as 589824"},
		{"unaligned small", Request{Name: "web", Base: 524288 + 512, Size: 1024}, "multiple of 1024"},
		{"below", Request{Name: "web", Base: 65536, Size: 65536}, "must lie in 524288-1879048191"},
		{"above", Request{Name: "web", Base: 0x70000000, Size: 65536}, "must lie in"},
		{"across the end", Request{Name: "web", Base: 0x6FFF0000, Size: 131072}, "must lie in"},
		{"near overflow", Request{Name: "web", Base: 0xFFFF0000, Size: 131072}, "must lie in"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Pool{Root: t.TempDir()}.Acquire(context.Background(), test.request)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	for _, b := range []Block{
		{524288, 65536}, {524288 + 65536, 256}, {0x6FFF0000, 65536}, {0x6FF00000 - 65536, 16 * 65536},
		{0x70000000 - 256, 256},
	} {
		lease := acquire(t, pool, Request{Name: "web", Base: b.Base, Size: b.Size})
		if lease.Block() != b {
			t.Errorf("got %v, want %v", lease.Block(), b)
		}
		if got, want := len(lease.Files()), len(b.pieces()); got != want {
			t.Errorf("%v: %d files, want %d", b, got, want)
		}
		closeLease(t, lease)
		closeLease(t, lease) // twice is no error
	}
	wantNoFiles(t, pool)
}

func TestNameKeepsItsBlock(t *testing.T) {
	for _, size := range []uint32{256, 65536, 4 * 65536} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			pool := Pool{Root: t.TempDir()}
			first := acquire(t, pool, Request{Name: "web", Size: size})
			block := first.Block()
			second := acquire(t, pool, Request{Name: "web", Size: size})
			if second.Block() == block {
				t.Fatal("two leases of one block")
			}
			other := second.Block()
			closeLease(t, first)
			closeLease(t, second)
			again := acquire(t, pool, Request{Name: "web", Size: size})
			if again.Block() != block {
				t.Errorf("got %v, then %v", block, again.Block())
			}
			if next := acquire(t, pool, Request{Name: "web", Size: size}); next.Block() != other {
				t.Errorf("second choice was %v, then %v", other, next.Block())
			}
		})
	}
}

// The blocks that names get are part of the behaviour: a change moves every
// container on every host.
func TestBlockOfName(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	for size, want := range map[uint32]uint32{1024: 1252999168, 65536: 1673592832, 131072: 374931456} {
		lease := acquire(t, pool, Request{Name: "web", Size: size})
		if lease.Block().Base != want {
			t.Errorf("size %d: base %d, want %d", size, lease.Block().Base, want)
		}
		closeLease(t, lease)
	}
}

func TestSmallBlocksGather(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	chunks, seen := map[uint32]int{}, map[Block]bool{}
	for i := range 1000 {
		b := acquireHeld(t, pool, fmt.Sprint("c", i), 1024)
		if seen[b] || b.Base%1024 != 0 {
			t.Fatalf("block %v twice or unaligned", b)
		}
		seen[b] = true
		chunks[b.Base/chunkSize]++
		if i == 31 && len(chunks) > 2 {
			t.Errorf("the first 32 blocks are in %d chunks", len(chunks))
		}
	}
	if len(chunks) > 100 { // of the pool's 28664; 16 would be full to the last
		t.Errorf("1000 blocks of 1024 IDs are in %d chunks", len(chunks))
	}
}

// acquireHeld acquires a block for the rest of the test.
func acquireHeld(t testing.TB, pool Pool, name string, size uint32) Block {
	t.Helper()
	lease := acquire(t, pool, Request{Name: name, Size: size})
	t.Cleanup(func() { lease.Close() })
	return lease.Block()
}

func TestNeighboursDoNotDisturbEachOther(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	at := func(name string, base, size uint32) *Lease {
		return acquire(t, pool, Request{Name: name, Base: base, Size: size})
	}
	const base = 524288
	a, b, c := at("a", base, 1024), at("b", base+1024, 1024), at("c", base+32768, 32768)
	whole := Request{Name: "w", Base: base, Size: 65536}
	wantInUse(t, pool, whole, `container "a" holds 524288-525311; stop it`)
	closeLease(t, a)
	wantInUse(t, pool, Request{Name: "x", Base: base + 1024, Size: 1024}, `container "b" holds`)
	wantInUse(t, pool, Request{Name: "x", Base: base + 2*16384, Size: 16384}, `container "c" holds`)
	wantInUse(t, pool, Request{Name: "x", Base: base, Size: 2 * 65536}, `container "b" holds`)
	closeLease(t, b)
	closeLease(t, c)
	wantNoFiles(t, pool)
	w := acquire(t, pool, whole)
	wantInUse(t, pool, Request{Name: "x", Base: base + 256, Size: 256}, `container "w" holds 524288-589823`)
	closeLease(t, w)
	wantNoFiles(t, pool)
}

func TestFullPool(t *testing.T) {
	tests := []struct {
		size, chunks uint32
		fit          int
	}{{65536, 5, 5}, {131072, 5, 2}, {16384, 3, 12}, {256, 1, 256}, {65536, 1, 1}, {3 * 65536, 2, 0}}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.size, "x", test.chunks), func(t *testing.T) {
			pool := Pool{Root: t.TempDir(), First: firstBase, Last: firstBase + (test.chunks-1)*chunkSize}
			got := 0
			var err error
			for ; ; got++ {
				var lease *Lease
				if lease, err = pool.Acquire(context.Background(), Request{Name: fmt.Sprint("c", got), Size: test.size}); err != nil {
					break
				}
				defer lease.Close()
			}
			var full *FullError
			if !errors.As(err, &full) || !strings.Contains(err.Error(), "no block is free") {
				t.Fatalf("error %v, want a FullError", err)
			}
			// Two chunks may lie so that of five only one pair more fits.
			if got > test.fit || got < test.fit-int(test.size/chunkSize)/2 {
				t.Errorf("%d blocks, want %d", got, test.fit)
			}
		})
	}
}

func TestNspawnLock(t *testing.T) {
	pool := Pool{Root: t.TempDir(), First: firstBase, Last: firstBase}
	for _, size := range []uint32{256, 65536} {
		r := Request{Name: "web", Base: firstBase, Size: size}
		nspawn, err := lockAsNspawn(pool, firstBase)
		if err != nil {
			t.Fatal(err)
		}
		wantInUse(t, pool, r, "systemd-nspawn holds 524288-589823")
		var full *FullError
		if _, err := pool.Acquire(t.Context(), Request{Name: "web", Size: size}); !errors.As(err, &full) {
			t.Errorf("size %d beside nspawn: %v", size, err)
		}
		if err := nspawn.release(); err != nil {
			t.Fatal(err)
		}
		lease := acquire(t, pool, r)
		if _, err := lockAsNspawn(pool, firstBase); err != unix.EAGAIN {
			t.Errorf("nspawn against berth's %d IDs: %v, want EAGAIN", size, err)
		}
		closeLease(t, lease)
	}
}

// A small block at the end of a chunk, where the file has no bytes, must stop
// nspawn too.
func TestNspawnAgainstLastBytes(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	lease := acquire(t, pool, Request{Name: "web", Base: firstBase + chunkSize - 256, Size: 256})
	defer lease.Close()
	if _, err := lockAsNspawn(pool, firstBase); err != unix.EAGAIN {
		t.Errorf("got %v, want EAGAIN", err)
	}
}

func TestHostileLockDirectory(t *testing.T) {
	const lockFile = lockDir + "/524288"
	tests := []struct {
		name  string
		setup func(t *testing.T, root string) error
		want  string
	}{
		{"lock file is a link", func(t *testing.T, root string) error {
			return os.Symlink(filepath.Join(root, "victim"), filepath.Join(root, lockFile))
		}, "too many levels of symbolic links"},
		{"lock file is a fifo", func(t *testing.T, root string) error {
			return unix.Mkfifo(filepath.Join(root, lockFile), 0o600)
		}, "not a regular file"},
		{"directory is a link", func(t *testing.T, root string) error {
			write(t, root, "other/x", "")
			return errors.Join(os.Remove(filepath.Join(root, lockDir)), os.Symlink(filepath.Join(root, "other"), filepath.Join(root, lockDir)))
		}, "not a directory"},
		{"others may write", func(t *testing.T, root string) error {
			return os.Chmod(filepath.Join(root, lockDir), 0o777)
		}, "others may remove its files"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pool := Pool{Root: t.TempDir()}
			if err := os.MkdirAll(pool.path(lockDir), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := test.setup(t, pool.Root); err != nil {
				t.Fatal(err)
			}
			_, err := pool.Acquire(t.Context(), Request{Name: "web", Base: 524288, Size: 65536})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if _, err := os.Lstat(pool.path("victim")); err == nil {
				t.Error("the link was followed")
			}
		})
	}
}

func TestModes(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	lease := acquire(t, pool, Request{Name: "web", Base: firstBase, Size: 65536})
	defer lease.Close()
	for name, want := range map[string]os.FileMode{lockDir: 0o755, lockDir + "/524288": 0o600} {
		info, err := os.Stat(pool.path(name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, error %v; want %v", name, info.Mode(), err, want)
		}
	}
	flags, err := unix.FcntlInt(lease.Files()[0].Fd(), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, error %v; want close-on-exec", flags, err)
	}
}

func TestCancelled(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	<-time.After(time.Millisecond)
	if _, err := pool.Acquire(ctx, Request{Name: "web", Size: 65536}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func BenchmarkAcquire(b *testing.B) {
	for _, size := range []uint32{65536, 1024} {
		for _, held := range []int{0, 1000, 10000} {
			b.Run(fmt.Sprintf("size=%d/held=%d", size, held), func(b *testing.B) {
				pool := benchPool(b)
				for i := range held {
					acquireHeld(b, pool, fmt.Sprint("held", i), size)
				}
				i := 0
				for b.Loop() {
					lease := acquire(b, pool, Request{Name: fmt.Sprint("new", i), Size: size})
					closeLease(b, lease)
					i++
				}
			})
		}
	}
}

// benchPool is a host with a usual user database, on a tmpfs as /run is.
func benchPool(b *testing.B) Pool {
	root, err := os.MkdirTemp("/dev/shm", "idpool")
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { os.RemoveAll(root) })
	var passwd, subuid strings.Builder
	for i := range 50 {
		fmt.Fprintf(&passwd, "user%d:x:%d:%d::/home/user:/bin/sh\n", i, 1000+i, 1000+i)
		fmt.Fprintf(&subuid, "user%d:%d:65536\n", i, 100000+i*65536)
	}
	write(b, root, "etc/passwd", passwd.String())
	write(b, root, "etc/group", passwd.String())
	write(b, root, "etc/subuid", subuid.String())
	write(b, root, "etc/subgid", subuid.String())
	write(b, root, "etc/nsswitch.conf", "passwd: files systemd\ngroup: files systemd\n")
	return Pool{Root: root}
}
