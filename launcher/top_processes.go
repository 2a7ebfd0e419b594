package launcher

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TaskUsage is what a process of a container uses. Unlike a container's, these
// numbers are there without any controller.
type TaskUsage struct {
	PID     int      // on the host
	Command string   // what the process calls itself: any bytes, 15 at most
	CPU     *float64 // percent of one CPU; nil: not known yet
	Memory  uint64   // bytes that are resident, shared ones included
}

// mostProcesses bounds what Processes looks at: a container may make any number of
// cgroups and processes, within its limits.
const mostProcesses = 1000

// Processes lists the processes of a container as of the last sample, by PID, and
// tells whether there are more than those. CPU is measured from one call for the
// container to the next one.
func (t *Top) Processes(name string) (list []TaskUsage, more bool, err error) {
	s := t.scopes[name]
	if s == nil || s.cgroup == "" {
		return nil, false, &NotRunningError{name}
	}
	pids, more, err := pidsBelow(s.cgroup, mostProcesses)
	if err != nil {
		return nil, false, cannot("list the container's processes", err)
	}
	return t.processes.read("/proc", s.inode, pids), more, nil
}

// pidsBelow lists the processes of a cgroup and those below it, up to a number
// of them and as many cgroups.
func pidsBelow(cgroup string, most int) (pids []int, more bool, err error) {
	looked := 0
	err = filepath.WalkDir(cgroup, func(path string, entry fs.DirEntry, err error) error {
		if err != nil && path != cgroup {
			return nil // removed meanwhile
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		if looked++; len(pids) >= most || looked > most {
			more = true
			return filepath.SkipAll
		}
		for field := range strings.FieldsSeq(string(contents(path, "cgroup.procs"))) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 { // 0: not in this PID namespace
				pids = append(pids, pid)
			}
		}
		return nil
	})
	slices.Sort(pids)
	if len(pids) > most {
		pids, more = pids[:most], true
	}
	return pids, more, err
}

// processMeter turns the processor times of processes into rates.
type processMeter struct {
	cgroup uint64 // whose processes they are
	at     time.Time
	before map[int]processStat
}

// processStat is a part of /proc/PID/stat; see proc_pid_stat(5).
type processStat struct {
	command string
	ticks   uint64 // of processor time, user's and system's
	start   uint64 // clock ticks since boot: tells processes of the same PID apart
	pages   uint64 // resident
}

// ticksPerSecond is USER_HZ, 100 on every architecture that Go knows.
const ticksPerSecond = 100

func (m *processMeter) read(proc string, cgroup uint64, pids []int) []TaskUsage {
	at, now := time.Now(), make(map[int]processStat, len(pids))
	elapsed := at.Sub(m.at).Seconds()
	list := make([]TaskUsage, 0, len(pids))
	for _, pid := range pids {
		stat, err := readProcess(proc, pid)
		if err != nil {
			continue // it has ended
		}
		now[pid] = stat
		one := TaskUsage{PID: pid, Command: stat.command, Memory: stat.pages * uint64(os.Getpagesize())}
		before, known := m.before[pid]
		if known && m.cgroup == cgroup && before.start == stat.start && elapsed > 0 {
			one.CPU = perSecond(&before.ticks, &stat.ticks, elapsed*ticksPerSecond/100)
		}
		list = append(list, one)
	}
	m.cgroup, m.at, m.before = cgroup, at, now
	return list
}

func readProcess(proc string, pid int) (processStat, error) {
	file := filepath.Join(proc, strconv.Itoa(pid), "stat")
	data, err := os.ReadFile(file)
	if err != nil {
		return processStat{}, err
	}
	return parseProcess(string(data))
}

// parseProcess takes "PID (COMMAND) STATE …" apart. The command may have
// parentheses and spaces.
func parseProcess(text string) (processStat, error) {
	begin, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return processStat{}, fmt.Errorf("cannot read the state of a process: %q", text)
	}
	fields := strings.Fields(text[end+1:])
	// The third field of proc_pid_stat(5) is the first one here.
	field := func(number int) uint64 {
		if number-3 >= len(fields) {
			return 0
		}
		n, _ := strconv.ParseUint(fields[number-3], 10, 64)
		return n
	}
	return processStat{
		command: text[begin+1 : end],
		ticks:   field(14) + field(15),
		start:   field(22),
		pages:   field(24),
	}, nil
}
