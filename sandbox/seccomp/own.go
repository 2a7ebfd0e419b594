package seccomp

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// own returns the part of a program that berth makes without libseccomp. It runs
// before libseccomp's, answers the calls that parts have, and lets all others run
// into what comes after it. The way to an answer is logarithmic in their number.
//
// The kernel remembers which calls are always allowed, and runs no filter for
// them. It finds out by running the program on number and ABI alone, so these are
// compared before any argument is loaded. See the kernel's
// seccomp_is_const_allow.
func own(parts []ownPart) (instructions, error) {
	byArch := map[uint32]map[uint32]answer{} // x32 has the AUDIT_ARCH of x86-64, and other numbers
	for _, p := range parts {
		if len(p.calls) == 0 {
			continue
		}
		if byArch[p.audit] == nil {
			byArch[p.audit] = map[uint32]answer{}
		}
		maps.Copy(byArch[p.audit], p.calls)
	}
	var code instructions
	for _, arch := range slices.Backward(slices.Sorted(maps.Keys(byArch))) {
		calls := byArch[arch]
		tree, err := search(slices.Sorted(maps.Keys(calls)), calls)
		if err != nil {
			return nil, err
		}
		section := append(instructions{load(offsetNumber)}, tree...)
		section = append(section, skip(len(code)))
		code = append(unless(jumpEqual, arch, section), code...)
	}
	if len(code) == 0 {
		return nil, nil
	}
	return append(instructions{load(offsetArch)}, code...), nil
}

// ownPart are the calls of one ABI that libseccomp leaves to berth.
type ownPart struct {
	abi
	calls map[uint32]answer
}

// search finds the number that was loaded among the given ones, which are sorted,
// and answers. A number that isn't there runs through.
func search(nrs []uint32, calls map[uint32]answer) (instructions, error) {
	const linear = 4
	if len(nrs) <= linear {
		var code instructions
		for _, nr := range nrs {
			block, err := calls[nr].code()
			if err != nil {
				return nil, err
			}
			code = append(code, unless(jumpEqual, nr, block)...)
		}
		return code, nil
	}
	middle := len(nrs) / 2
	low, err := search(nrs[:middle], calls)
	if err != nil {
		return nil, err
	}
	high, err := search(nrs[middle:], calls)
	if err != nil {
		return nil, err
	}
	high = append(high, skip(len(low)))
	return append(unless(jumpOrMore, nrs[middle], high), low...), nil
}

// code returns the instructions of an answer. They return.
func (a answer) code() (instructions, error) {
	var code instructions
	for _, r := range a.rules {
		rule := instructions{returns(r.action.ret)}
		for _, c := range slices.Backward(r.args) {
			test, err := c.code(len(rule))
			if err != nil {
				return nil, err
			}
			rule = append(test, rule...)
		}
		code = append(code, rule...)
	}
	return append(code, returns(a.action.ret)), nil
}

// checkArgs returns an error for conditions that make no sense.
func checkArgs(args []Compare) error {
	for _, c := range args {
		if c.Arg > 5 {
			return fmt.Errorf("a system call has no argument %d", c.Arg)
		}
		if c.Mask != 0 && (c.Op != Equal || c.Value&^c.Mask != 0) {
			return fmt.Errorf("cannot compare argument %d with %q, %#x masked by %#x", c.Arg, c.Op, c.Value, c.Mask)
		}
		if !slices.Contains([]Op{Equal, NotEqual, Less, Greater}, c.Op) {
			return fmt.Errorf("unknown comparison %q", c.Op)
		}
	}
	return nil
}

// code returns the instructions that run through if the condition holds, and else
// jump over the rest that comes after them.
func (c Compare) code(rest int) (instructions, error) {
	low, high := load(offsetArgs+8*uint32(c.Arg)), load(offsetArgs+8*uint32(c.Arg)+4)
	lowValue, highValue := uint32(c.Value), uint32(c.Value>>32)
	const longest = 6 // instructions of one condition
	if rest+longest > 255 {
		return nil, fmt.Errorf("internal error: %d instructions of conditions on one system call", rest)
	}
	fail := uint8(rest)
	switch c.Op {
	case Equal:
		return c.equal(low, high, fail), nil
	case NotEqual:
		return instructions{high, {Code: jumpEqual, Jf: 2, K: highValue},
			low, {Code: jumpEqual, Jt: fail, K: lowValue}}, nil
	case Less:
		return instructions{high, {Code: jumpMore, Jt: fail + 3, K: highValue}, {Code: jumpEqual, Jf: 2, K: highValue},
			low, {Code: jumpOrMore, Jt: fail, K: lowValue}}, nil
	case Greater:
		return instructions{high, {Code: jumpMore, Jt: 3, K: highValue}, {Code: jumpEqual, Jf: fail + 2, K: highValue},
			low, {Code: jumpMore, Jf: fail, K: lowValue}}, nil
	}
	return nil, fmt.Errorf("internal error: unknown comparison %q", c.Op)
}

// equal compares those halves that the mask has bits of.
func (c Compare) equal(low, high unix.SockFilter, fail uint8) instructions {
	mask := c.Mask
	if mask == 0 {
		mask = 1<<64 - 1
	}
	half := func(word unix.SockFilter, mask, value uint32, fail uint8) instructions {
		switch mask {
		case 0:
			return nil
		case 1<<32 - 1:
			return instructions{word, {Code: jumpEqual, Jf: fail, K: value}}
		}
		return instructions{word, {Code: andConst, K: mask}, {Code: jumpEqual, Jf: fail, K: value}}
	}
	second := half(low, uint32(mask), uint32(c.Value), fail)
	first := half(high, uint32(mask>>32), uint32(c.Value>>32), fail+uint8(len(second)))
	return append(first, second...)
}
