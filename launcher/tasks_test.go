package launcher

import (
	"testing"

	"berth/units"

	"github.com/google/go-cmp/cmp"
)

func TestSplitTasks(t *testing.T) {
	tasks := func(n uint64) units.Property { return units.NewProperty("TasksMax", n) }
	other := units.NewProperty("MemoryMax", uint64(4))
	for _, test := range []struct {
		name            string
		in, first, late []units.Property
	}{
		{"none", []units.Property{other}, []units.Property{other}, nil},
		{"enough for a start", []units.Property{tasks(startTasks)}, []units.Property{tasks(startTasks)}, nil},
		{"infinite", []units.Property{tasks(units.Infinity)}, []units.Property{tasks(units.Infinity)}, nil},
		{"too few", []units.Property{other, tasks(4)}, []units.Property{other, tasks(startTasks)}, []units.Property{tasks(4)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := func(list []units.Property) (out []string) {
				for _, p := range list {
					out = append(out, p.String())
				}
				return out
			}
			first, late := splitTasks(test.in)
			if diff := cmp.Diff([2][]string{text(test.first), text(test.late)}, [2][]string{text(first), text(late)}); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
