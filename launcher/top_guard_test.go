package launcher

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhichGuardsAreAsked(t *testing.T) {
	var r refusals
	due := func(scopes ...*scope) []string { return slices.Sorted(maps.Keys(r.due(scopes))) }
	answer := func(names ...string) {
		for i, name := range names {
			n := uint64(i)
			one := r.known[name]
			one.count, one.waiting, one.asked = &n, false, one.asked.Add(time.Duration(i))
		}
	}
	a, b := &scope{name: "a", state: "running", inode: 1}, &scope{name: "b", state: "running", inode: 2}
	for _, step := range []struct {
		name   string
		before func()
		scopes []*scope
		want   []string
	}{
		{"new ones", nil, []*scope{a, b}, []string{"a", "b"}},
		{"nobody has answered", nil, []*scope{a, b}, nil},
		{"one has", func() { answer("a") }, []*scope{a, b}, []string{"a"}},
		{"another container", nil, []*scope{a, {name: "b", state: "running", inode: 3}}, []string{"b"}},
		{"one has no guard", func() { answer("a"); r.known["a"].without = true }, []*scope{a}, nil},
		{"no cgroup yet", nil, []*scope{{name: "c", state: "starting"}}, nil},
		{"nobody is there to answer", nil, []*scope{{name: "d", state: unsupervised, inode: 4}}, nil},
	} {
		if step.before != nil {
			step.before()
		}
		if diff := cmp.Diff(step.want, due(step.scopes...)); diff != "" {
			t.Errorf("%s: -want +got\n%s", step.name, diff)
		}
	}
	if len(r.known) != 0 {
		t.Errorf("it remembers %d containers that are gone", len(r.known))
	}
}

// Every guard's turn comes, however many there are.
func TestGuardsTakeTurns(t *testing.T) {
	const all = 3*guardsAgain + 1
	scopes := make([]*scope, all)
	for i := range scopes {
		scopes[i] = &scope{name: fmt.Sprintf("c%03d", i), state: "running", inode: uint64(i + 1)}
	}
	var r refusals
	asked := map[string]int{}
	for round := range 5 {
		due := r.due(scopes)
		if round > 0 && len(due) > guardsAgain {
			t.Errorf("round %d: %d are asked", round, len(due))
		}
		for name, one := range due {
			asked[name]++
			one.waiting = false
		}
	}
	for name, n := range asked {
		if n < 2 {
			t.Errorf("%s was asked %d times", name, n)
		}
	}
	if len(asked) != all {
		t.Errorf("%d of %d were asked", len(asked), all)
	}
}

func TestRefusalsWithoutGuards(t *testing.T) {
	var r refusals
	none := &scope{name: "no-such-container-at-all", state: "running", inode: 1}
	r.ask([]*scope{none})
	if got := r.of(none.name); got != nil {
		t.Errorf("got %d", *got)
	}
	if got := r.of("never heard of"); got != nil {
		t.Errorf("got %d", *got)
	}
}
