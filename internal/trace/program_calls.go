package trace

import "github.com/cilium/ebpf/asm"

// enter is for the raw tracepoint sys_enter: (struct pt_regs *, long number).
func (c *code) enter() {
	c.beginTracked()
	c.push(storedAt, asm.R0)
	c.argument(asm.R9, 1)
	c.slot()
	c.pop(asm.R1, storedAt)
	c.add(asm.StoreMem(asm.R1, 8, asm.R9, asm.Word))
	c.lookup(c.m.calls, keyAt, "out")
	c.load(asm.R1, asm.R0, 0, asm.Word)
	c.add(
		asm.JNE.Imm(asm.R1, 0, "out"), // leaves the cache line alone
		asm.StoreImm(asm.R0, 0, 1, asm.Word),
	)
	c.end()
}

// slot turns the number in R9 into the call's slot, there and at keyAt.
func (c *code) slot() {
	c.load(asm.R1, task, c.l.taskInfo, asm.Word)
	c.add(
		asm.Mov.Imm(asm.R2, int32(Native)),
		asm.And.Imm(asm.R1, compatMask),
		asm.JEq.Imm(asm.R1, 0, "wide"),
		asm.Mov.Imm(asm.R2, int32(Compat)),
		asm.Ja.Label("slot"),
	)
	c.label = "wide"
	if x32Bit != 0 {
		c.add(
			asm.Mov.Reg(asm.R1, asm.R9),
			asm.And.Imm(asm.R1, x32Bit),
			asm.JEq.Imm(asm.R1, 0, "slot"),
			asm.Mov.Imm(asm.R2, int32(X32)),
			asm.Xor.Imm(asm.R9, x32Bit),
		)
	}
	c.label = "slot"
	c.add(
		asm.JGE.Imm(asm.R9, maxCalls, "out"),
		asm.Mul.Imm(asm.R2, maxCalls),
		asm.Add.Reg(asm.R9, asm.R2),
		asm.StoreMem(asm.RFP, keyAt, asm.R9, asm.Word),
	)
}

// exit is for the raw tracepoint sys_exit: (struct pt_regs *, long result). The
// first of the programs looks at the first watches and the result, the second at
// the second watches.
func (c *code) exit(nth int) {
	const eperm, enosys, maxErrno = 1, 38, 4095
	c.beginTracked()
	c.argument(asm.R8, 0)
	c.add(asm.Mov.Imm(asm.R1, 0))
	c.push(tmpAt, asm.R1)
	c.read(tmpAt, 4, asm.R8, numberAt)
	c.pop(asm.R9, tmpAt)
	c.slot()
	c.argument(asm.R1, 1)
	if nth == 0 {
		c.lookup(c.m.calls, keyAt, "out")
		c.argument(asm.R1, 1)
		c.add(
			asm.JEq.Imm(asm.R1, -eperm, "refused"),
			asm.JEq.Imm(asm.R1, -enosys, "refused"),
			asm.StoreImm(asm.R0, 8, 1, asm.Word),
		)
	} else {
		c.add(asm.Add.Imm(asm.R9, int32(nth)*abis*maxCalls), asm.StoreMem(asm.RFP, keyAt, asm.R9, asm.Word))
	}
	// As an unsigned number an error is above all others.
	c.add(asm.JGE.Imm(asm.R1, -maxErrno, "out"))
	c.lookup(c.m.watches, keyAt, "out")
	c.load(asm.R1, asm.R0, watchKind, asm.Byte)
	c.add(asm.JEq.Imm(asm.R1, 0, "out"), asm.Mov.Reg(asm.R9, asm.R0))
	c.clearKey(0)
	c.watched()
	if nth == 0 {
		c.label = "refused"
		c.add(asm.StoreImm(asm.R0, 4, 1, asm.Word))
	}
	c.end()
}

// watched records what the watch in R9 says, of the registers that R8 points to.
func (c *code) watched() {
	c.slotKey()
	c.register(watchA)
	c.load(asm.R1, asm.R9, watchKind, asm.Byte)
	c.add(
		asm.JEq.Imm(asm.R1, int32(Memory), "memory"),
		asm.JEq.Imm(asm.R1, int32(Bound), "bound"),
		asm.JGT.Imm(asm.R1, int32(Bound), "path"),
		asm.Ja.Label("values"),
	)
	c.label = "memory"
	c.user(tmpAt, 8)
	c.label = "values"
	c.masked(watchMasks, keyAt+8)
	c.register(watchB)
	c.masked(watchMasks+8, keyAt+16)
	c.note()

	c.bound()
	c.label = "path"
	c.path()
}

// slotKey puts the call, of which the task is in the middle, into the key.
func (c *code) slotKey() {
	c.storage(task, 0)
	c.add(asm.JEq.Imm(asm.R0, 0, "out"))
	c.load(asm.R1, asm.R0, 8, asm.Word)
	c.add(asm.StoreMem(asm.RFP, keyAt, asm.R1, asm.Word))
}

// register reads the register that the watch in R9 names at an offset, out of
// struct pt_regs in R8, to tmpAt.
func (c *code) register(offset int32) {
	c.load(asm.R3, asm.R9, offset, asm.Half)
	c.add(asm.Add.Reg(asm.R3, asm.R8))
	c.fp(asm.R1, tmpAt)
	c.add(asm.Mov.Imm(asm.R2, 8), asm.FnProbeReadKernel.Call())
}

// user reads memory of the process: what tmpAt points to, and the watch's offset
// on.
func (c *code) user(to, size int32) {
	c.pop(asm.R3, tmpAt)
	c.load(asm.R1, asm.R9, watchOffset, asm.Half)
	c.add(asm.Add.Reg(asm.R3, asm.R1))
	c.fp(asm.R1, to)
	c.add(asm.Mov.Imm(asm.R2, size), asm.FnProbeReadUser.Call())
}

// masked puts what is at tmpAt into the key, less what a mask of the watch in R9
// leaves out.
func (c *code) masked(mask int32, to int16) {
	c.pop(asm.R1, tmpAt)
	c.load(asm.R2, asm.R9, mask, asm.DWord)
	c.add(asm.And.Reg(asm.R1, asm.R2))
	c.push(to, asm.R1)
}

// bound records a socket address.
func (c *code) bound() {
	const unixFamily, sizeOfFamily = 1, 2
	c.label = "bound"
	c.clearKey(factBound)
	c.user(keyAt+8, 2)
	c.load(asm.R1, asm.RFP, keyAt+8, asm.Half)
	c.add(
		asm.JEq.Imm(asm.R1, inet, "inet"),
		asm.JEq.Imm(asm.R1, inet6, "inet6"),
		asm.JNE.Imm(asm.R1, unixFamily, "out"),
	)
	c.pop(asm.R1, tmpAt)
	c.add(asm.Add.Imm(asm.R1, sizeOfFamily))
	c.push(tmpAt, asm.R1)
	c.add(asm.Ja.Label("path"))
	c.label = "inet6"
	c.user(keyAt+8, 24)
	c.note()
	c.label = "inet"
	c.user(keyAt+8, 8)
	c.note()
}
