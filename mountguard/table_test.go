package mountguard

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	before := NewTable(initialMounts()[:7])
	added := initialMounts()[10]
	after := before.With(added)
	if before.Initial(110) || !after.Initial(110) || !after.Initial(100) {
		t.Error("With changes the table, or isn't a copy of it")
	}
	gone := after.Without(106)
	if gone.Initial(106) || gone.Initial(200) || !gone.Initial(110) || !after.Initial(106) {
		t.Error("Without changes the table, or another mount")
	}
	if diff := cmp.Diff(before.list(), after.Without(110).list()); diff != "" {
		t.Errorf("With and Without (-want +got):\n%s", diff)
	}
	changed := added
	changed.Locked = Lockable
	if diff := cmp.Diff(append(before.list(), changed), after.With(changed).list()); diff != "" {
		t.Errorf("With of one that is there (-want +got):\n%s", diff)
	}
	for device, want := range map[uint64]bool{rootFS: true, dataFS: true, cgroupFS: false, guestFS: false} {
		if got := after.Copies(device); got != want {
			t.Errorf("Copies(%d) is %v", device, got)
		}
	}
	if NewTable(nil).With(added).Initial(110) != true {
		t.Error("an empty table stays empty")
	}
}

// Mounts whose parents go round don't keep the policy busy.
func TestTableCycle(t *testing.T) {
	table := NewTable([]Initial{
		{Mount: Mount{ID: 1, Parent: 2, Device: 1, Root: "/"}, Path: "/a", Fixed: true, Locked: ReadOnly},
		{Mount: Mount{ID: 2, Parent: 1, Device: 1, Root: "/"}, Path: "/b", Fixed: true, Locked: ReadOnly},
		{Mount: Mount{ID: 3, Parent: 3, Device: 2, Root: "/"}, Path: "/c", Fixed: true},
	})
	call := Call{Name: "mount_setattr", Operation: SetAttr, Drops: ReadOnly, Recursive: true}
	place := &Place{Mount: Mount{ID: 3, Parent: 3, Device: 2, Root: "/"}, Top: true}
	if got := (Policy{}).Judge(table, call, Situation{Target: place}); got.Action != Continue {
		t.Errorf("%+v", got)
	}
}
