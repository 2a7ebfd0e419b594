package trace

import "github.com/cilium/ebpf/asm"

// fork is for the tracepoint sched_process_fork: (parent, child). Threads come
// here as well.
func (c *code) fork() {
	c.beginTracked()
	c.load(asm.R8, asm.R0, 0, asm.DWord)
	c.argument(asm.R9, 1)
	c.storage(asm.R9, storageCreate)
	c.add(asm.JEq.Imm(asm.R0, 0, "out"), asm.StoreMem(asm.R0, 0, asm.R8, asm.DWord))
	c.end()
}

// exec is for the tracepoint sched_process_exec: (task, old_pid, bprm), at the
// end of a successful exec. It is where tracking begins: in the cgroup, with a
// program that isn't the one that the parent runs.
func (c *code) exec() {
	c.readText = asm.FnProbeReadKernelStr // there is none
	c.begin()
	c.argument(asm.R8, 2)
	c.load(asm.R8, asm.R8, c.l.bprmFile, asm.DWord)
	c.add(
		asm.JNE.Imm(asm.R0, 0, "tracked"),
		asm.LoadMapPtr(asm.R1, c.m.cgroup.FD()),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnCurrentTaskUnderCgroup.Call(),
		asm.JNE.Imm(asm.R0, 1, "out"),
	)
	c.follow(asm.R9, asm.R8, c.l.fileInode)
	c.load(asm.R1, task, c.l.taskParent, asm.DWord)
	c.load(asm.R1, asm.R1, c.l.taskMM, asm.DWord)
	c.follow(asm.R1, asm.R1, c.l.mmExe)
	c.follow(asm.R1, asm.R1, c.l.fileInode)
	c.add(asm.JEq.Reg(asm.R1, asm.R9, "out"))
	c.storage(task, storageCreate)
	c.add(asm.JEq.Imm(asm.R0, 0, "out"), asm.Mov.Reg(asm.R9, asm.R0))
	c.load(asm.R1, task, c.l.taskCred, asm.DWord)
	c.follow(asm.R1, asm.R1, c.l.credUserNS)
	c.add(asm.StoreMem(asm.R9, 0, asm.R1, asm.DWord))

	c.label = "tracked"
	c.newExec()
	c.place(asm.R8, c.l.filePath)
	c.tell()
	c.end()
}

// script is for the same tracepoint, and tells of scripts: there the exec's own
// file is the interpreter.
func (c *code) script() {
	c.readText = asm.FnProbeReadKernelStr
	c.beginTracked()
	c.argument(asm.R8, 2)
	c.load(asm.R1, asm.R8, c.l.secureexec, asm.Byte)
	c.add(asm.And.Imm(asm.R1, c.l.secureexecMask), asm.JEq.Imm(asm.R1, 0, "plain"))
	c.clearKey(factGained)
	c.note()
	c.label = "plain"
	c.follow(asm.R9, asm.R8, c.l.bprmInterp)
	c.follow(asm.R1, asm.R8, c.l.bprmFilename)
	c.add(asm.JEq.Reg(asm.R1, asm.R9, "out"))
	c.push(textAt, asm.R1)
	c.newExec()
	c.text()
	c.absolute("root")
	c.directory()
	c.tell()
	c.end()
}

// capable is for the tracepoint cap_capable: (cred, target namespace, namespace
// that has it, cap, result). Others' checks, and those of a namespace that was
// made inside, are passed over: that gives all capabilities, whatever the
// bounding set.
func (c *code) capable() {
	c.beginTracked()
	c.add(asm.Mov.Reg(asm.R9, asm.R0))
	c.argument(asm.R1, 4)
	c.add(
		asm.LSh.Imm(asm.R1, 32), // an int
		asm.JNE.Imm(asm.R1, 0, "out"),
	)
	c.load(asm.R8, asm.R9, 0, asm.DWord)
	c.argument(asm.R1, 1)
	c.push(tmpAt, asm.R1)
	c.argument(asm.R1, 0)
	c.read(tmpAt+8, 8, asm.R1, c.l.credUserNS)
	c.pop(asm.R1, tmpAt+8)
	c.add(asm.JNE.Reg(asm.R1, asm.R8, "out"))
	c.fp(asm.R2, tmpAt)
	c.read(tmpAt, 8, asm.R2, 0) // the pointer as a plain number
	c.pop(asm.R1, tmpAt)
	c.add(asm.JNE.Reg(asm.R1, asm.R8, "out"))
	c.clearKey(factCheck)
	c.argument(asm.R1, 3)
	c.add(asm.StoreMem(asm.RFP, keyAt+8, asm.R1, asm.Word))
	c.load(asm.R1, asm.R9, 8, asm.Word)
	c.add(asm.StoreMem(asm.RFP, keyAt+12, asm.R1, asm.Word))
	c.note()
	c.end()
}
