package fsguard

import (
	"fmt"
	"math"

	"github.com/cilium/ebpf/asm"
)

// openedForExec is __FMODE_EXEC of include/linux/fs.h: execve(2) opens the file.
const openedForExec = 0x20

// Answers of a program at a cgroup's security hook.
const (
	denied  = 0 // EPERM
	allowed = 1
)

// Registers keep one meaning throughout.
const (
	file  = asm.R6
	task  = asm.R7
	entry = asm.R8 // the task's exemption
)

// program is the code at file_open, which runs for each file that is opened, with
// the file as its only argument. exempted is the map's descriptor.
func program(r Rule, p places, exempted int) (asm.Instructions, error) {
	code := asm.Instructions{
		asm.LoadMem(file, asm.R1, 0, asm.DWord),
		asm.FnGetCurrentTaskBtf.Call(),
		asm.Mov.Reg(task, asm.R0),
	}
	code = append(code, exemption(p, exempted)...)
	judged, err := judge(r, p)
	return append(code, judged...), err
}

// exemption answers for processes that are exempt, and goes to "judge" for all
// others. The memory that a process had at its first open is the one that it was
// exempted with: were it another already, then an exec has been through here.
func exemption(p places, exempted int) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R2, task, p.Leader, asm.DWord),
		asm.LoadMapPtr(asm.R1, exempted),
		asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnTaskStorageGet.Call(),
		asm.JEq.Imm(asm.R0, 0, "judge"),
		asm.Mov.Reg(entry, asm.R0),
		asm.LoadMem(asm.R1, entry, 0, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "judge"),

		asm.LoadMem(asm.R2, task, p.Memory, asm.DWord),
		asm.LoadMem(asm.R3, entry, 8, asm.DWord),
		asm.JNE.Imm(asm.R3, 0, "seen"),
		asm.StoreMem(entry, 8, asm.R2, asm.DWord),
		asm.Ja.Label("exempt"),
		asm.JNE.Reg(asm.R2, asm.R3, "end").WithSymbol("seen"),

		asm.JEq.Imm(asm.R1, int32(ThroughExec), "allow").WithSymbol("exempt"),
		asm.LoadMem(asm.R1, file, p.Flags, asm.Word),
		asm.And.Imm(asm.R1, openedForExec),
		asm.JNE.Imm(asm.R1, 0, "end"),
		asm.Mov.Imm(asm.R0, allowed).WithSymbol("allow"),
		asm.Return(),

		asm.Mov.Imm(asm.R1, 0).WithSymbol("end"),
		asm.StoreMem(entry, 0, asm.R1, asm.DWord),
	}
}

// judge answers by the type of the file's file system. As in systemd the lower
// half of the number counts, where all of statfs(2)'s numbers are.
func judge(r Rule, p places) (asm.Instructions, error) {
	code := asm.Instructions{
		asm.LoadMem(asm.R1, file, p.Inode, asm.DWord).WithSymbol("judge"),
		asm.LoadMem(asm.R1, asm.R1, p.SuperBlock, asm.DWord),
		asm.LoadMem(asm.R1, asm.R1, p.Magic, asm.DWord),
	}
	for _, magic := range r.Magics {
		if magic > math.MaxUint32 {
			return nil, fmt.Errorf("internal error: no file system has the number %#x", magic)
		}
		code = append(code, asm.JEq.Imm32(asm.R1, int32(uint32(magic)), "listed"))
	}
	listed, others := int32(denied), int32(allowed)
	if r.Allow {
		listed, others = allowed, denied
	}
	code = append(code, asm.Mov.Imm(asm.R0, others), asm.Return())
	if len(r.Magics) > 0 { // the kernel refuses code that is never reached
		code = append(code, asm.Mov.Imm(asm.R0, listed).WithSymbol("listed"), asm.Return())
	}
	return code, nil
}
