package seccomp

import (
	"fmt"
	"maps"
	"slices"
)

// Reachable returns those of some system calls that layers let through on some
// ABI of this machine, be it with certain arguments only. The others are denied
// for sure: a later filter that notifies of them never gets to see one.
func Reachable(layers []Layer, calls []string) ([]string, error) {
	for _, call := range calls {
		if !hasNumber(call) {
			return nil, fmt.Errorf("internal error: unknown system call %q", call)
		}
	}
	if len(calls) == 0 {
		return nil, nil
	}
	local, err := localABIs()
	if err != nil {
		return nil, err
	}
	tables, err := readNumbers(local, calls...)
	if err != nil {
		return nil, err
	}
	layers = about(layers, calls)
	reached := map[string]bool{}
	for i, table := range tables {
		maps.DeleteFunc(table.calls, func(call string, _ uint32) bool { return reached[call] })
		open, err := table.open(layers, i == 0)
		if err != nil {
			return nil, err
		}
		for _, call := range open {
			reached[call] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(calls), func(call string) bool { return !reached[call] }), nil
}

// about leaves only the rules for some calls. Those that stand for others, of
// which multiplexed has more, are conditions that deny: no call becomes
// unreachable by one.
func about(layers []Layer, calls []string) []Layer {
	less := slices.Clone(layers)
	for i, l := range less {
		less[i].Rules = nil
		for _, r := range l.Rules {
			if slices.Contains(calls, r.Call) {
				less[i].Rules = append(less[i].Rules, r)
			}
		}
	}
	return less
}

// open returns the calls of an ABI that no layer denies for sure.
func (n numbered) open(layers []Layer, native bool) ([]string, error) {
	for _, l := range layers {
		if len(n.calls) == 0 {
			break
		}
		foreign, err := l.Foreign.ret()
		if err != nil {
			return nil, err
		}
		j := closed(n, ranked{ret: foreign})
		if l.concerns(n.abi, native) {
			if j, err = l.judge(n, 0); err != nil {
				return nil, fmt.Errorf("%s: %w", l.Name, err)
			}
		}
		maps.DeleteFunc(n.calls, func(_ string, nr uint32) bool { return j.calls[nr].denies() })
	}
	return slices.Collect(maps.Keys(n.calls)), nil
}

// denies tells whether an answer is an errno or the end in any case. The kernel
// takes either rather than a notification.
func (a answer) denies() bool {
	return stricter(a.action.ret, retNotify) &&
		!slices.ContainsFunc(a.rules, func(r conditional) bool { return !stricter(r.action.ret, retNotify) })
}
