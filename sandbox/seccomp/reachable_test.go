package seccomp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"berth/test/bpf"
	"berth/test/require"

	"github.com/google/go-cmp/cmp"
)

func TestReachable(t *testing.T) {
	_, err := localABIs()
	require.That(t, err == nil, fmt.Sprintf("an architecture whose ABIs are known (%v)", err))
	allowed := func(words string) []Layer { // SystemCallFilter=words
		var entries []Entry
		for word := range strings.FieldsSeq(words) {
			name, deny := strings.CutPrefix(word, "~")
			entries = append(entries, Entry{Deny: deny, Name: name})
		}
		return Calls(entries, "EPERM", 257)
	}
	mounts := strings.Fields("mount umount2 move_mount fsopen")
	conditional := denying("Test")
	conditional.Rules = []Rule{
		{Call: "mount", Args: []Compare{{Arg: 3, Op: Equal, Mask: 1, Value: 1}}, Action: "EPERM"},
		{Call: "umount2", Action: Kill}, {Call: "fsopen", Action: Log}, {Call: "move_mount", Action: Notify},
	}
	opening := denying("Test")
	opening.Default = "EPERM"
	opening.Rules = []Rule{
		{Call: "mount", Args: []Compare{{Arg: 3, Op: Equal, Value: 1}}, Action: Allow},
		{Call: "umount2", Args: []Compare{{Arg: 1, Op: Equal, Value: 1}}, Action: "EINVAL"},
	}
	onlyX86 := denying("Test")
	onlyX86.Archs, onlyX86.Foreign = []string{"x86", "arm"}, Kill
	onlyX86.Rules = []Rule{{Call: "mount", Action: "EPERM"}}
	notNative := Architectures([]string{"native"})
	for _, test := range []struct {
		name   string
		layers []Layer
		want   string
	}{
		{"no filter", nil, "mount umount2 move_mount fsopen"},
		{"services may not mount", allowed("@system-service"), ""},
		{"a list of what is denied", allowed("~@clock"), "mount umount2 move_mount fsopen"},
		{"mounting denied", allowed("~@mount"), ""},
		{"one of them allowed", allowed("@system-service umount2"), "umount2"},
		{"each denied by another layer", slices.Concat(allowed("~mount ~move_mount"), allowed("~umount2 ~fsopen")), ""},
		{"a condition denies", []Layer{conditional}, "mount move_mount fsopen"},
		{"a condition allows, another denies otherwise", []Layer{opening}, "mount"},
		{"what one layer lets through, another denies", append(allowed("~mount"), opening), ""},
		{"denied on one ABI, which others kill", []Layer{onlyX86}, "umount2 move_mount fsopen"},
		{"the same without that ABI", append(notNative, onlyX86), ""},
		{"other ABIs killed", notNative, "mount umount2 move_mount fsopen"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Reachable(test.layers, mounts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	for name, wrong := range map[string]func() error{
		"unknown call":   func() error { _, err := Reachable(nil, []string{"mont"}); return err },
		"unknown action": func() error { _, err := Reachable([]Layer{{Default: "no"}}, mounts); return err },
	} {
		if wrong() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestReachableIsSound draws layers and arguments: what isn't reachable is denied,
// whatever the arguments.
func TestReachableIsSound(t *testing.T) {
	local, err := localABIs()
	require.That(t, err == nil, fmt.Sprintf("an architecture whose ABIs are known (%v)", err))
	tables, err := readNumbers(local)
	if err != nil {
		t.Fatal(err)
	}
	calls := strings.Fields("mount umount umount2 fsopen clone unshare socket socketcall personality openat mmap")
	denied := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		layers := someLayers(r)
		got, err := Reachable(layers, calls)
		if err != nil {
			t.Fatal(err)
		}
		for i, numbered := range tables {
			table := nameCalls(numbered)
			for _, call := range calls {
				nr, ok := table.calls[call]
				if !ok || slices.Contains(got, call) {
					continue
				}
				denied++
				for range 20 {
					d := bpf.Call{Number: nr, Arch: table.audit, Args: argsFor(r, layers)}
					if ret := judgeAll(layers, table, i == 0, d); !stricter(ret, retNotify) {
						t.Fatalf("seed %d: %s: %s %#x: got %s\n%s", seed, table.abi.name, call, d.Args, bpf.Show(ret), list(layers))
					}
				}
			}
		}
	}
	if denied < 1000 {
		t.Errorf("only %d calls were denied: are the layers good?", denied)
	}
}

func BenchmarkReachable(b *testing.B) {
	layers := Calls([]Entry{{Name: "@system-service"}}, "EPERM", 257)
	for b.Loop() {
		if _, err := Reachable(layers, []string{"mount", "umount2", "move_mount", "fsopen", "fsmount", "pivot_root"}); err != nil {
			b.Fatal(err)
		}
	}
}
