package trace

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Registers keep one meaning in all programs: what a call leaves alone. R8 and
// R9 are each program's own.
const (
	ctx  = asm.R6 // the program's arguments
	task = asm.R7 // the current task
)

// Places on the stack.
const (
	keyAt        = -32  // a fact, or another key of a map
	oneAt        = -36  // u32 1: the value of a set's entry
	zeroAt       = -40  // u32 0: the key of a map's only entry
	tmpAt        = -56  // u64, u64
	flagsAt      = -64  // u64
	dentryAt     = -72  // u64: where a path is
	mountAt      = -80  // u64: and its struct vfsmount
	usedAt       = -88  // u64: bytes of an event's directories
	storedAt     = -96  // the task's entry among the tracked
	textAt       = -104 // u64: where the text of a path is
	useAt        = -112 // the CPU's scratch
	descriptorAt = -120 // i64
)

// code is a program in the making.
type code struct {
	asm.Instructions
	l     layout
	m     *maps
	label string // of the next instruction

	readText asm.BuiltinFunc // reads the text of paths, where they have one
}

func (c *code) add(ins ...asm.Instruction) {
	if c.label != "" {
		ins[0] = ins[0].WithSymbol(c.label)
		c.label = ""
	}
	c.Instructions = append(c.Instructions, ins...)
}

// load reads memory through a pointer whose type the verifier knows.
func (c *code) load(to, from asm.Register, offset int32, size asm.Size) {
	c.add(asm.LoadMem(to, from, int16(offset), size))
}

// push and pop keep a register on the stack.
func (c *code) push(offset int16, from asm.Register) {
	c.add(asm.StoreMem(asm.RFP, offset, from, asm.DWord))
}
func (c *code) pop(to asm.Register, offset int16) {
	c.add(asm.LoadMem(to, asm.RFP, offset, asm.DWord))
}

// argument loads the program's n-th argument.
func (c *code) argument(to asm.Register, n int32) { c.load(to, ctx, 8*n, asm.DWord) }

// fp sets a register to a place on the stack.
func (c *code) fp(to asm.Register, offset int32) {
	c.add(asm.Mov.Reg(to, asm.RFP), asm.Add.Imm(to, offset))
}

// begin is how every program begins. Then R0 is the task's entry among the
// tracked, or 0.
func (c *code) begin() {
	c.add(
		asm.Mov.Reg(ctx, asm.R1),
		asm.FnGetCurrentTaskBtf.Call(),
		asm.Mov.Reg(task, asm.R0),
		asm.StoreImm(asm.RFP, zeroAt, 0, asm.Word),
		asm.StoreImm(asm.RFP, oneAt, 1, asm.Word),
	)
	c.storage(task, 0)
}

// beginTracked is begin for what passes over other tasks.
func (c *code) beginTracked() {
	c.begin()
	c.add(asm.JEq.Imm(asm.R0, 0, "out"))
}

// storage looks a task up among the tracked, R0.
func (c *code) storage(of asm.Register, flags int32) {
	c.add(
		asm.Mov.Reg(asm.R2, of),
		asm.LoadMapPtr(asm.R1, c.m.tracked.FD()),
		asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R4, flags),
		asm.FnTaskStorageGet.Call(),
	)
}

// storageCreate is BPF_LOCAL_STORAGE_GET_F_CREATE.
const storageCreate = 1

// end is how every program ends.
func (c *code) end() {
	c.label = "out"
	c.add(asm.Mov.Imm(asm.R0, 0), asm.Return())
}

// lookup finds the entry of a map under the key at a place on the stack, R0. One
// that isn't there goes to label, if that is given.
func (c *code) lookup(m *ebpf.Map, key int32, missing string) {
	c.add(asm.LoadMapPtr(asm.R1, m.FD()))
	c.fp(asm.R2, key)
	c.add(asm.FnMapLookupElem.Call())
	if missing != "" {
		c.add(asm.JEq.Imm(asm.R0, 0, missing))
	}
}

// read copies kernel memory to the stack, from a register's address and an
// offset on. What can't be read is 0. It takes R1 to R5.
func (c *code) read(to int32, size int32, from asm.Register, offset int32) {
	c.add(asm.Mov.Reg(asm.R3, from))
	if offset != 0 {
		c.add(asm.Add.Imm(asm.R3, offset))
	}
	c.fp(asm.R1, to)
	c.add(asm.Mov.Imm(asm.R2, size), asm.FnProbeReadKernel.Call())
}

// follow reads the pointer at a register's address and an offset, as a plain
// number.
func (c *code) follow(to, from asm.Register, offset int32) {
	c.read(tmpAt, 8, from, offset)
	c.pop(to, tmpAt)
}

// clearKey zeroes the key and gives it its kind. It takes R1.
func (c *code) clearKey(kind int32) {
	c.add(asm.Mov.Imm(asm.R1, kind))
	c.push(keyAt, asm.R1)
	c.add(asm.Mov.Imm(asm.R1, 0))
	for at := int16(8); at < factSize; at += 8 {
		c.push(keyAt+at, asm.R1)
	}
}

// note remembers the fact at keyAt, and goes to "out".
func (c *code) note() {
	c.lookup(c.m.facts, keyAt, "")
	c.add(asm.JNE.Imm(asm.R0, 0, "out"), asm.LoadMapPtr(asm.R1, c.m.facts.FD()))
	c.fp(asm.R2, keyAt)
	c.fp(asm.R3, oneAt)
	c.add(
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
	)
	c.lose()
	c.add(asm.Ja.Label("out"))
}

// lose counts what can't be kept.
func (c *code) lose() {
	c.lookup(c.m.lost, zeroAt, "out")
	c.add(asm.Mov.Imm(asm.R1, 1), asm.StoreXAdd(asm.R0, asm.R1, asm.DWord))
}
