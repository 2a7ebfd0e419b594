package seccomp

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"berth/test/bpf"
	"berth/test/require"
)

// harmless are calls that do no harm where they are allowed, with arguments that
// settings look at.
func harmless() []made {
	return []made{
		{call: "getpid"}, {call: "getppid"}, {call: "uname"}, {call: "socket", args: args(1, 1, 0)},
		{call: "socket", args: args(2, 1, 0)}, {call: "socket", args: args(0x100000011, 3, 0)}, {call: "socketcall", args: args(1, 0)},
		{call: "socketcall", args: args(99, 0)}, {call: "ipc", args: args(21, 0, 0o100000)}, {call: "unshare", args: args(0x10000000)},
		{call: "unshare", args: args(0x80)}, {call: "setns", args: args(1<<64 - 1)}, {call: "setns", args: args(1<<64-1, 0x40000000)},
		{call: "clone3"}, {call: "personality", args: args(0xffffffff)}, {call: "personality", args: args(0x400000)},
		{call: "sched_setscheduler", args: args(0, 1)}, {call: "sched_setscheduler", args: args(0, 0)}, {call: "sched_setattr"},
		{call: "chmod", args: args(0, 0o4755)}, {call: "chmod", args: args(0, 0o755)}, {call: "fchmodat2", args: args(99, 0, 0o2000)},
		{call: "openat", args: args(99, 0, 0o100, 0o4755)}, {call: "openat", args: args(99, 0, 0o100, 0o755)}, {call: "openat2"},
		{call: "mmap", args: args(0, 4096, 7, 0x22, 1<<64-1)}, {call: "mmap2", args: args(0, 4096, 7, 0x22, 1<<64-1)},
		{call: "mprotect", args: args(0, 0, 4)}, {call: "shmat", args: args(1<<64-1, 0, 0o100000)}, {call: "syslog", args: args(99)},
		{call: "sethostname", args: args(0, 1<<64-1)}, {call: "delete_module"}, {call: "clock_settime", args: args(99)},
		{call: "mseal"}, {call: "listns"}, {call: "fchroot"}, {call: "file_getattr"}, {call: "statmount"}, {call: "umount"},
		{call: "open"}, {call: "stat64"}, {call: "rt_sigaction"}, {call: ""},
	}
}

// TestKernel makes calls under filters that the kernel runs, through every ABI
// that it has, and compares with what the interpreter says.
func TestKernel(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the program that makes the calls is for x86-64")
	}
	gcc, err := exec.LookPath("gcc")
	require.That(t, err == nil, "gcc")
	caller := filepath.Join(t.TempDir(), "caller")
	if out, err := exec.Command(gcc, "-static", "-O1", "-o", caller, "testdata/caller.c").CombinedOutput(); err != nil {
		t.Fatalf("cannot build the program that makes the calls: %v\n%s", err, out)
	}
	tests := map[string][]Layer{
		"RestrictNamespaces":       Namespaces(0),
		"RestrictNamespaces=~user": Namespaces(^uint64(0x10000000)),
		"RestrictAddressFamilies":  AddressFamilies([]string{"AF_UNIX"}, true),
		"RestrictAddressFamilies~": AddressFamilies([]string{"AF_PACKET"}, false),
		"RestrictRealtime":         Realtime(),
		"RestrictSUIDSGID":         SUIDSGID(),
		"MemoryDenyWriteExecute":   WriteExecute(),
		"LockPersonality":          LockPersonality(0),
		"ProtectHostname":          Hostname(),
		"SystemCallArchitectures":  Architectures([]string{"native"}),
		"SystemCallFilter":         Calls(entries(false, "@system-service"), "EXDEV", 257),
		"SystemCallFilter killing": Calls(entries(false, "@basic-io"), Kill, 262),
		"SystemCallFilter~":        Calls(entries(true, "@network-io", "@ipc", "fchroot", "mseal"), "EXDEV", 262),
		"SystemCallLog":            LogCalls(entries(false, "getpid"), 257),
		"all of them":              strictLayers(),
	}
	local := abis()[:3]
	tables, err := readNumbers(local)
	if err != nil {
		t.Fatal(err)
	}
	var input strings.Builder
	var asked []bpf.Call
	for _, table := range tables {
		for _, c := range harmless() {
			nr, ok := table.calls[c.call]
			if c.call == "" {
				nr, ok = 600|table.bit, true
			}
			if !ok {
				continue
			}
			d := bpf.Call{Number: nr, Arch: table.audit}
			copy(d.Args[:], c.args)
			fmt.Fprintf(&input, "%s %x %x %x %x %x %x\n", table.name, nr, d.Args[0], d.Args[1], d.Args[2], d.Args[3], d.Args[4])
			if table.name == "x86" {
				for i := range d.Args {
					d.Args[i] &= low32
				}
			}
			asked = append(asked, d)
		}
	}
	free := callUnder(t, caller, "-", input.String())
	for name, layers := range tests {
		t.Run(name, func(t *testing.T) {
			programs, err := Compile(layers)
			if err != nil || len(programs) != 1 {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "filter")
			if err := os.WriteFile(file, programs[0].Code, 0o600); err != nil {
				t.Fatal(err)
			}
			got := callUnder(t, caller, file, input.String())
			for i, d := range asked {
				want := free[i]
				switch ret := runAll(t, programs, d); {
				case free[i] == "killed": // the kernel has no such ABI
					continue
				case ret == retKill:
					want = "killed"
				case ret&^retData == retErrno:
					want = fmt.Sprintf("-%d", ret&retData)
				}
				if got[i] != want {
					t.Errorf("arch %x, number %d, %#x: got %s, want %s", d.Arch, d.Number, d.Args, got[i], want)
				}
			}
		})
	}
}

// callUnder returns what came of each call.
func callUnder(t *testing.T, caller, filter, input string) []string {
	t.Helper()
	cmd := exec.Command(caller, filter)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	return strings.Fields(string(out))
}

func TestValidate(t *testing.T) {
	programs, err := Compile(strictLayers())
	if err != nil {
		t.Fatal(err)
	}
	if err := Validate(programs); err != nil {
		t.Error(err)
	}
	// A filter that kills at each call doesn't, here.
	if err := Validate([]Program{{Name: "kill", Code: instructions{returns(retKill)}.bytes()}}); err != nil {
		t.Error(err)
	}
	broken := map[string]instructions{
		"no return":           {load(0)},
		"a jump off the end":  {skip(3), returns(retAllow)},
		"a load past the end": {load(64), returns(retAllow)},
		"a load between":      {load(2), returns(retAllow)},
		"an unknown action":   {returns(0x12340000)},
	}
	for name, code := range broken {
		if err := Validate([]Program{{Name: name, Code: code.bytes()}}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	for name, code := range map[string][]byte{"nothing": nil, "half an instruction": {6, 0, 0, 0}} {
		if err := Validate([]Program{{Name: name, Code: code}}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
