package seccomp

import "strings"

// Numbers are the system calls of an ABI.
type Numbers struct {
	ABI   string         // as SystemCallArchitectures= names it
	Calls map[string]int // the numbers by the names
}

// LocalNumbers returns the system calls of the ABIs that a kernel may accept from
// the programs of this machine, the native one first. What marks a whole ABI, as
// x32 does with a bit, isn't in the numbers.
func LocalNumbers() ([]Numbers, error) {
	local, err := localABIs()
	if err != nil {
		return nil, err
	}
	tables, err := readNumbers(local)
	if err != nil {
		return nil, err
	}
	all := make([]Numbers, len(tables))
	for i, t := range tables {
		all[i] = Numbers{t.name, make(map[string]int, len(t.calls))}
		for name, nr := range t.calls {
			all[i].Calls[name] = int(nr &^ t.bit)
		}
	}
	return all, nil
}

// FamilyName returns the usual name of an address family, and false for a number
// that has none here.
func FamilyName(number int) (string, bool) {
	all := strings.Fields(families)
	if number < 1 || number > len(all) {
		return "", false
	}
	name, _, _ := strings.Cut(all[number-1], "/")
	return name, true
}
