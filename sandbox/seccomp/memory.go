package seccomp

import "golang.org/x/sys/unix"

const (
	shmExec          = 0o100000 // SHM_EXEC, of the kernel's linux/shm.h
	ipcShmat         = 21       // SHMAT, of the kernel's linux/ipc.h
	readImpliesExec  = 22       // the bit of READ_IMPLIES_EXEC, of personality(2)
	writeExec        = unix.PROT_WRITE | unix.PROT_EXEC
	memorySetting    = "MemoryDenyWriteExecute"
	protection, call = 2, 0 // arguments
)

// WriteExecute is the system calls' part of MemoryDenyWriteExecute=, and all of it
// before Linux 6.3, which brought PR_SET_MDWE(2const): no memory may be mapped that
// can be written and executed, and none that is mapped be made executable.
//
// Beyond what systemd does, shared memory can't be attached as executable through
// ipc(2) on x86 either, and the personality that makes all readable memory
// executable can't be set.
func WriteExecute() []Layer {
	rules := []Rule{
		{Call: "mprotect", Args: []Compare{flag(protection, unix.PROT_EXEC)}, Action: permission},
		{Call: "pkey_mprotect", Args: []Compare{flag(protection, unix.PROT_EXEC)}, Action: permission},
		{Call: "mmap2", Args: []Compare{flag(protection, writeExec)}, Action: permission},
		{Call: "shmat", Args: []Compare{flag(2, shmExec)}, Action: permission},
		{Call: "ipc", Args: []Compare{{Arg: call, Op: Equal, Mask: 0xffff, Value: ipcShmat}, flag(2, shmExec)}, Action: permission},
	}
	// The personality 0xffffffff only asks for the present one: every other one
	// lacks some bit.
	const exec = 1 << readImpliesExec
	for bit := range 32 {
		if bit != readImpliesExec {
			lacks := Compare{Arg: 0, Op: Equal, Mask: exec | 1<<bit, Value: exec}
			rules = append(rules, Rule{Call: "personality", Args: []Compare{lacks}, Action: permission})
		}
	}
	all := denying(memorySetting, rules...)

	// The mmap(2) of x86 takes its arguments from memory, and programs have mmap2.
	x86 := denying(memorySetting, Rule{Call: "mmap", Action: permission})
	x86.Archs, x86.Foreign = []string{"x86"}, Allow
	others := denying(memorySetting, Rule{Call: "mmap", Args: []Compare{flag(protection, writeExec)}, Action: permission})
	others.Archs, others.Foreign = []string{"x86-64", "x32", "arm64", "arm"}, Allow
	return []Layer{all, x86, others}
}
