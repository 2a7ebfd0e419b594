package trace

import (
	"encoding/binary"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Sizes and offsets of what the programs and this package exchange; all in the
// byte order of the machine.
const (
	callSize = 12 // u32 each: called, refused, done
	factSize = 32 // u32 kind, u32 sub, 24 bytes of what it is about

	watchSize    = 32
	watchKind    = 0  // u8
	watchPointer = 1  // u8: flags are where the register points to
	watchA       = 2  // u16: offset in struct pt_regs
	watchB       = 4  // u16
	watchOffset  = 6  // u16
	watchMasks   = 8  // u64, u64
	watchFlags   = 24 // u16
	watchAccess  = 28 // u32; the second mask is Require

	// A use of a file, as the key of those that were told.
	useSize   = 256
	useBase   = 0  // u64: the directory's dentry
	useAccess = 8  // u32
	useFlags  = 12 // u32
	useText   = 16 // what the path begins with

	trackedSize = 16 // u64 the user namespace of the start, u32 slot of the call

	seenUses = 1 << 15
	maxFacts = 1 << 14
	ringSize = 8 << 20
)

// Kinds of facts. Below abis*maxCalls they are a watched system call.
const (
	factBound = 1<<16 + iota
	factCheck
	factGained
)

const abis = 3

// watchesPerCall: rename(2) has two paths.
const watchesPerCall = 2

// maps are what the programs share with this package.
type maps struct {
	tracked *ebpf.Map // by task
	cgroup  *ebpf.Map // one entry: whose tasks are recorded
	calls   *ebpf.Map // by slot
	watches *ebpf.Map // by slot, then again for the second ones
	facts   *ebpf.Map // a set
	seen    *ebpf.Map // a set of uses of files
	scratch *ebpf.Map // one use, for each CPU
	events  *ebpf.Map // the uses, see event.go
	lost    *ebpf.Map // one u64
}

// slot is a system call's place in the arrays.
func (c Call) slot() uint32 { return uint32(c.ABI)*maxCalls + uint32(c.Number) }

func callOf(slot uint32) Call { return Call{ABI(slot / maxCalls), int(slot % maxCalls)} }

func newMaps() (*maps, error) {
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	words := &btf.Array{Index: number, Type: &btf.Int{Name: "long", Size: 8}, Nelems: trackedSize / 8}
	m := &maps{}
	for _, wanted := range []struct {
		to   **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&m.tracked, ebpf.MapSpec{Name: "berth_tracked", Type: ebpf.TaskStorage, KeySize: 4, ValueSize: trackedSize, Flags: flagNoPrealloc, Key: number, Value: words}},
		{&m.cgroup, ebpf.MapSpec{Name: "berth_cgroup", Type: ebpf.CGroupArray, KeySize: 4, ValueSize: 4, MaxEntries: 1}},
		{&m.calls, ebpf.MapSpec{Name: "berth_calls", Type: ebpf.Array, KeySize: 4, ValueSize: callSize, MaxEntries: abis * maxCalls}},
		{&m.watches, ebpf.MapSpec{Name: "berth_watches", Type: ebpf.Array, KeySize: 4, ValueSize: watchSize, MaxEntries: watchesPerCall * abis * maxCalls}},
		{&m.facts, ebpf.MapSpec{Name: "berth_facts", Type: ebpf.Hash, KeySize: factSize, ValueSize: 4, MaxEntries: maxFacts}},
		{&m.seen, ebpf.MapSpec{Name: "berth_seen", Type: ebpf.LRUHash, KeySize: useSize, ValueSize: 4, MaxEntries: seenUses}},
		{&m.scratch, ebpf.MapSpec{Name: "berth_scratch", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: useSize, MaxEntries: 1}},
		{&m.events, ebpf.MapSpec{Name: "berth_events", Type: ebpf.RingBuf, MaxEntries: ringSize}},
		{&m.lost, ebpf.MapSpec{Name: "berth_lost", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}},
	} {
		created, err := ebpf.NewMap(&wanted.spec)
		if err != nil {
			m.close()
			return nil, err
		}
		*wanted.to = created
	}
	return m, nil
}

// flagNoPrealloc is BPF_F_NO_PREALLOC, which task storage demands.
const flagNoPrealloc = 1

func (m *maps) close() {
	for _, one := range []*ebpf.Map{m.tracked, m.cgroup, m.calls, m.watches, m.facts, m.seen, m.scratch, m.events, m.lost} {
		if one != nil {
			one.Close()
		}
	}
}

// watch adds a watch, and tells whether there was room for it.
func (m *maps) watch(w Watch) (bool, error) {
	slot := w.slot()
	for range watchesPerCall {
		var there [watchSize]byte
		if err := m.watches.Lookup(slot, &there); err != nil {
			return false, err
		}
		if there[watchKind] == 0 {
			return true, m.watches.Put(slot, w.encode())
		}
		slot += abis * maxCalls
	}
	return false, nil
}

func (w Watch) encode() []byte {
	b := make([]byte, watchSize)
	regs, order := registers(w.ABI), binary.NativeEndian
	b[watchKind] = byte(w.Kind)
	order.PutUint16(b[watchA:], regs[w.A])
	order.PutUint16(b[watchB:], regs[w.B])
	order.PutUint16(b[watchOffset:], uint16(w.Offset))
	order.PutUint64(b[watchMasks:], w.Masks[0])
	order.PutUint64(b[watchMasks+8:], w.Masks[1])
	if w.Kind < Bound {
		return b
	}
	order.PutUint64(b[watchMasks+8:], w.Require)
	order.PutUint32(b[watchAccess:], uint32(w.Access))
	if w.Flags < 0 {
		order.PutUint64(b[watchMasks:], 0)
		return b
	}
	order.PutUint16(b[watchFlags:], regs[w.Flags])
	if w.Pointer {
		b[watchPointer] = 1
	}
	return b
}
