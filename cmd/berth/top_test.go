package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"berth/launcher"

	"github.com/google/go-cmp/cmp"
)

func number[N any](n N) *N { return &n }

// topTime is when the samples of these tests were taken.
var topTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)

func someUsage() []launcher.Usage {
	return []launcher.Usage{
		{Name: "db", State: "running", Scope: "berth-db.scope", Started: topTime.Add(-26 * time.Hour),
			CPU: number(12.34), Memory: number(uint64(300 << 20)), Tasks: number(uint64(40)),
			Read: number(4096.5), Written: number(2e6), Refused: number(uint64(0)),
			Pressure: launcher.Pressure{CPU: number(0.0), Memory: number(10.0), IO: number(99.99)}},
		{Name: "new", State: "starting", Scope: "berth-new.scope"},
		{Name: "web", State: "running", Scope: "berth-web.scope", Started: topTime.Add(-90 * time.Second),
			CPU: number(150.0), Memory: number(uint64(20 << 20)), Tasks: number(uint64(3)),
			Read: number(0.0), Written: number(0.0), Refused: number(uint64(7)),
			Pressure: launcher.Pressure{CPU: number(9.99), Memory: number(0.0), IO: number(0.0)}},
	}
}

// fakeTop has the same sample again and again, until it fails.
type fakeTop struct {
	list  []launcher.Usage
	taken int
	fails int // which sample does; 0: none
}

func (f *fakeTop) Sample(context.Context) (launcher.Sample, error) {
	if f.taken++; f.taken == f.fails {
		return launcher.Sample{}, errors.New("cannot ask systemd: it is\n\x1b[2Jgone")
	}
	return launcher.Sample{Time: topTime, Containers: append([]launcher.Usage{}, f.list...)}, nil
}

func (f *fakeTop) Processes(string) ([]launcher.TaskUsage, bool, error) {
	return []launcher.TaskUsage{
		{PID: 10, Command: "nginx", Memory: 5 << 20},
		{PID: 11, Command: "\x1b]0;x\a", CPU: number(99.5), Memory: 1 << 20},
	}, false, nil
}

func (f *fakeTop) Close() {}

func TestPrintTop(t *testing.T) {
	const head = "NAME  STATE     UPTIME  CPU%   MEMORY  TASKS  READ/S  WRITE/S  PSI-CPU  PSI-MEM  PSI-IO  REFUSED\n"
	const db = "db    running   1d2h    12.3   300M    40     4.0K    1.9M     0.0      10.0     100.0   0\n"
	const starting = "new   starting  -       -      -       -      -       -        -        -        -       -\n"
	const web = "web   running   1m30s   150.0  20.0M   3      0B      0B       10.0     0.0      0.0     7\n"
	tests := []struct {
		name    string
		options topOptions
		want    string
	}{
		{"by default", topOptions{sort: "cpu"}, head + web + db + starting},
		{"by memory", topOptions{sort: "memory"}, head + db + web + starting},
		{"by tasks", topOptions{sort: "tasks"}, head + db + web + starting},
		{"by IO", topOptions{sort: "io"}, head + db + web + starting},
		{"by pressure", topOptions{sort: "pressure"}, head + db + web + starting},
		{"by refusals", topOptions{sort: "refused"}, head + web + db + starting},
		{"by name", topOptions{sort: "name"}, head + db + starting + web},
		{"twice", topOptions{sort: "name", iterations: 2}, head + db + starting + web + "\n" + head + db + starting + web},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got bytes.Buffer
			top := &fakeTop{list: someUsage()}
			if err := printTop(t.Context(), &got, top, test.options); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.String()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if want := 1 + max(test.options.iterations, 1); top.taken != want {
				t.Errorf("%d samples, want %d", top.taken, want)
			}
		})
	}
}

func TestPrintTopAsJSON(t *testing.T) {
	print := func(list []launcher.Usage, iterations int) string {
		var got bytes.Buffer
		if err := printTop(t.Context(), &got, &fakeTop{list: list}, topOptions{sort: "cpu", json: true, iterations: iterations}); err != nil {
			t.Fatal(err)
		}
		return got.String()
	}
	got := print(someUsage()[1:2], 0)
	if i := strings.Index(got, `"containers"`); i < 0 || got[i:] != `"containers": [
    {
      "name": "new",
      "state": "starting",
      "scope": "berth-new.scope",
      "cpu": null,
      "memory": null,
      "tasks": null,
      "read": null,
      "written": null,
      "pressure": {
        "cpu": null,
        "memory": null,
        "io": null
      },
      "refused": null
    }
  ]
}
` {
		t.Errorf("one document: got %s", got)
	}
	if got := print(someUsage(), 3); strings.Count(got, "\n") != 3 || strings.Count(got, `"memory":314572800`) != 3 {
		t.Errorf("a document a line: got %s", got)
	}
	if got := print(nil, 1); !strings.HasSuffix(got, `"containers":[]}`+"\n") {
		t.Errorf("no containers: got %s", got)
	}
}

func TestPrintTopFails(t *testing.T) {
	for fails := 1; fails <= 2; fails++ {
		var got bytes.Buffer
		err := printTop(t.Context(), &got, &fakeTop{fails: fails}, topOptions{sort: "cpu"})
		if err == nil || got.Len() > 0 {
			t.Errorf("sample %d: got %q, %v", fails, got.String(), err)
		}
	}
}

func TestTopOptions(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"an interval too short", []string{"--interval", "99ms"}, "cannot use --interval 99ms: 100ms is the shortest"},
		{"a negative one", []string{"--interval", "-1s"}, "cannot use --interval -1s: 100ms is the shortest"},
		{"nothing to print", []string{"--iterations", "0"}, "cannot use --iterations 0: 1 is the fewest"},
		{"an unknown order", []string{"--sort", "size"}, `cannot use --sort "size": there are cpu, memory, tasks, io, pressure, refused, name`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd := newRoot()
			cmd.SetArgs(append([]string{"top"}, test.args...))
			if err := cmd.Execute(); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}
