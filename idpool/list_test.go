package idpool

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestList(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	const a, b, c, d = 524288, 524288 + 65536, 524288 + 2*65536, 524288 + 4*65536
	hold := func(name string, base, size uint32) {
		lease := acquire(t, pool, Request{Name: name, Base: base, Size: size})
		t.Cleanup(func() { lease.Close() })
	}
	hold("late", a+32768, 256)
	hold("early", a+256, 256)
	hold("next", a+512, 256)
	hold("wide", c, 2*65536)
	closeLease(t, acquire(t, pool, Request{Name: "gone", Base: a + 1024, Size: 1024}))
	if _, err := lockAsNspawn(pool, b); err != nil {
		t.Fatal(err)
	}
	// What a dead holder wrote where nspawn and a stranger hold locks now.
	write(t, pool.Root, lockDir+"/589824", record{"dead", Block{b, 65536}}.String())
	write(t, pool.Root, lockDir+"/786432", record{"dead", Block{d, 65536}}.String())
	stranger, err := os.OpenFile(pool.path(lockDir+"/786432"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := unix.FcntlFlock(stranger.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 16, Len: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	write(t, pool.Root, lockDir+"/851968", record{"crashed", Block{851968, 65536}}.String())
	write(t, pool.Root, lockDir+"/README", "no lock file")
	write(t, pool.Root, registryDir+"/u1048576.userns", `{"owner":0,"name":"x","userns":1,"start":1048576,"size":65536}`)
	write(t, pool.Root, registryDir+"/i1.userns", `{"owner":0,"name":"x","userns":1,"start":1048576,"size":65536}`)

	want := []Held{
		{Block{a + 256, 256}, "early", ProgramBerth, true},
		{Block{a + 512, 256}, "next", ProgramBerth, true},
		{Block{a + 32768, 256}, "late", ProgramBerth, true},
		{Block{b, 65536}, ProgramNspawn, ProgramNspawn, true},
		{Block{c, 2 * 65536}, "wide", ProgramBerth, true},
		{Block{d + 16, 65536 - 16}, "", "", true},
		{Block{1048576, 65536}, "x", ProgramNSResourced, false},
	}
	got, err := pool.List()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, difference (-want +got):\n%s", err, diff)
	}
}

func TestListOfNothing(t *testing.T) {
	if got, err := (Pool{Root: t.TempDir()}).List(); len(got) != 0 || err != nil {
		t.Errorf("got %v, error %v", got, err)
	}
}

// Whatever a lock file contains, reading it is safe.
func FuzzReadRecord(f *testing.F) {
	f.Add("berth 524288 65536 web\n")
	f.Add("berth 4294967295 4294967295 web\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		file.WriteString(text)
		if r, ok := readRecord(file, 0); ok && (!validSize(r.block.Size) || r.block.end() < r.block.Base || len(r.block.pieces()) > 16) {
			t.Errorf("accepted %+v", r)
		}
	})
}
