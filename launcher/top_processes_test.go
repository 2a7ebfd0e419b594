package launcher

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sleeping = " S 1 4711 4711 0 -1 4194560 93 0 0 0 250 50 0 0 20 0 1 0 987654 2981888 373 18446744073709551615 0 0 0\n"

func TestParseProcess(t *testing.T) {
	tests := []struct {
		name, text string
		want       processStat
		fails      bool
	}{
		{"plain", "4711 (sleep)" + sleeping, processStat{"sleep", 300, 987654, 373}, false},
		{"a command like the rest", "4711 (a) R 1 (b)" + sleeping, processStat{"a) R 1 (b", 300, 987654, 373}, false},
		{"a command with a line break", "4711 (a\nb)" + sleeping, processStat{"a\nb", 300, 987654, 373}, false},
		{"no command", "4711 ()" + sleeping, processStat{"", 300, 987654, 373}, false},
		{"cut short", "4711 (sleep) S 1", processStat{command: "sleep"}, false},
		{"nothing", "", processStat{}, true},
		{"parentheses the wrong way", "4711 )sleep(", processStat{}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseProcess(test.text)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(processStat{})); diff != "" || (err != nil) != test.fails {
				t.Errorf("error %v, -want +got\n%s", err, diff)
			}
		})
	}
}

func TestPIDsBelow(t *testing.T) {
	root := t.TempDir()
	fill(t, root, map[string]string{"cgroup.procs": "30\n10\n"})
	fill(t, filepath.Join(root, "init.scope"), map[string]string{"cgroup.procs": "1\n0\n"})
	fill(t, filepath.Join(root, "system.slice", "a.service"), map[string]string{"cgroup.procs": "20\nx\n"})
	fill(t, filepath.Join(root, "threaded"), nil)
	for _, test := range []struct {
		most int
		want []int
		more bool
	}{
		{100, []int{1, 10, 20, 30}, false},
		{1, []int{10}, true},
	} {
		got, more, err := pidsBelow(root, test.most)
		if err != nil || more != test.more || !slices.Equal(got, test.want) {
			t.Errorf("at most %d: got %v, %t, %v, want %v, %t", test.most, got, more, err, test.want, test.more)
		}
	}
	for i := range 20 {
		fill(t, filepath.Join(root, strconv.Itoa(i)), nil)
	}
	if _, more, err := pidsBelow(root, 10); !more || err != nil {
		t.Errorf("more cgroups than are looked at: got %t, %v", more, err)
	}
	if _, _, err := pidsBelow(filepath.Join(root, "gone"), 10); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no cgroup: got %v", err)
	}
}

func TestProcessMeter(t *testing.T) {
	proc := t.TempDir()
	fill(t, filepath.Join(proc, "10"), map[string]string{"stat": "10 (a)" + sleeping})
	var m processMeter
	got := m.read(proc, 1, []int{10, 11})
	page := uint64(os.Getpagesize())
	if diff := cmp.Diff([]TaskUsage{{PID: 10, Command: "a", Memory: 373 * page}}, got); diff != "" {
		t.Errorf("at first: -want +got\n%s", diff)
	}
	m.at = time.Now().Add(-time.Second)
	m.before[10] = processStat{ticks: 250, start: 987654}
	if got := m.read(proc, 1, []int{10}); len(got) != 1 || got[0].CPU == nil || *got[0].CPU < 20 || *got[0].CPU > 50 {
		t.Errorf("50 ticks in a second: got %+v", got)
	}
	m.before[10] = processStat{ticks: 250, start: 1}
	if got := m.read(proc, 1, []int{10}); got[0].CPU != nil {
		t.Errorf("another process of the same PID: got %v", *got[0].CPU)
	}
	if got := m.read(proc, 2, []int{10}); got[0].CPU != nil {
		t.Errorf("another container: got %v", *got[0].CPU)
	}
}

func TestProcessesOfNobody(t *testing.T) {
	var gone *NotRunningError
	if _, _, err := new(Top).Processes("x"); !errors.As(err, &gone) {
		t.Errorf("got %v", err)
	}
}
