package seccomp

import (
	"fmt"
	"slices"
)

// program is what one BPF program is to do: the answers of one or more layers,
// for each ABI.
type program struct {
	name    string
	abis    []judged
	foreign ranked // the answer to calls of all other ABIs
}

// judged is an ABI with the answers to its calls.
type judged struct {
	abi
	calls   map[uint32]answer // by number, for all that have a name
	unknown ranked            // the answer to all other numbers
}

// answer is what happens to one system call: what the first of the rules says
// that holds, or else the action.
type answer struct {
	rules  []conditional // the strictest first
	action ranked
}

// conditional is an action on a condition.
type conditional struct {
	args   []Compare
	action ranked
}

// ranked is a value to return to the kernel, with its place: what a layer says is
// placed before what later layers say, and its defaults before its rules.
type ranked struct {
	ret   uint32
	place int
}

// over tells whether the kernel takes r rather than s.
func (r ranked) over(s ranked) bool {
	return stricter(r.ret, s.ret) || !stricter(s.ret, r.ret) && r.place > s.place
}

// over returns that of two answers which the kernel takes.
func over(r, s ranked) ranked {
	if r.over(s) {
		return r
	}
	return s
}

// merge makes programs of layers: one, but for two cases. A layer with a call that
// it allows on a condition and otherwise doesn't has its own program, as that
// can't be put as a list of conditions with another's; so have layers that differ
// between ABIs in what they do with unknown calls, as libseccomp has no such
// filters.
func merge(layers []Layer, local []numbered) ([]program, error) {
	var programs []program
	last := -1 // the program that takes further layers
	for i, l := range layers {
		p, err := judge(l, i, local)
		if err != nil {
			return nil, fmt.Errorf("cannot filter system calls for %s: %w", l.Name, err)
		}
		if last >= 0 && !p.opens() {
			if both := programs[last].and(p); both.uniform() {
				programs[last] = both
				continue
			}
		}
		programs, last = append(programs, p), len(programs)
		if p.opens() {
			last = -1
		}
	}
	return programs, nil
}

// uniform tells whether a program has one answer to numbers that no ABI has a
// name for, as far as an ABI isn't treated as a foreign one altogether.
func (p program) uniform() bool {
	others := map[uint32]bool{}
	for _, j := range p.abis {
		if ret, same := j.same(); !same || ret != p.foreign.ret {
			others[j.unknown.ret] = true
		}
	}
	return len(others) <= 1
}

// judge makes the program of the layer that is the nth.
func judge(l Layer, n int, local []numbered) (program, error) {
	foreign, err := l.Foreign.ret()
	if err != nil {
		return program{}, err
	}
	p := program{name: l.Name, foreign: ranked{foreign, 2 * n}}
	for i, a := range local {
		var j judged
		if l.concerns(a.abi, i == 0) {
			j, err = l.judge(a, 2*n)
		} else {
			j = closed(a, p.foreign)
		}
		if err != nil {
			return program{}, err
		}
		p.abis = append(p.abis, j)
	}
	return p, nil
}

// concerns tells whether the layer holds for an ABI.
func (l Layer) concerns(a abi, native bool) bool {
	return len(l.Archs) == 0 || slices.Contains(l.Archs, a.name) || native && slices.Contains(l.Archs, "native")
}

// closed gives all calls of an ABI the same answer.
func closed(a numbered, r ranked) judged {
	j := judged{abi: a.abi, calls: map[uint32]answer{}, unknown: r}
	for _, nr := range a.calls {
		j.calls[nr] = answer{action: r}
	}
	return j
}

// judge makes the answers of a layer to the calls of an ABI.
func (l Layer) judge(a numbered, place int) (judged, error) {
	unknown, err := l.Unknown.ret()
	if err != nil {
		return judged{}, err
	}
	otherwise, err := l.Default.ret()
	if err != nil {
		return judged{}, err
	}
	j := closed(a, ranked{otherwise, place})
	j.unknown = ranked{unknown, place}
	for _, r := range slices.Concat(l.Rules, multiplexed(l, a.abi)) {
		nr, ok := a.calls[r.Call]
		if !ok {
			continue
		}
		ret, err := r.Action.ret()
		if err == nil {
			err = checkArgs(r.Args)
		}
		if err != nil {
			return judged{}, fmt.Errorf("%s: %w", r.Call, err)
		}
		j.calls[nr] = j.calls[nr].with(r.Args, ranked{ret, place + 1})
	}
	return j, nil
}

// with returns an answer after one more rule of the same layer.
func (a answer) with(args []Compare, action ranked) answer {
	if len(args) > 0 {
		rule := conditional{args, action}
		if a.action.place < action.place || action.over(a.action) {
			a.rules = sortRules(append(a.rules, rule))
		}
		return a
	}
	// The first rule without arguments takes the place of the default.
	if a.action.place < action.place || action.over(a.action) {
		a.action = action
	}
	a.rules = a.rulesOver(a.action)
	return a
}

// rulesOver returns the rules that the kernel takes rather than an action.
func (a answer) rulesOver(action ranked) []conditional {
	var over []conditional
	for _, r := range a.rules {
		if r.action.over(action) {
			over = append(over, r)
		}
	}
	return over
}

// sortRules puts the rule first that the kernel takes first.
func sortRules(rules []conditional) []conditional {
	slices.SortStableFunc(rules, func(c, d conditional) int {
		switch {
		case c.action.over(d.action):
			return -1
		case d.action.over(c.action):
			return 1
		}
		return 0
	})
	return rules
}

// opens tells whether a call is answered less strictly on a condition.
func (p program) opens() bool {
	for _, j := range p.abis {
		for _, a := range j.calls {
			for _, r := range a.rules {
				if stricter(a.action.ret, r.action.ret) {
					return true
				}
			}
		}
	}
	return false
}

// and returns a program that answers each call as the kernel would if it had p
// and the later q.
func (p program) and(q program) program {
	merged := program{name: p.name + ", " + q.name, foreign: over(p.foreign, q.foreign)}
	for i, a := range p.abis {
		merged.abis = append(merged.abis, a.and(q.abis[i]))
	}
	return merged
}

func (j judged) and(k judged) judged {
	merged := judged{abi: j.abi, calls: map[uint32]answer{}, unknown: over(j.unknown, k.unknown)}
	for nr, a := range j.calls {
		b := k.calls[nr]
		action := over(a.action, b.action)
		rules := sortRules(slices.Concat(a.rulesOver(action), b.rulesOver(action)))
		merged.calls[nr] = answer{rules, action}
	}
	return merged
}

// same tells whether all calls of an ABI get one answer, and which.
func (j judged) same() (uint32, bool) {
	for _, a := range j.calls {
		if len(a.rules) > 0 || a.action.ret != j.unknown.ret {
			return 0, false
		}
	}
	return j.unknown.ret, true
}
