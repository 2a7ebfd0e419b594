package main

import (
	"bytes"
	"testing"
	"time"

	"berth/idpool"
	"berth/launcher"

	"github.com/google/go-cmp/cmp"
)

func printed(t *testing.T, table *table) string {
	t.Helper()
	var b bytes.Buffer
	if err := table.print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPsTable(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tasks, memory := uint64(3), uint64(5<<20)
	list := []launcher.Summary{
		{Name: "web", State: "running", PID: 4711, Started: now.Add(-90 * time.Second), Base: 524288, Size: 65536,
			Tasks: &tasks, Memory: &memory, Command: []string{"nginx", "-g", "daemon off;"}},
		{Name: "lost", State: "unsupervised"},
	}
	want := "" +
		"NAME  STATE         SINCE  PID   IDS     TASKS  MEMORY  COMMAND\n" +
		"web   running       1m30s  4711  524288  3      5.0M    nginx -g \"daemon off;\"\n" +
		"lost  unsupervised  -      -     -       -      -       -\n"
	if diff := cmp.Diff(want, printed(t, psTable(list, now))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPool(t *testing.T) {
	held := []idpool.Held{
		{Block: idpool.Block{Base: 524288, Size: 1024}, Owner: "web", Program: idpool.ProgramBerth, Locked: true},
		{Block: idpool.Block{Base: 655360, Size: 65536}, Owner: "systemd-nspawn", Program: idpool.ProgramNspawn, Locked: true},
		{Block: idpool.Block{Base: 1879048192 - 65536, Size: 65536}},
	}
	want := "" +
		"FIRST       LAST        SIZE   PROGRAM         CONTAINER\n" +
		"524288      525311      1024   berth           web\n" +
		"655360      720895      65536  systemd-nspawn  -\n" +
		"1878982656  1879048191  65536  -               -\n"
	if diff := cmp.Diff(want, printed(t, poolTable(held))); diff != "" {
		t.Errorf("table: -want +got\n%s", diff)
	}
	var got bytes.Buffer
	if err := printJSON(&got, poolEntries(held[:1])); err != nil {
		t.Fatal(err)
	}
	wantJSON := `[
  {
    "base": 524288,
    "size": 1024,
    "program": "berth",
    "owner": "web",
    "locked": true
  }
]
`
	if diff := cmp.Diff(wantJSON, got.String()); diff != "" {
		t.Errorf("JSON: -want +got\n%s", diff)
	}
	got.Reset()
	if err := printJSON(&got, poolEntries(nil)); err != nil || got.String() != "[]\n" {
		t.Errorf("nothing as JSON: got %q, %v", got.String(), err)
	}
}
