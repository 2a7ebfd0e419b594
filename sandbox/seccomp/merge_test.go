package seccomp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"berth/test/bpf"
)

// judgeCall is what Layer promises, said a second time: the answer of one layer.
func judgeCall(l Layer, table named, native bool, d bpf.Call) uint32 {
	ret := func(a Action) uint32 {
		r, err := a.ret()
		if err != nil {
			panic(err)
		}
		return r
	}
	if len(l.Archs) > 0 && !slices.Contains(l.Archs, table.abi.name) && !(native && slices.Contains(l.Archs, "native")) {
		return ret(l.Foreign)
	}
	name, ok := table.name(d.Number)
	if !ok {
		return ret(l.Unknown)
	}
	answer, found := ret(l.Default), false
	for _, conditions := range []bool{false, true} {
		for _, r := range slices.Concat(l.Rules, multiplexed(l, table.abi)) {
			if r.Call != name || len(r.Args) > 0 != conditions || !holds(r.Args, d) {
				continue
			}
			if !found || stricter(ret(r.Action), answer) {
				answer, found = ret(r.Action), true
			}
		}
	}
	return answer
}

// named is an ABI that knows the names of its calls as well.
type named struct {
	numbered
	names map[uint32]string
}

func (n named) name(nr uint32) (string, bool) {
	name, ok := n.names[nr]
	return name, ok
}

func nameCalls(n numbered) named {
	names := map[uint32]string{}
	for name, nr := range n.calls {
		names[nr] = name
	}
	return named{n, names}
}

func holds(args []Compare, d bpf.Call) bool {
	for _, c := range args {
		a := d.Args[c.Arg]
		switch {
		case c.Op == Equal && c.Mask != 0 && a&c.Mask != c.Value,
			c.Op == Equal && c.Mask == 0 && a != c.Value,
			c.Op == NotEqual && a == c.Value,
			c.Op == Less && a >= c.Value,
			c.Op == Greater && a <= c.Value:
			return false
		}
	}
	return true
}

// judgeAll is what the kernel makes of the answers of layers, each a filter of its
// own: the strictest, and of equally strict ones the last.
func judgeAll(layers []Layer, table named, native bool, d bpf.Call) uint32 {
	result := uint32(retAllow)
	for _, l := range layers {
		if ret := judgeCall(l, table, native, d); !stricter(result, ret) {
			result = ret
		}
	}
	return result
}

// someLayers draws a few layers, as settings make them and of all other kinds.
func someLayers(r *rand.Rand) []Layer {
	pick := [][]Layer{
		Namespaces(0), Namespaces(unix.CLONE_NEWUSER), Realtime(), SUIDSGID(), WriteExecute(), LockPersonality(0),
		KernelModules(), KernelLogs(), Clock(), Hostname(), RawIO(), Sysctl(),
		AddressFamilies([]string{"AF_UNIX", "AF_NETLINK"}, true), AddressFamilies([]string{"AF_VSOCK"}, false),
		Calls([]Entry{{Name: "@system-service"}, {Deny: true, Name: "@privileged", Action: "EACCES"}}, "EPERM", 257),
		Calls([]Entry{{Name: "@basic-io"}, {Name: "socket"}}, Kill, 252),
		Calls([]Entry{{Deny: true, Name: "@network-io"}, {Deny: true, Name: "shmat", Action: "ENOTTY"}}, "EPERM", 262),
		LogCalls([]Entry{{Name: "@network-io"}}, 257), LogCalls([]Entry{{Deny: true, Name: "@file-system"}}, 257),
		Architectures([]string{"native"}), Architectures([]string{"x86", "arm"}),
		{randomLayer(r)}, {randomLayer(r)}, {randomLayer(r)},
	}
	var layers []Layer
	for range 1 + r.IntN(7) {
		layers = append(layers, pick[r.IntN(len(pick))]...)
	}
	return layers
}

func randomLayer(r *rand.Rand) Layer {
	action := func() Action {
		return []Action{Allow, Allow, Allow, Log, Kill, "EPERM", "ENOSYS", "EINTR", "0"}[r.IntN(9)]
	}
	l := Layer{Name: "random", Default: action(), Unknown: action(), Foreign: action()}
	if r.IntN(3) == 0 {
		l.Archs = []string{[]string{"native", "x32", "arm", "x86"}[r.IntN(4)]}
	}
	calls := []string{"clone", "socket", "socketcall", "shmat", "ipc", "openat", "fchmodat2", "listns", "read", "mmap", "clone3"}
	for range r.IntN(12) {
		rule := Rule{Call: calls[r.IntN(len(calls))], Action: action()}
		for range r.IntN(3) {
			c := Compare{Arg: uint(r.IntN(6)), Value: interesting(r), Op: []Op{Equal, NotEqual, Less, Greater}[r.IntN(4)]}
			if c.Op == Equal && r.IntN(2) == 0 {
				c.Mask = c.Value | interesting(r)
			}
			rule.Args = append(rule.Args, c)
		}
		l.Rules = append(l.Rules, rule)
	}
	return l
}

// interesting draws a value of an argument, small, with few bits, or of 64 bits.
func interesting(r *rand.Rand) uint64 {
	switch r.IntN(4) {
	case 0:
		return uint64(r.IntN(4))
	case 1:
		bit := uint64(1) << r.IntN(64)
		return bit | 1<<r.IntN(64)
	case 2:
		return r.Uint64()
	}
	return uint64(r.IntN(4)) << 32
}

// argsFor draws arguments near those that the layers look at.
func argsFor(r *rand.Rand, layers []Layer) [6]uint64 {
	var args [6]uint64
	for i := range args {
		args[i] = interesting(r)
	}
	l := layers[r.IntN(len(layers))]
	if len(l.Rules) > 0 {
		for _, c := range l.Rules[r.IntN(len(l.Rules))].Args {
			args[c.Arg] = c.Value + []uint64{0, 0, 0, 1, ^uint64(0), 1 << 32}[r.IntN(6)]
		}
	}
	return args
}

// TestMerge compares programs of many layers with what the layers say one by one,
// for every call of every ABI.
func TestMerge(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		layers := someLayers(r)
		local := machines()[seed%2]
		programs, err := compile(layers, local)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		tables, err := readNumbers(local)
		if err != nil {
			t.Fatal(err)
		}
		for i, numbered := range tables {
			table := nameCalls(numbered)
			for nr, samples := range sampled(table) {
				d := bpf.Call{Number: nr, Arch: table.audit}
				for range samples {
					d.Args = argsFor(r, layers)
					if got, want := runAll(t, programs, d), judgeAll(layers, table, i == 0, d); got != want {
						t.Fatalf("seed %d: %s: number %d, %#x: got %s, want %s\n%s",
							seed, table.abi.name, nr, d.Args, bpf.Show(got), bpf.Show(want), list(layers))
					}
				}
			}
		}
		if got, want := runAll(t, programs, bpf.Call{Arch: 0x12345678}), foreign(layers); got != want {
			t.Fatalf("seed %d: a foreign ABI: got %s, want %s", seed, bpf.Show(got), bpf.Show(want))
		}
	}
}

// foreign is the answer to an ABI that no machine has.
func foreign(layers []Layer) uint32 {
	result := uint32(retAllow)
	for _, l := range layers {
		if ret, _ := l.Foreign.ret(); !stricter(result, ret) {
			result = ret
		}
	}
	return result
}

func list(layers []Layer) string {
	s := ""
	for _, l := range layers {
		s += fmt.Sprintf("%s: default %s, unknown %s, of %s, foreign %s, %d rules\n", l.Name, l.Default, l.Unknown, l.Archs, l.Foreign, len(l.Rules))
	}
	return s
}

// sampled says how many times to try which number of an ABI.
func sampled(table named) map[uint32]int {
	samples := map[uint32]int{}
	for nr := range table.names {
		samples[nr] = 1
	}
	for _, call := range []string{"clone", "socket", "socketcall", "ipc", "openat", "personality", "mmap", "setns", "shmat", "fchmodat2"} {
		if nr, ok := table.calls[call]; ok {
			samples[nr] = 30
		}
	}
	for _, nr := range []uint32{13, 512, 473, 548, 600, 0xfffff} { // some of no name
		samples[nr|table.bit] = 1
	}
	return samples
}
