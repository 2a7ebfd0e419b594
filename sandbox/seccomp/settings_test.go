package seccomp

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"berth/test/bpf"
)

// made is a system call and what is to become of it.
type made struct {
	call string // "": a number without a name
	args []uint64
	want string
	on   []string // ABIs; none: all that have the call
}

func args(a ...uint64) []uint64 { return a }

// garbage is set in the upper half of a register: the kernel doesn't see it in an
// argument that is an int.
const garbage = 1 << 32

func TestSettings(t *testing.T) {
	const (
		suid, sgid = unix.S_ISUID, unix.S_ISGID
		rwx        = unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC
	)
	wide := []string{"x86-64", "x32", "arm64"} // registers of 64 bits
	tests := []struct {
		name   string
		layers []Layer
		calls  []made
	}{
		{"RestrictNamespaces=yes", Namespaces(0), []made{
			{"clone", args(unix.CLONE_NEWUSER | unix.CLONE_FS), "EPERM", nil},
			{"clone", args(unix.CLONE_NEWTIME), "EPERM", nil},
			{"clone", args(unix.CLONE_VM | uint64(unix.SIGCHLD)), "allow", nil},
			{"clone3", args(0), "ENOSYS", nil},
			{"unshare", args(unix.CLONE_NEWNET), "EPERM", nil},
			{"unshare", args(unix.CLONE_NEWTIME), "EPERM", nil},
			{"unshare", args(unix.CLONE_NEWNET | garbage), "EPERM", wide},
			{"unshare", args(unix.CLONE_FILES), "allow", nil},
			{"setns", args(3, unix.CLONE_NEWNET), "EPERM", nil},
			{"setns", args(3, 0), "EPERM", nil},
			{"fork", nil, "allow", nil},
			{"vfork", nil, "allow", nil},
		}},
		{"RestrictNamespaces=~user", Namespaces(^uint64(unix.CLONE_NEWUSER)), []made{
			{"clone", args(unix.CLONE_NEWUSER), "EPERM", nil},
			{"clone", args(unix.CLONE_NEWNET), "allow", nil},
			{"clone", args(unix.CLONE_NEWNET | unix.CLONE_NEWUSER), "EPERM", nil},
			{"clone3", args(0), "ENOSYS", nil},
			{"unshare", args(unix.CLONE_NEWUSER), "EPERM", nil},
			{"unshare", args(unix.CLONE_NEWNS), "allow", nil},
			{"setns", args(3, unix.CLONE_NEWUSER), "EPERM", nil},
			{"setns", args(3, unix.CLONE_NEWNET), "allow", nil},
			{"setns", args(3, 0), "EPERM", nil},
			{"setns", args(3, garbage), "EPERM", wide},
		}},
		{"RestrictAddressFamilies=AF_UNIX AF_INET6", AddressFamilies([]string{"AF_UNIX", "AF_INET6"}, true), []made{
			{"socket", args(unix.AF_UNIX), "allow", nil},
			{"socket", args(unix.AF_INET6), "allow", nil},
			{"socket", args(unix.AF_UNSPEC), "EAFNOSUPPORT", nil},
			{"socket", args(unix.AF_INET), "EAFNOSUPPORT", nil},
			{"socket", args(unix.AF_INET | garbage), "EAFNOSUPPORT", wide},
			{"socket", args(unix.AF_PACKET), "EAFNOSUPPORT", nil},
			{"socket", args(unix.AF_VSOCK), "EAFNOSUPPORT", nil},
			{"socket", args(1 << 31), "EAFNOSUPPORT", nil},
			{"socketpair", args(unix.AF_INET), "allow", nil},
			{"socketcall", args(1), "EAFNOSUPPORT", nil},
			{"socketcall", args(3), "allow", nil},
		}},
		{"RestrictAddressFamilies=~AF_PACKET", AddressFamilies([]string{"AF_PACKET"}, false), []made{
			{"socket", args(unix.AF_PACKET), "EAFNOSUPPORT", nil},
			{"socket", args(unix.AF_PACKET | garbage), "EAFNOSUPPORT", wide},
			{"socket", args(unix.AF_INET), "allow", nil},
			{"socketcall", args(1), "EAFNOSUPPORT", nil},
			{"socketcall", args(2), "allow", nil},
		}},
		{"RestrictAddressFamilies=none", AddressFamilies(nil, true), []made{
			{"socket", args(unix.AF_UNIX), "EAFNOSUPPORT", nil},
			{"socketcall", args(1), "EAFNOSUPPORT", nil},
			{"socketcall", args(4), "allow", nil},
		}},
		{"RestrictRealtime", Realtime(), []made{
			{"sched_setscheduler", args(0, unix.SCHED_NORMAL), "allow", nil},
			{"sched_setscheduler", args(0, unix.SCHED_BATCH), "allow", nil},
			{"sched_setscheduler", args(0, unix.SCHED_IDLE), "allow", nil},
			{"sched_setscheduler", args(0, unix.SCHED_FIFO), "EPERM", nil},
			{"sched_setscheduler", args(0, unix.SCHED_RR), "EPERM", nil},
			{"sched_setscheduler", args(0, unix.SCHED_RR|garbage), "EPERM", wide},
			{"sched_setscheduler", args(0, unix.SCHED_DEADLINE), "EPERM", nil},
			{"sched_setscheduler", args(0, unix.SCHED_FIFO|0x40000000), "EPERM", nil},
			{"sched_setattr", args(0, 0), "ENOSYS", nil},
			{"sched_setparam", args(0, 0), "allow", nil},
		}},
		{"RestrictSUIDSGID", SUIDSGID(), []made{
			{"chmod", args(0, 0o755), "allow", nil},
			{"chmod", args(0, suid), "EPERM", nil},
			{"chmod", args(0, sgid|0o755), "EPERM", nil},
			{"fchmod", args(0, suid|garbage), "EPERM", wide},
			{"fchmodat", args(0, 0, sgid), "EPERM", nil},
			{"fchmodat", args(0, sgid, 0o700), "allow", nil},
			{"fchmodat2", args(0, 0, suid), "EPERM", nil},
			{"fchmodat2", args(0, 0, 0o777), "allow", nil},
			{"mkdir", args(0, sgid), "EPERM", nil},
			{"mkdirat", args(0, 0, sgid), "EPERM", nil},
			{"mknod", args(0, unix.S_IFREG|suid), "EPERM", nil},
			{"mknodat", args(0, 0, suid), "EPERM", nil},
			{"creat", args(0, suid), "EPERM", nil},
			{"open", args(0, unix.O_CREAT, suid), "EPERM", nil},
			{"open", args(0, unix.O_RDONLY, suid), "allow", nil},
			{"openat", args(0, 0, unix.O_CREAT, 0o644), "allow", nil},
			{"openat", args(0, 0, unix.O_CREAT|unix.O_EXCL, sgid), "EPERM", nil},
			{"openat", args(0, 0, 0o20000000, suid), "EPERM", nil}, // __O_TMPFILE, the same on all of them
			{"openat2", nil, "ENOSYS", nil},
		}},
		{"MemoryDenyWriteExecute", WriteExecute(), []made{
			{"mmap", args(0, 0, rwx), "EPERM", wide},
			{"mmap", args(0, 0, unix.PROT_READ|unix.PROT_EXEC), "allow", wide},
			{"mmap", args(0, 0, unix.PROT_READ), "EPERM", []string{"x86"}},
			{"mmap2", args(0, 0, rwx), "EPERM", nil},
			{"mmap2", args(0, 0, unix.PROT_READ|unix.PROT_WRITE), "allow", nil},
			{"mprotect", args(0, 0, unix.PROT_EXEC), "EPERM", nil},
			{"mprotect", args(0, 0, unix.PROT_WRITE), "allow", nil},
			{"pkey_mprotect", args(0, 0, unix.PROT_READ|unix.PROT_EXEC), "EPERM", nil},
			{"shmat", args(0, 0, 0o100000), "EPERM", nil},
			{"shmat", args(0, 0, 0o10000), "allow", nil},
			{"ipc", args(21, 0, 0o100000), "EPERM", nil},
			{"ipc", args(1<<16|21, 0, 0o100000), "EPERM", nil},
			{"ipc", args(21, 0, 0), "allow", nil},
			{"ipc", args(22, 0, 0o100000), "allow", nil},
			{"personality", args(0x0400000), "EPERM", nil},
			{"personality", args(0x80400000), "EPERM", nil},
			{"personality", args(0xfffffffe), "EPERM", nil},
			{"personality", args(0xffffffff), "allow", nil},
			{"personality", args(8), "allow", nil},
		}},
		{"LockPersonality", LockPersonality(8), []made{
			{"personality", args(8), "allow", nil},
			{"personality", args(0), "EPERM", nil},
			{"personality", args(0xffffffff), "EPERM", nil},
			{"personality", args(8 | garbage), "EPERM", wide},
		}},
		{"ProtectKernelModules", KernelModules(), []made{
			{"init_module", nil, "EPERM", nil},
			{"finit_module", nil, "EPERM", nil},
			{"delete_module", nil, "EPERM", nil},
			{"bpf", nil, "allow", nil},
		}},
		{"ProtectKernelLogs", KernelLogs(), []made{{"syslog", nil, "EPERM", nil}, {"read", nil, "allow", nil}}},
		{"ProtectClock", Clock(), []made{
			{"adjtimex", nil, "EPERM", nil},
			{"clock_adjtime", nil, "EPERM", nil},
			{"clock_settime64", nil, "EPERM", nil},
			{"settimeofday", nil, "EPERM", nil},
			{"gettimeofday", nil, "allow", nil},
		}},
		{"ProtectHostname", Hostname(), []made{
			{"sethostname", nil, "EPERM", nil},
			{"setdomainname", nil, "EPERM", nil},
			{"uname", nil, "allow", nil},
		}},
		{"PrivateDevices", RawIO(), []made{
			{"ioperm", nil, "EPERM", nil},
			{"iopl", nil, "EPERM", nil},
			{"pciconfig_read", nil, "EPERM", nil},
			{"ioctl", nil, "allow", nil},
		}},
		{"ProtectKernelTunables", Sysctl(), []made{{"_sysctl", nil, "EPERM", nil}, {"write", nil, "allow", nil}}},
		{"SystemCallArchitectures=native", Architectures([]string{"native"}), []made{
			{"getpid", nil, "allow", []string{"x86-64", "arm64"}},
			{"getpid", nil, "kill", []string{"x86", "x32", "arm"}},
		}},
		{"SystemCallArchitectures=x86 arm", Architectures([]string{"x86", "arm"}), []made{
			{"getpid", nil, "allow", []string{"x86-64", "arm64", "x86", "arm"}},
			{"getpid", nil, "kill", []string{"x32"}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { checkCalls(t, test.layers, test.calls) })
	}
}

// checkCalls makes calls on all machines.
func checkCalls(t *testing.T, layers []Layer, calls []made) {
	t.Helper()
	for _, local := range machines() {
		programs, err := compile(layers, local)
		if err != nil {
			t.Fatal(err)
		}
		tables, err := readNumbers(local)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			for _, c := range calls {
				nr, ok := table.calls[c.call]
				if c.call == "" {
					nr, ok = 600|table.bit, true
				}
				if !ok || len(c.on) > 0 && !slices.Contains(c.on, table.name) {
					continue
				}
				d := bpf.Call{Number: nr, Arch: table.audit}
				copy(d.Args[:], c.args)
				if table.name == "x86" || table.name == "arm" {
					for i := range d.Args {
						d.Args[i] &= low32
					}
				}
				if got := bpf.Show(runAll(t, programs, d)); got != c.want {
					t.Errorf("%s: %s%#x: got %s, want %s", table.name, c.call, c.args, got, c.want)
				}
			}
		}
	}
}
