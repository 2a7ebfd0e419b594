package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"berth/internal/kernel"
	"berth/internal/unitfile"
)

// defaultIO is what a process has that nobody gave a priority of I/O.
func defaultIO() kernel.IOPriority { return kernel.IOPriority{Class: "best-effort", Priority: 4} }

func setIOClass(s *Settings, _ *Setting, value string) error {
	return setIO(s, value, func(io *kernel.IOPriority) (err error) {
		io.Class, err = wordOrNumber("none realtime best-effort idle", value)
		return err
	})
}

func setIOPriority(s *Settings, _ *Setting, value string) error {
	return setIO(s, value, func(io *kernel.IOPriority) (err error) {
		io.Priority, err = number(value, 0, 7)
		return err
	})
}

// setIO changes the class or the priority and leaves the other. The class none
// means the default one with its default priority.
func setIO(s *Settings, value string, change func(*kernel.IOPriority) error) error {
	if value == "" {
		s.IOScheduling = nil
		return nil
	}
	io := defaultIO()
	if s.IOScheduling != nil {
		io = *s.IOScheduling
	}
	if err := change(&io); err != nil {
		return err
	}
	if io.Class == "none" {
		io = defaultIO()
	}
	s.IOScheduling = &io
	return nil
}

// wordOrNumber reads one of the words, or its place among them. A "-" keeps a
// place free.
func wordOrNumber(words, value string) (string, error) {
	list := strings.Fields(words)
	n, err := strconv.Atoi(value)
	if err == nil && n >= 0 && n < len(list) && list[n] != "-" {
		return list[n], nil
	}
	list = slices.DeleteFunc(list, func(w string) bool { return w == "-" })
	if slices.Contains(list, value) {
		return value, nil
	}
	return "", fmt.Errorf("must be %s, not %q", oneOf(list), value)
}

// policies by their numbers, see sched(7).
const policies = "other fifo rr batch - idle - ext"

// setSchedulingPolicy keeps the priority, as far as the policy has it.
func setSchedulingPolicy(s *Settings, _ *Setting, value string) error {
	if value == "" {
		s.CPUScheduling = nil
		return nil
	}
	policy, err := wordOrNumber(policies, value)
	if err != nil {
		return err
	}
	next := kernel.Scheduler{Policy: policy}
	if low, high := priorities(policy); s.CPUScheduling != nil {
		next.Priority = min(max(s.CPUScheduling.Priority, low), high)
	} else {
		next.Priority = low
	}
	s.CPUScheduling = &next
	return nil
}

// priorities returns the range of a policy's priority.
func priorities(policy string) (low, high int) {
	if policy == "fifo" || policy == "rr" {
		return 1, 99
	}
	return 0, 0
}

// setSchedulingPriority doesn't look at the policy, which may follow: see Decide.
func setSchedulingPriority(s *Settings, _ *Setting, value string) error {
	n, err := number(value, 0, 99)
	if err != nil {
		return err
	}
	next := kernel.Scheduler{Policy: "other"}
	if s.CPUScheduling != nil {
		next = *s.CPUScheduling
	}
	next.Priority = n
	s.CPUScheduling = &next
	return nil
}

// setCPUAffinity adds CPUs, or takes "numa" for those of NUMAMask's nodes.
func setCPUAffinity(s *Settings, _ *Setting, value string) error {
	if value == "numa" {
		s.CPUAffinity, s.CPUAffinityNUMA = nil, true
		return nil
	}
	set, err := addRanges(s.CPUAffinity, value, maxCPUs)
	if err != nil {
		return err
	}
	s.CPUAffinity, s.CPUAffinityNUMA = set, false
	return nil
}

const (
	maxCPUs  = 8192 // the kernel's largest CONFIG_NR_CPUS
	maxNodes = 1024 // the kernel's largest 1 << CONFIG_NODES_SHIFT
)

// addRanges adds indices and ranges to a sorted set; none empties it.
func addRanges(set []int, value string, limit int) ([]int, error) {
	if value == "" {
		return nil, nil
	}
	var list []string
	for r := unitfile.Words(value, unitfile.Blanks+",", unitfile.Unquote); ; {
		word, ok, err := r.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		list = append(list, word)
	}
	set = slices.Clone(set)
	for _, word := range list {
		from, to, isRange := strings.Cut(word, "-")
		first, err := unitfile.Integer(from, 0, limit-1)
		last := first
		if err == nil && isRange {
			last, err = unitfile.Integer(to, first, limit-1)
		}
		if err != nil {
			return nil, fmt.Errorf("must be indices and ranges such as 0-3,8, not %q", word)
		}
		for n := first; n <= last; n++ {
			set = append(set, n)
		}
	}
	slices.Sort(set)
	return slices.Compact(set), nil
}

// numaPolicies by their numbers, see set_mempolicy(2).
const numaPolicies = "default preferred bind interleave local preferred-many weighted-interleave"

func setNUMAPolicy(s *Settings, _ *Setting, value string) error {
	next := s.numa()
	next.Policy = ""
	if value != "" {
		list := strings.Fields(numaPolicies)
		if !slices.Contains(list, value) {
			return fmt.Errorf("must be %s, not %q", oneOf(list), value)
		}
		next.Policy = value
	}
	s.NUMA = &next
	return nil
}

// setNUMAMask adds nodes, or takes "all". "all" forgets what was before, and what
// follows it adds nothing to it.
func setNUMAMask(s *Settings, _ *Setting, value string) error {
	next := s.numa()
	if value == "all" {
		next.Nodes = nil
		s.NUMA, s.NUMAMaskAll = &next, true
		return nil
	}
	nodes, err := addRanges(next.Nodes, value, maxNodes)
	if err != nil {
		return err
	}
	next.Nodes = nodes
	s.NUMA, s.NUMAMaskAll = &next, s.NUMAMaskAll && value != ""
	return nil
}

func (s *Settings) numa() kernel.NUMAPolicy {
	if s.NUMA == nil {
		return kernel.NUMAPolicy{}
	}
	return *s.NUMA
}
