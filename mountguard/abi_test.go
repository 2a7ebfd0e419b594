package mountguard

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// numbersOf reads the numbers of all calls that the filters of system calls know:
// name → ABI → number. They were compared with libseccomp's and the kernel's.
func numbersOf(t *testing.T) map[string]map[string]uint32 {
	t.Helper()
	text, err := os.ReadFile("../sandbox/seccomp/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	var abis []string
	numbers := map[string]map[string]uint32{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch fields[0] {
		case "#":
		case "name":
			abis = fields
		default:
			numbers[fields[0]] = map[string]uint32{}
			for i, field := range fields[1:] {
				if nr, err := strconv.ParseUint(field, 10, 32); err == nil {
					numbers[fields[0]][abis[1+i]] = uint32(nr)
				}
			}
		}
	}
	return numbers
}

func TestNumbers(t *testing.T) {
	all := numbersOf(t)
	columns := map[string]uint32{"x86-64": archAMD64, "x32": archAMD64, "x86": archI386, "arm64": archARM64, "arm": archARM}
	for _, call := range calls() {
		want, ok := all[call.name]
		if !ok {
			t.Errorf("nobody else knows %s", call.name)
		}
		for column, arch := range columns {
			a, _ := abiOf(arch)
			nr, has := want[column]
			if !has {
				nr = absent
			}
			if got := a.number(call); got != nr {
				t.Errorf("%s on %s has number %d, want %d", call.name, column, got, nr)
			}
		}
	}
}

// Every number of every ABI has its name, and no other number has one.
func TestCallName(t *testing.T) {
	var names []string
	for _, call := range calls() {
		names = append(names, call.name)
	}
	columns := []struct {
		name string
		arch uint32
		bit  uint32
	}{
		{"x86-64", archAMD64, 0}, {"x32", archAMD64, x32Bit}, {"x86", archI386, 0}, {"arm64", archARM64, 0}, {"arm", archARM, 0},
	}
	all := numbersOf(t)
	for _, c := range columns {
		a, _ := abiOf(c.arch)
		byNumber := map[uint32]string{}
		for name, numbers := range all {
			if nr, ok := numbers[c.name]; ok && slices.Contains(names, name) {
				byNumber[nr] = name
			}
		}
		for nr := range uint32(1024) {
			if got := a.callName(int32(nr | c.bit)); got != byNumber[nr] {
				t.Errorf("%s: %d is %q, want %q", c.name, nr, got, byNumber[nr])
			}
		}
	}
}
