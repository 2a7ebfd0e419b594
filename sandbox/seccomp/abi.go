package seccomp

import (
	_ "embed"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	libseccomp "github.com/seccomp/libseccomp-golang"

	"berth/internal/nearest"
)

// callTable has the numbers of system calls, one call a line.
//
//go:embed calls.txt
var callTable string

// abi is a way into the kernel with its own numbers of system calls.
type abi struct {
	name  string // as SystemCallArchitectures= has it
	audit uint32 // AUDIT_ARCH_*, of the kernel's linux/audit.h
	bit   uint32 // set in each of its numbers
	lib   libseccomp.ScmpArch
}

// abis returns all ABIs that berth knows, in the order of the columns of
// calls.txt.
func abis() []abi {
	return []abi{
		{"x86-64", 0xc000003e, 0, libseccomp.ArchAMD64},
		{"x32", 0xc000003e, 0x40000000, libseccomp.ArchX32}, // __X32_SYSCALL_BIT
		{"x86", 0x40000003, 0, libseccomp.ArchX86},
		{"arm64", 0xc00000b7, 0, libseccomp.ArchARM64},
		{"arm", 0x40000028, 0, libseccomp.ArchARM},
	}
}

// localABIs returns the ABIs that a kernel accepts from the programs of this
// machine, the native one first. A kernel may be built without some of them.
func localABIs() ([]abi, error) {
	all := abis()
	switch runtime.GOARCH {
	case "amd64":
		return all[:3], nil
	case "arm64":
		return all[3:], nil
	}
	return nil, fmt.Errorf("cannot filter system calls on %s: their numbers aren't known", runtime.GOARCH)
}

// architectures are the words of SystemCallArchitectures=, of systemd 262. Those
// that are not of this machine have no effect.
const architectures = "native x86 x86-64 x32 arm arm64 loongarch64 mips mips64 mips64-n32 mips-le " +
	"mips64-le mips64-le-n32 parisc parisc64 ppc ppc64 ppc64-le riscv64 s390 s390x"

// CheckArchitecture returns an error for a name that SystemCallArchitectures=
// doesn't take.
func CheckArchitecture(name string) error {
	known := strings.Fields(architectures)
	if slices.Contains(known, name) {
		return nil
	}
	return unknown("architecture", name, known)
}

// unknown is an error for a name that isn't among the known ones.
func unknown(what, name string, known []string) error {
	if near, ok := nearest.Word(name, known); ok {
		return fmt.Errorf("unknown %s %q, did you mean %q?", what, name, near)
	}
	return fmt.Errorf("unknown %s %q", what, name)
}

// numbered is an ABI with its system calls: by their names the numbers, with the
// ABI's bit in them.
type numbered struct {
	abi
	calls map[string]uint32
}

// readNumbers reads the numbers of ABIs out of calls.txt: of some calls, or with
// none named of all.
func readNumbers(abis []abi, some ...string) ([]numbered, error) {
	tables := make([]numbered, len(abis))
	columns := make([]int, len(abis))
	for i, a := range abis {
		tables[i] = numbered{a, map[string]uint32{}}
	}
	for line := range strings.Lines(callTable) {
		name, _, _ := strings.Cut(line, " ")
		if name == "#" || name != "name" && len(some) > 0 && !slices.Contains(some, name) {
			continue
		}
		fields := strings.Fields(line)
		for i, a := range abis {
			if name == "name" {
				columns[i] = slices.Index(fields, a.name)
				continue
			}
			field := fields[columns[i]]
			if field == "-" {
				continue
			}
			nr, err := strconv.ParseUint(field, 10, 30)
			if err != nil {
				return nil, fmt.Errorf("internal error: calls.txt: %q: %w", line, err)
			}
			tables[i].calls[name] = uint32(nr) | a.bit
		}
	}
	return tables, nil
}

// hasNumber tells whether some ABI has a system call of that name.
func hasNumber(name string) bool {
	return name != "name" && name != "#" && strings.Contains(callTable, "\n"+name+" ")
}

// allCalls returns the names of all system calls that some ABI has, sorted.
func allCalls() []string {
	names := make([]string, 0, strings.Count(callTable, "\n"))
	for line := range strings.Lines(callTable) {
		name, _, _ := strings.Cut(line, " ")
		if name != "#" && name != "name" {
			names = append(names, name)
		}
	}
	return names
}
