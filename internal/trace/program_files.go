package trace

import "github.com/cilium/ebpf/asm"

// path tells of a path or file, as the watch in R9 says; R8 has the registers.
// What its argument A is, is at tmpAt.
func (c *code) path() {
	c.readText = asm.FnProbeReadUserStr
	c.pop(asm.R1, tmpAt)
	c.load(asm.R2, asm.R9, watchOffset, asm.Half)
	c.add(asm.Add.Reg(asm.R1, asm.R2))
	c.push(textAt, asm.R1)
	c.flags()
	c.register(watchB)
	c.pop(asm.R1, tmpAt)
	c.add(asm.LSh.Imm(asm.R1, 32), asm.ArSh.Imm(asm.R1, 32)) // an int
	c.push(descriptorAt, asm.R1)

	c.newUse()
	c.load(asm.R1, asm.R9, watchAccess, asm.Word)
	c.add(asm.StoreMem(asm.R0, useAccess, asm.R1, asm.Word))
	c.pop(asm.R1, flagsAt)
	c.add(asm.StoreMem(asm.R0, useFlags, asm.R1, asm.Word))
	c.load(asm.R1, asm.R9, watchKind, asm.Byte)
	c.add(asm.JEq.Imm(asm.R1, int32(File), "file"))
	c.text()
	c.absolute("root")
	c.load(asm.R1, asm.R9, watchKind, asm.Byte)
	c.add(asm.JNE.Imm(asm.R1, int32(PathAt), "cwd"))
	c.pop(asm.R1, descriptorAt)
	c.add(asm.JSLT.Imm(asm.R1, 0, "cwd")) // AT_FDCWD
	c.label = "file"
	c.descriptor()
	c.add(asm.Ja.Label("base"))
	c.directory()
	c.tell()
}

// flags puts the flags to flagsAt: those that the watch in R9 wants.
func (c *code) flags() {
	c.register(watchFlags)
	c.load(asm.R1, asm.R9, watchPointer, asm.Byte)
	c.add(asm.JEq.Imm(asm.R1, 0, "flags"))
	c.pop(asm.R3, tmpAt)
	c.fp(asm.R1, tmpAt)
	c.add(asm.Mov.Imm(asm.R2, 8), asm.FnProbeReadUser.Call())
	c.label = "flags"
	c.masked(watchMasks, flagsAt)
	c.load(asm.R2, asm.R9, watchMasks+8, asm.DWord)
	c.add(
		asm.JEq.Imm(asm.R2, 0, "enough"),
		asm.And.Reg(asm.R1, asm.R2),
		asm.JEq.Imm(asm.R1, 0, "out"),
	)
	c.label = "enough"
}

// newUse empties the CPU's scratch, R0 and at useAt.
func (c *code) newUse() {
	c.lookup(c.m.scratch, zeroAt, "out")
	c.push(useAt, asm.R0)
	c.add(asm.Mov.Imm(asm.R1, 0))
	for at := int16(0); at < useSize; at += 8 {
		c.add(asm.StoreMem(asm.R0, at, asm.R1, asm.DWord))
	}
}

// newExec is newUse for a program's execution, whose path's text may follow.
func (c *code) newExec() {
	c.newUse()
	c.add(asm.StoreImm(asm.R0, useAccess, int64(Execute), asm.Word))
}

// text copies the beginning of the path that textAt points to into the use. An
// empty one, or none, is passed over.
func (c *code) text() {
	c.pop(asm.R1, useAt)
	c.add(asm.Add.Imm(asm.R1, useText), asm.Mov.Imm(asm.R2, useSize-useText))
	c.pop(asm.R3, textAt)
	c.add(c.readText.Call(), asm.JSLE.Imm(asm.R0, 1, "out"))
}

// absolute goes to label if the use has an absolute path.
func (c *code) absolute(label string) {
	c.pop(asm.R2, useAt)
	c.load(asm.R1, asm.R2, useText, asm.Byte)
	c.add(asm.JEq.Imm(asm.R1, '/', label))
}

// descriptor finds the file whose number is at descriptorAt.
func (c *code) descriptor() {
	c.follow(asm.R3, task, c.l.taskFiles)
	c.follow(asm.R3, asm.R3, c.l.filesTable)
	c.follow(asm.R3, asm.R3, c.l.tableFiles)
	c.pop(asm.R1, descriptorAt)
	c.add(
		asm.JSLT.Imm(asm.R1, 0, "out"),
		asm.LSh.Imm(asm.R1, 3),
		asm.Add.Reg(asm.R3, asm.R1),
	)
	c.follow(asm.R3, asm.R3, 0)
	c.place(asm.R3, c.l.filePath)
}

// directory has the labels "cwd" and "root", for where a path begins, and
// "base", where that is known.
func (c *code) directory() {
	c.label = "cwd"
	c.follow(asm.R3, task, c.l.taskFS)
	c.place(asm.R3, c.l.fsPwd)
	c.add(asm.Ja.Label("base"))
	c.label = "root"
	c.follow(asm.R3, task, c.l.taskFS)
	c.place(asm.R3, c.l.fsRoot)
	c.label = "base"
}

// place notes where the struct path at a register's address and an offset is.
func (c *code) place(path asm.Register, offset int32) {
	c.push(tmpAt+8, path)
	c.read(dentryAt, 8, path, offset+c.l.pathDentry)
	c.pop(asm.R3, tmpAt+8)
	c.read(mountAt, 8, asm.R3, offset+c.l.pathMount)
}

// tell sends an event about the use, at a place, unless it has been told; then
// it goes to "out".
func (c *code) tell() {
	c.pop(asm.R2, useAt)
	c.pop(asm.R1, dentryAt)
	c.add(
		asm.StoreMem(asm.R2, useBase, asm.R1, asm.DWord),
		asm.LoadMapPtr(asm.R1, c.m.seen.FD()),
		asm.FnMapLookupElem.Call(),
		asm.JNE.Imm(asm.R0, 0, "out"),
		asm.LoadMapPtr(asm.R1, c.m.events.FD()),
		asm.Mov.Imm(asm.R2, eventSize),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnRingbufReserve.Call(),
		asm.JNE.Imm(asm.R0, 0, "event"),
	)
	c.lose() // it is told the next time, if there is room then
	c.add(asm.Ja.Label("out"))

	c.label = "event"
	c.add(asm.Mov.Reg(asm.R8, asm.R0))
	c.describe()
	c.walk()
	c.add(asm.LoadMapPtr(asm.R1, c.m.seen.FD()))
	c.pop(asm.R2, useAt)
	c.fp(asm.R3, oneAt)
	c.add(
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRingbufSubmit.Call(),
		asm.Ja.Label("out"),
	)
}

// describe fills the event in R8, but for the directory.
func (c *code) describe() {
	c.pop(asm.R2, useAt)
	c.load(asm.R1, asm.R2, useAccess, asm.Word)
	c.add(asm.StoreMem(asm.R8, eventAccess, asm.R1, asm.Word))
	c.load(asm.R1, asm.R2, useFlags, asm.Word)
	c.add(asm.StoreMem(asm.R8, eventFlags, asm.R1, asm.Word))
	c.follow(asm.R1, task, c.l.taskCred)
	c.read(tmpAt, 4, asm.R1, c.l.credFsuid)
	c.load(asm.R1, asm.RFP, tmpAt, asm.Word)
	c.add(asm.StoreMem(asm.R8, eventUser, asm.R1, asm.Word))
	c.pid()
	c.load(asm.R1, asm.RFP, tmpAt, asm.Word)
	c.add(
		asm.StoreMem(asm.R8, eventPID, asm.R1, asm.Word),
		asm.StoreImm(asm.R8, eventText, 0, asm.Byte),
	)
	c.pop(asm.R3, useAt)
	c.load(asm.R1, asm.R3, useText, asm.Byte)
	c.add(asm.JEq.Imm(asm.R1, 0, "textless"))
	c.add(asm.Mov.Reg(asm.R1, asm.R8), asm.Add.Imm(asm.R1, eventText), asm.Mov.Imm(asm.R2, eventNames-eventText))
	c.pop(asm.R3, textAt)
	c.add(c.readText.Call(), asm.StoreMem(asm.R8, eventLength, asm.R0, asm.Word), asm.Ja.Label("texted"))
	c.label = "textless"
	c.add(asm.StoreImm(asm.R8, eventLength, 0, asm.Word))
	c.label = "texted"
}

// pid puts the process' PID in its own PID namespace, u32, at tmpAt.
func (c *code) pid() {
	c.follow(asm.R3, task, c.l.taskLeader)
	c.follow(asm.R3, asm.R3, c.l.taskPid)
	c.push(tmpAt+8, asm.R3)
	c.add(asm.Mov.Imm(asm.R1, 0))
	c.push(tmpAt, asm.R1)
	c.read(tmpAt, 4, asm.R3, c.l.pidLevel)
	c.pop(asm.R1, tmpAt)
	c.pop(asm.R3, tmpAt+8)
	c.add(asm.Mul.Imm(asm.R1, c.l.upidSize), asm.Add.Reg(asm.R3, asm.R1))
	c.read(tmpAt, 4, asm.R3, c.l.pidNumbers) // struct upid begins with nr
}

// walk writes the names of the directories from the place up to the root of the
// mount namespace into the event in R8. It takes R9. What changes from name to
// name is kept in the event, where the verifier knows nothing of it: on the
// stack each turn would be another state.
func (c *code) walk() {
	inEvent := func(to asm.Register, at int32) { c.load(to, asm.R8, at, asm.DWord) }
	keep := func(at int16, from asm.Register) { c.add(asm.StoreMem(asm.R8, at, from, asm.DWord)) }
	c.pop(asm.R1, dentryAt)
	keep(eventDentry, asm.R1)
	c.pop(asm.R1, mountAt)
	keep(eventMount, asm.R1)
	c.add(asm.Mov.Imm(asm.R9, 0))
	keep(eventUsed, asm.R9)
	c.label = "walk"
	c.add(
		asm.JGE.Imm(asm.R9, eventDepth, "walked"),
		asm.Add.Imm(asm.R9, 1),
	)
	inEvent(asm.R3, eventMount)
	c.follow(asm.R1, asm.R3, c.l.mountRoot)
	inEvent(asm.R2, eventDentry)
	c.add(asm.JNE.Reg(asm.R1, asm.R2, "name"))

	// At the root of a mount: on to where it is mounted.
	inEvent(asm.R3, eventMount)
	c.follow(asm.R1, asm.R3, c.l.mountPoint-c.l.mountInner)
	keep(eventDentry, asm.R1)
	inEvent(asm.R3, eventMount)
	c.follow(asm.R1, asm.R3, c.l.mountParent-c.l.mountInner)
	c.add(asm.Add.Imm(asm.R1, c.l.mountInner))
	inEvent(asm.R2, eventMount)
	keep(eventMount, asm.R1)
	c.add(asm.JNE.Reg(asm.R1, asm.R2, "walk"), asm.Ja.Label("submit"))

	c.label = "name"
	inEvent(asm.R3, eventDentry)
	c.follow(asm.R3, asm.R3, c.l.dentryName)
	inEvent(asm.R1, eventUsed)
	c.add(
		asm.JGT.Imm(asm.R1, eventMost, "walked"),
		asm.Add.Reg(asm.R1, asm.R8),
		asm.Add.Imm(asm.R1, eventNames),
		asm.Mov.Imm(asm.R2, eventName),
		asm.FnProbeReadKernelStr.Call(),
		asm.JSLE.Imm(asm.R0, 0, "walked"),
	)
	inEvent(asm.R1, eventUsed)
	c.add(asm.Add.Reg(asm.R1, asm.R0))
	keep(eventUsed, asm.R1)
	inEvent(asm.R3, eventDentry)
	c.follow(asm.R1, asm.R3, c.l.dentryParent)
	inEvent(asm.R2, eventDentry)
	keep(eventDentry, asm.R1)
	c.add(asm.JNE.Reg(asm.R1, asm.R2, "walk"))

	c.label = "walked" // not to the top
	c.add(asm.Mov.Imm(asm.R1, -1))
	keep(eventUsed, asm.R1)
	c.label = "submit"
	c.add(asm.Mov.Imm(asm.R1, 0))
	keep(eventDentry, asm.R1) // addresses are the kernel's own business
	keep(eventMount, asm.R1)
}
