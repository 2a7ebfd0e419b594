package kernel

import (
	"os"
	"slices"
	"testing"
)

func TestProgramMappings(t *testing.T) {
	const smaps = `00400000-00401000 r--p 00000000 fe:00 9 /opt/bin/berth
Pss: 2 kB
Anonymous:             0 kB
00401000-00724000 r-xp 00001000 fe:00 9 /opt/bin/berth
Anonymous:             0 kB
00a07000-00a0b000 r--p 00606000 fe:00 9 /opt/bin/berth
Anonymous:            16 kB
00a0b000-00a31000 rw-p 0060a000 fe:00 9 /opt/bin/berth
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 10 /lib/libc.so.6
Anonymous:             0 kB
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0x401000}, {0x401000, 0x724000}}
	if got := programMappings([]byte(smaps), "/opt/bin/berth"); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// This very process goes on, with all that it had.
func TestDropProgramPages(t *testing.T) {
	pages, err := FindProgramPages()
	if err != nil || len(pages) == 0 {
		t.Fatalf("found %d mappings of the program, %v", len(pages), err)
	}
	pages.Drop()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	if len(programMappings(smaps, program)) == 0 {
		t.Error("found no mapping of the program")
	}
}
