package launcher

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fill writes the files of a cgroup, and returns its directory.
func fill(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// busy is a cgroup as a host with all controllers has it.
var busy = map[string]string{
	"cpu.stat":        "usage_usec 3179677\nuser_usec 1408453\nsystem_usec 1771224\nnice_usec 0\ncore_sched.force_idle_usec 0\n",
	"io.stat":         "7:1 7:0 8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021\n",
	"memory.current":  "20971520\n",
	"pids.current":    "7\n",
	"cpu.pressure":    "some avg10=12.50 avg60=0.00 avg300=0.03 total=3886654\nfull avg10=3.00 avg60=0.00 avg300=0.03 total=3711244\n",
	"memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	"io.pressure":     "some avg10=100.00 avg60=0.00 avg300=0.00 total=763\n",
	"cgroup.events":   "populated 1\nfrozen 0\n",
}

func TestReadUsage(t *testing.T) {
	number := func(n uint64) *uint64 { return &n }
	share := func(n float64) *float64 { return &n }
	without := func(t *testing.T, changes map[string]string) string {
		files := map[string]string{}
		for name, text := range busy {
			files[name] = text
		}
		for name, text := range changes {
			files[name] = text
		}
		return fill(t, t.TempDir(), files)
	}
	all := Usage{State: "running", Memory: number(20971520), Tasks: number(7),
		Pressure: Pressure{CPU: share(12.5), Memory: share(0), IO: share(100)}}
	tests := []struct {
		name string
		dir  func(t *testing.T) string
		want Usage
		cpu  *uint64
		io   [2]*uint64
	}{
		{"all controllers", func(t *testing.T) string { return without(t, nil) },
			all, number(3179677), [2]*uint64{number(91889664), number(613781504)}},
		{"no controllers", func(t *testing.T) string {
			return fill(t, t.TempDir(), map[string]string{"cpu.stat": busy["cpu.stat"], "cpu.pressure": busy["cpu.pressure"]})
		}, Usage{State: "running", Pressure: Pressure{CPU: share(12.5)}}, number(3179677), [2]*uint64{}},
		{"gone", func(t *testing.T) string { return filepath.Join(t.TempDir(), "gone") },
			Usage{State: "running"}, nil, [2]*uint64{}},
		{"paused", func(t *testing.T) string {
			return fill(t, t.TempDir(), map[string]string{"cgroup.events": "populated 1\nfrozen 1\n"})
		}, Usage{State: paused}, nil, [2]*uint64{}},
		{"no IO yet", func(t *testing.T) string { return without(t, map[string]string{"io.stat": ""}) },
			all, number(3179677), [2]*uint64{number(0), number(0)}},
		{"broken", func(t *testing.T) string {
			return without(t, map[string]string{
				"cpu.stat": "usage_usec -5\n", "io.stat": "8:0 rbytes=x wbytes=4\n8:1 rbytes=3 wbytes=2\n",
				"memory.current": "max\n", "pids.current": "7 8\n",
				"cpu.pressure": "some avg10=NaN avg60=0.00\n", "memory.pressure": "some avg10=Inf\n", "io.pressure": "some avg10=\n",
				"cgroup.events": "frozen",
			})
		}, Usage{State: "running"}, nil, [2]*uint64{nil, number(6)}},
		{"cut short", func(t *testing.T) string {
			return without(t, map[string]string{
				"cpu.stat": "usage_us", "io.stat": "8:0 rbytes=", "memory.current": "", "pids.current": "\n",
				"cpu.pressure": "some", "memory.pressure": "full avg10=1.00 avg60=0.00\n", "io.pressure": "",
			})
		}, Usage{State: "running"}, nil, [2]*uint64{nil, number(0)}},
		{"too large", func(t *testing.T) string {
			return fill(t, t.TempDir(), map[string]string{"memory.current": "18446744073709551616\n", "pids.current": "18446744073709551615\n"})
		}, Usage{State: "running", Tasks: number(math.MaxUint64)}, nil, [2]*uint64{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Usage{State: "running"}
			c := readUsage(test.dir(t), &got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if diff := cmp.Diff(test.cpu, c.cpu); diff != "" {
				t.Errorf("CPU: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(test.io, [2]*uint64{c.read, c.written}); diff != "" {
				t.Errorf("IO: -want +got\n%s", diff)
			}
		})
	}
}

func TestRates(t *testing.T) {
	number := func(n uint64) *uint64 { return &n }
	rate := func(n float64) *float64 { return &n }
	then := time.Now()
	before := counters{inode: 5, at: then, cpu: number(1e6), read: number(1000), written: number(500)}
	later := then.Add(2 * time.Second)
	tests := []struct {
		name string
		now  counters
		want Usage
	}{
		{"one CPU and a half", counters{inode: 5, at: later, cpu: number(4e6), read: number(5000), written: number(500)},
			Usage{CPU: rate(150), Read: rate(2000), Written: rate(0)}},
		{"another cgroup", counters{inode: 6, at: later, cpu: number(4e6), read: number(5000), written: number(500)}, Usage{}},
		{"no time", counters{inode: 5, at: then, cpu: number(4e6)}, Usage{}},
		{"counts that went down", counters{inode: 5, at: later, cpu: number(4e6), read: number(999), written: number(499)},
			Usage{CPU: rate(150)}},
		{"no longer counted", counters{inode: 5, at: later, cpu: number(4e6)}, Usage{CPU: rate(150)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got Usage
			got.rates(before, test.now)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Containers come and go, and come back under the same name.
func TestMeter(t *testing.T) {
	root := t.TempDir()
	one := func(name string, cpu string) *scope {
		dir := fill(t, filepath.Join(root, name), map[string]string{"cpu.stat": "usage_usec " + cpu + "\n"})
		return &scope{name: name, state: "running", cgroup: dir, inode: inode(dir)}
	}
	known := func(list []Usage) string {
		text := ""
		for _, u := range list {
			text += fmt.Sprintf("%s:%t ", u.Name, u.CPU != nil)
		}
		return text
	}
	var m meter
	steps := []struct {
		name   string
		scopes []*scope
		want   string
	}{
		{"the first sample", []*scope{one("a", "1000"), one("b", "5")}, "a:false b:false "},
		{"the second", []*scope{one("a", "2000"), one("b", "6"), one("c", "7")}, "a:true b:true c:false "},
		{"a is gone, d starts", []*scope{one("b", "7"), one("c", "8"), {name: "d", state: "starting"}}, "b:true c:true d:false "},
		{"another a, d runs", []*scope{one("a", "3000"), one("d", "1")}, "a:false d:false "},
	}
	for _, step := range steps {
		if got := known(m.read(step.scopes)); got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
		if len(m.before) > len(step.scopes) {
			t.Errorf("%s: it remembers %d containers of %d", step.name, len(m.before), len(step.scopes))
		}
	}
	d := m.read([]*scope{one("d", "2")})
	if *d[0].CPU <= 0 {
		t.Errorf("d used a microsecond, got %v%%", *d[0].CPU)
	}
	if err := os.RemoveAll(filepath.Join(root, "d")); err != nil {
		t.Fatal(err)
	}
	fill(t, filepath.Join(root, "x"), nil) // takes what d leaves, where inodes are used again
	if got := known(m.read([]*scope{one("d", "9")})); got != "d:false " {
		t.Errorf("another cgroup of the same name: got %s", got)
	}
}

// Of 1,000 containers a sample takes a small part of the time until the next one.
func TestMeterOfManyContainers(t *testing.T) {
	var m meter
	scopes := manyScopes(t)
	m.read(scopes)
	const samples = 5
	before := processorTime(t)
	for range samples {
		if list := m.read(scopes); len(list) != 1000 || list[999].CPU == nil {
			t.Fatalf("got %d containers", len(list))
		}
	}
	each := (processorTime(t) - before) / samples
	t.Logf("a sample of 1000 containers: %s", each)
	if most := 200 * time.Millisecond; each > most { // a tenth of berth top's interval
		t.Errorf("a sample of 1000 containers takes %s of processor time, more than %s", each, most)
	}
}

func BenchmarkMeter1000(b *testing.B) {
	var m meter
	scopes := manyScopes(b)
	for b.Loop() {
		m.read(scopes)
	}
}

func manyScopes(t testing.TB) []*scope {
	root := t.TempDir()
	scopes := make([]*scope, 1000)
	for i := range scopes {
		name := fmt.Sprintf("c%03d", i)
		dir := fill(t, filepath.Join(root, ScopeName(name)), busy)
		scopes[i] = &scope{name: name, state: "running", cgroup: dir, inode: inode(dir)}
	}
	return scopes
}

func processorTime(t testing.TB) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
