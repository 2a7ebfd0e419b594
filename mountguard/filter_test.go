package mountguard

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"berth/internal/kernel"
	"berth/test/bpf"
	"berth/test/require"
)

func TestTraps(t *testing.T) {
	all := []string{"fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree_attr", "pivot_root", "umount", "umount2"}
	cases := []struct {
		name   string
		policy Policy
		want   []string
	}{
		{"disabled", Policy{KeepProc: true}, nil},
		{"enabled", Policy{Enabled: true, Remounts: true, Unmounts: true}, all},
		{"keeping /proc", Policy{Enabled: true, KeepProc: true}, append([]string{"fsconfig"}, all...)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Traps(c.policy)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// machines are the architectures of each kind of machine, and how a call gets to a
// kernel of it.
var machines = []struct {
	name  string
	archs []uint32
	abis  []machineABI
}{
	{"amd64", []uint32{archAMD64, archI386}, []machineABI{{"x86-64", archAMD64, 0}, {"x32", archAMD64, x32Bit}, {"x86", archI386, 0}}},
	{"arm64", []uint32{archARM64, archARM}, []machineABI{{"arm64", archARM64, 0}, {"arm", archARM, 0}}},
}

type machineABI struct {
	name      string
	arch, bit uint32
}

// Each number of each ABI, and what the filter makes of it.
func TestFilter(t *testing.T) {
	all := numbersOf(t)
	for _, m := range machines {
		for _, p := range []Policy{{Enabled: true}, {Enabled: true, KeepProc: true}} {
			t.Run(fmt.Sprintf("%s, KeepProc %v", m.name, p.KeepProc), func(t *testing.T) {
				program := filter(Traps(p), m.archs).bytes()
				for _, a := range m.abis {
					byNumber := map[uint32]string{}
					for name, numbers := range all {
						if nr, ok := numbers[a.name]; ok && slices.Contains(Traps(p), name) {
							byNumber[nr] = name
						}
					}
					if len(byNumber) < 9 {
						t.Fatalf("%s: only %d calls", a.name, len(byNumber))
					}
					for nr := range uint32(1024) {
						want := "allow"
						if byNumber[nr] != "" {
							want = "notify"
						}
						// As it would be to mount a file system, or to reconfigure one.
						call := bpf.Call{Arch: a.arch, Number: nr | a.bit, Args: [6]uint64{1: 7}}
						if got := run(t, program, call); got != want {
							t.Errorf("%s: %s (%d): %s, want %s", a.name, byNumber[nr], nr, got, want)
						}
					}
				}
				for _, arch := range []uint32{0, 0x80000016, 0xc00000f3, ^uint32(0)} {
					for nr := range uint32(1024) {
						if got := run(t, program, bpf.Call{Arch: arch, Number: nr}); got != "allow" {
							t.Errorf("architecture %#x: %d: %s", arch, nr, got)
						}
					}
				}
			})
		}
	}
}

func run(t *testing.T, program []byte, call bpf.Call) string {
	t.Helper()
	ret, err := bpf.Run(program, call)
	if err != nil {
		t.Fatal(err)
	}
	return bpf.Show(ret)
}

// What the filter lets through is what Judge always lets through, and nothing that
// a register's upper half hides.
func TestFilterArguments(t *testing.T) {
	const high = 0xffffffff_00000000
	cases := []struct {
		name string
		call string
		args [6]uint64
		want string
	}{
		{"bind", "mount", [6]uint64{3: unix.MS_BIND}, "allow"},
		{"recursive bind", "mount", [6]uint64{3: unix.MS_BIND | unix.MS_REC | unix.MS_RDONLY | unix.MS_MOVE}, "allow"},
		{"private", "mount", [6]uint64{3: unix.MS_PRIVATE | unix.MS_REC | unix.MS_SILENT}, "allow"},
		{"shared", "mount", [6]uint64{3: unix.MS_SHARED}, "allow"},
		{"slave", "mount", [6]uint64{3: unix.MS_SLAVE}, "allow"},
		{"unbindable", "mount", [6]uint64{3: unix.MS_UNBINDABLE | unix.MS_MOVE}, "allow"},
		{"bind that the kernel refuses", "mount", [6]uint64{3: unix.MS_BIND | high}, "allow"},
		{"new", "mount", [6]uint64{}, "notify"},
		{"new, with attributes", "mount", [6]uint64{3: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_RELATIME}, "notify"},
		{"new, refused", "mount", [6]uint64{3: high}, "notify"},
		{"move", "mount", [6]uint64{3: unix.MS_MOVE | unix.MS_REC}, "notify"},
		{"remount", "mount", [6]uint64{3: unix.MS_REMOUNT}, "notify"},
		{"remount and bind", "mount", [6]uint64{3: unix.MS_REMOUNT | unix.MS_BIND}, "notify"},
		{"remount and private", "mount", [6]uint64{3: unix.MS_REMOUNT | unix.MS_PRIVATE}, "notify"},
		{"magic", "mount", [6]uint64{3: magicValue}, "notify"},
		{"magic and move", "mount", [6]uint64{3: magicValue | unix.MS_MOVE | high}, "notify"},
		{"magic and bind", "mount", [6]uint64{3: magicValue | unix.MS_BIND}, "notify"},
		{"flags elsewhere", "mount", [6]uint64{0: unix.MS_BIND, 1: unix.MS_BIND, 2: unix.MS_BIND, 4: unix.MS_BIND}, "notify"},
		{"reconfigure", "fsconfig", [6]uint64{1: 7}, "notify"},
		{"reconfigure, upper half", "fsconfig", [6]uint64{1: 7 | high}, "notify"},
		{"create", "fsconfig", [6]uint64{1: 6}, "allow"},
		{"set a flag", "fsconfig", [6]uint64{0: 7, 1: 0, 2: 7}, "allow"},
	}
	for _, m := range machines {
		program := filter(Traps(Policy{Enabled: true, KeepProc: true}), m.archs).bytes()
		for _, a := range m.abis {
			for _, c := range cases {
				t.Run(a.name+", "+c.call+": "+c.name, func(t *testing.T) {
					call := bpf.Call{Arch: a.arch, Number: uint32(numberOf(t, a.arch, c.call)) | a.bit, Args: c.args}
					got := run(t, program, call)
					if got != c.want {
						t.Errorf("%s, want %s", got, c.want)
					}
					if got == "notify" {
						return
					}
					decoded, err := Decode(a.arch, int32(call.Number), c.args, ram{})
					if c.call == "mount" && err == nil && decoded.Operation != Bind && decoded.Operation != Propagation {
						t.Errorf("nobody sees a %s", decoded.Operation)
					}
				})
			}
		}
	}
}

// The kernel may remember each other call as allowed.
func TestFilterIsConstant(t *testing.T) {
	for _, m := range machines {
		program := filter(Traps(Policy{Enabled: true, KeepProc: true}), m.archs)
		for _, a := range m.abis {
			for nr := range uint32(1024) {
				abi, _ := abiOf(a.arch)
				want := abi.callName(int32(nr|a.bit)) == ""
				if got := constantAllow(t, program, a.arch, nr|a.bit); got != want {
					t.Errorf("%s: %d is allowed by its number: %v, want %v", a.name, nr, got, want)
				}
			}
		}
	}
}

// constantAllow runs a program as the kernel's seccomp_is_const_allow does.
func constantAllow(t *testing.T, program instructions, arch, nr uint32) bool {
	t.Helper()
	var value uint32
	for pc := 0; pc < len(program); pc++ {
		i := program[pc]
		jumps := false
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			switch i.K {
			case offsetNumber:
				value = nr
			case offsetArch:
				value = arch
			default:
				return false
			}
			continue
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			value &= i.K
			continue
		case unix.BPF_RET | unix.BPF_K:
			return i.K == answerAllow
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jumps = value == i.K
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jumps = value&i.K != 0
		default:
			return false
		}
		if jumps {
			pc += int(i.Jt)
		} else {
			pc += int(i.Jf)
		}
	}
	t.Fatal("the program ends without a return")
	return false
}

// The kernel takes it, for a thread of the test's own: a listener isn't needed for
// that.
func TestFilterLoads(t *testing.T) {
	program, err := Filter(Policy{Enabled: true, KeepProc: true})
	require.That(t, err == nil, fmt.Sprintf("an architecture that mountguard knows (%v)", err))
	if err := kernel.TryFilter(program); err != nil {
		t.Error(err)
	}
	if disabled, err := Filter(Policy{}); err != nil || disabled != nil {
		t.Errorf("disabled: %d bytes, %v", len(disabled), err)
	}
	if size := len(program) / binary.Size(bpf.Instruction{}); size > 100 {
		t.Errorf("%d instructions", size)
	}
}
