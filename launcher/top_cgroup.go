package launcher

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// meter reads cgroups, and turns what they have counted into rates.
type meter struct {
	before map[string]counters // at the sample before, by container
}

// counters are what only grows, since a cgroup was made. nil: not counted.
type counters struct {
	inode   uint64 // of the cgroup: another one may come to have its name
	at      time.Time
	cpu     *uint64 // microseconds
	read    *uint64 // bytes
	written *uint64 // bytes
}

// read looks into the cgroups of scopes. What it can't read there it leaves out:
// a container may end at any time.
func (m *meter) read(scopes []*scope) []Usage {
	now := make(map[string]counters, len(scopes))
	list := make([]Usage, len(scopes))
	for i, s := range scopes {
		u := Usage{Name: s.name, State: s.state, Scope: ScopeName(s.name), Started: s.started}
		if s.cgroup != "" {
			c := readUsage(s.cgroup, &u)
			c.inode = s.inode
			u.rates(m.before[s.name], c)
			now[s.name] = c
		}
		list[i] = u
	}
	m.before = now
	return list
}

// rates sets what is measured over the time between two readings.
func (u *Usage) rates(before, now counters) {
	elapsed := now.at.Sub(before.at).Seconds()
	if before.inode != now.inode || elapsed <= 0 {
		return
	}
	u.CPU = perSecond(before.cpu, now.cpu, elapsed*1e6/100)
	u.Read = perSecond(before.read, now.read, elapsed)
	u.Written = perSecond(before.written, now.written, elapsed)
}

// perSecond is nil where there is nothing to compare. A count that has gone down,
// as that of IO does when a disk is pulled, is no rate either.
func perSecond(before, now *uint64, seconds float64) *float64 {
	if before == nil || now == nil || *now < *before {
		return nil
	}
	rate := float64(*now-*before) / seconds
	return &rate
}

// readUsage reads the files of a cgroup; see Linux'
// Documentation/admin-guide/cgroup-v2.rst.
func readUsage(dir string, u *Usage) counters {
	c := counters{at: time.Now()}
	c.cpu = keyed(contents(dir, "cpu.stat"), "usage_usec")
	c.read, c.written = transferred(contents(dir, "io.stat"))
	u.Memory = number(contents(dir, "memory.current"))
	u.Tasks = number(contents(dir, "pids.current"))
	u.Pressure = Pressure{
		CPU:    stalled(contents(dir, "cpu.pressure")),
		Memory: stalled(contents(dir, "memory.pressure")),
		IO:     stalled(contents(dir, "io.pressure")),
	}
	if u.State == "running" && isFrozen(dir) {
		u.State = paused
	}
	return c
}

// contents returns what is in a file, nil where there is none that can be read.
func contents(dir, name string) []byte {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	return data
}

// number reads a file of one number.
func number(data []byte) *uint64 { return parseNumber(strings.TrimSuffix(string(data), "\n")) }

func parseNumber(text string) *uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// keyed reads one number of a file that has lines of "KEY NUMBER".
func keyed(data []byte, key string) *uint64 {
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, key+" "); found {
			return parseNumber(strings.TrimSuffix(value, "\n"))
		}
	}
	return nil
}

// transferred adds up an io.stat, over all devices:
//
//	254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0
//
// A device without counts has its number alone there, with or without a line of
// its own. No device at all is nothing transferred.
func transferred(data []byte) (read, written *uint64) {
	if data == nil {
		return nil, nil
	}
	read, written = new(uint64), new(uint64)
	for field := range strings.FieldsSeq(string(data)) {
		if value, found := strings.CutPrefix(field, "rbytes="); found {
			read = sum(read, parseNumber(value))
		} else if value, found := strings.CutPrefix(field, "wbytes="); found {
			written = sum(written, parseNumber(value))
		}
	}
	return read, written
}

// sum is nil when a term is: half a sum would look like a whole one.
func sum(a, b *uint64) *uint64 {
	if a == nil || b == nil {
		return nil
	}
	n := *a + *b
	return &n
}

// stalled reads the share of the last ten seconds from a pressure file:
//
//	some avg10=1.53 avg60=0.87 avg300=0.22 total=3886654
func stalled(data []byte) *float64 {
	for line := range strings.Lines(string(data)) {
		rest, found := strings.CutPrefix(line, "some avg10=")
		if !found {
			continue
		}
		value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		share, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(share) || math.IsInf(share, 0) { // JSON has none of these
			return nil
		}
		return &share
	}
	return nil
}

// inode tells cgroups of the same path apart. 0: there is none.
func inode(dir string) uint64 {
	info, err := os.Stat(dir)
	if dir == "" || err != nil {
		return 0
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	return st.Ino
}
