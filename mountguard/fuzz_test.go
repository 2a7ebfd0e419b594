package mountguard

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// countedMemory has data at address 0, and counts what is asked for.
type countedMemory struct {
	t     *testing.T
	data  string
	bytes int
	reads int
}

func (m *countedMemory) Text(address uint64, max int) (string, error) {
	m.count(max)
	return ram{0: m.data}.Text(address, max)
}

func (m *countedMemory) Read(address uint64, p []byte) error {
	m.count(len(p))
	return ram{0: m.data}.Read(address, p)
}

func (m *countedMemory) count(size int) {
	if size < 0 || size > max(maxPath, os.Getpagesize()) {
		m.t.Errorf("%d bytes in one piece", size)
	}
	m.bytes += size
	m.reads++
}

func FuzzDecode(f *testing.F) {
	page := uint64(os.Getpagesize())
	data := "/data\x00proc\x00" + mountAttr(0, 0xf, strings.Repeat("\x00", 32)) + "x"
	f.Add(uint32(archAMD64), int32(166), uint64(0), uint64(0), uint64(0), uint64(0), uint64(0), strings.Repeat("x", 2*maxPath))
	for _, arch := range []uint32{archAMD64, archI386, archARM64, archARM, 0} {
		a, ok := abiOf(arch)
		for _, n := range calls() {
			if !ok || a.number(n) == absent {
				continue
			}
			f.Add(arch, int32(a.number(n)), uint64(0), uint64(0), uint64(6), uint64(0), uint64(32), data)
			f.Add(arch, int32(a.number(n)), cwd, uint64(0), uint64(0x9000), uint64(11), page, data)
			f.Add(arch, int32(a.number(n)|a.bits), uint64(100), uint64(100), uint64(0), uint64(0xc0ed0000|unix.MS_REMOUNT), uint64(100), data)
		}
	}
	f.Fuzz(func(t *testing.T, arch uint32, number int32, a0, a1, a2, a3, a4 uint64, data string) {
		memory := &countedMemory{t: t, data: data}
		args := [6]uint64{a0, a1, a2, a3, a4, 0xdead}
		call, err := Decode(arch, number, args, memory)
		again, _ := Decode(arch, number, args, &countedMemory{t: t, data: data})
		if call != again {
			t.Errorf("%+v, and then %+v", call, again)
		}
		// At most two paths or strings and the two halves of a page.
		if memory.reads > 4 || memory.bytes > 2*maxPath+os.Getpagesize() {
			t.Errorf("%s: %d bytes in %d reads", call.Name, memory.bytes, memory.reads)
		}
		switch call.Operation {
		case Bind, Propagation, MakeMount, Configure, Pivot:
			if memory.reads != 0 {
				t.Errorf("%s: %d reads", call.Operation, memory.reads)
			}
		case "":
			if err == nil {
				t.Errorf("%+v is no operation", call)
			}
		}
		for _, text := range []string{call.Target.Name, call.Source.Name, call.FS, call.Data} {
			if strings.Contains(text, "\x00") || len(text) >= max(maxPath, os.Getpagesize()) {
				t.Errorf("text of %d bytes: %.100q", len(text), text)
			}
		}
		if call.Drops&^Lockable != 0 {
			t.Errorf("drops %#x", call.Drops)
		}
		var errno syscall.Errno
		if err != nil && (errors.As(err, &errno) || errors.Is(err, ErrKernelRefuses)) && errno == 0 {
			t.Errorf("error without an errno: %v", err)
		}
		if v := Undecoded(err); err != nil && v.Action == Continue && (call.Operation == Move || call.Operation == Reconfigure) && memory.reads > 0 {
			t.Errorf("the kernel may read another %s: %v", call.Operation, err)
		}
		if text := call.Text(); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			t.Errorf("text %q", text)
		}
	})
}

func FuzzJudge(f *testing.F) {
	operations := []Operation{Unmount, Bind, Move, NewMount, Remount, Reconfigure, Propagation, SetAttr, CloneAttr, OpenFS, MakeMount, Configure, Pivot, "", "unknown"}
	for i := range operations {
		f.Add(uint8(i), uint8(i), uint64(0), uint32(0xf), i%2 == 0, uint64(100+i), uint64(i), "/", uint64(106), uint64(dataFS), "/srv", "proc", "", byte(i))
	}
	f.Add(uint8(0), uint8(2), uint64(moveBeneath), uint32(0), false, uint64(106), uint64(dataFS), "/srv", uint64(201), uint64(guestFS), "/", "", "x", byte(0xff))
	f.Fuzz(func(t *testing.T, policy, operation uint8, flags uint64, drops uint32, recursive bool,
		targetID, targetDevice uint64, targetRoot string, sourceID, sourceDevice uint64, sourceRoot string, fs, data string, bits byte) {
		bit := func(n int) bool { return bits>>n&1 != 0 }
		p := Policy{Enabled: true, Remounts: policy&1 != 0, Unmounts: policy&2 != 0, KeepProc: policy&4 != 0}
		c := Call{
			Name: []string{"mount", "move_mount", "fspick", "umount2"}[policy>>3&3], Operation: operations[int(operation)%len(operations)],
			Flags: flags, Drops: Attr(drops), Recursive: recursive, FS: fs, Data: data,
		}
		s := Situation{Own: bit(0), Context: bit(1)}
		if bit(2) {
			s.Target = &Place{Mount: Mount{ID: targetID, Device: targetDevice, Root: targetRoot}, Top: bit(3), Point: data}
			if bit(4) {
				s.Target.On = &Mount{ID: sourceID, Device: sourceDevice, Root: sourceRoot}
			}
		}
		if bit(5) {
			s.Source = &Place{Mount: Mount{ID: sourceID, Device: sourceDevice, Root: sourceRoot}, Top: bit(6)}
		}
		table := NewTable(initialMounts())
		v := p.Judge(table, c, s)
		if again := p.Judge(NewTable(initialMounts()), c, s); v != again {
			t.Errorf("%+v, and then %+v", v, again)
		}
		switch v.Action {
		case Refuse:
			if v.Errno == 0 || v.Rule == "" {
				t.Errorf("refused with %+v", v)
			}
		case Perform:
			if v.Errno != 0 || v.Rule == "" {
				t.Errorf("performed with %+v", v)
			}
		case Continue:
			if (v != Verdict{Action: Continue}) {
				t.Errorf("goes on with %+v", v)
			}
		default:
			t.Errorf("action %q", v.Action)
		}
		if v.Action == Continue && (c.Operation == Move || c.Operation == Pivot) && s.Own {
			t.Errorf("%s goes on", c.Operation)
		}
		if v.Action == Perform && (c.Operation == Unmount || c.Operation == Bind || c.Operation == Propagation) {
			t.Errorf("%s is performed", c.Operation)
		}
		changes := c.Operation == Remount || c.Operation == SetAttr || c.Operation == CloneAttr || c.Operation == Reconfigure
		if changes && s.Target != nil && s.Target.Top && v.Action != Refuse {
			if i := table.exact(s.Target.Mount); i != nil && i.Locked&c.Drops != 0 {
				t.Errorf("%s drops %#x of %+v: %+v", c.Operation, c.Drops, i, v)
			}
		}
		if v.Rule == FlagsOnly && (c.Drops&table.exact(s.Target.Mount).Locked != 0 || c.Data != "" || !s.Own) {
			t.Errorf("%+v is performed: %+v", c, s)
		}
	})
}
