package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// WithScheduling calls f with the calling thread's scheduling as the attributes
// say, and then puts it back: what f clones inherits it, also what the child
// would have no right to set. The goroutine is locked to its thread.
func (a Attributes) WithScheduling(f func() error) (err error) {
	var undo []func() error
	defer func() {
		for i := len(undo) - 1; i >= 0; i-- {
			err = errors.Join(err, undo[i]())
		}
	}()
	for _, set := range []func() (func() error, error){a.setAffinity, a.setNUMA, a.setIO, a.setPolicy} {
		u, err := set()
		if err != nil {
			return err
		}
		undo = append(undo, u)
	}
	return f()
}

func nothing() error { return nil }

func (a Attributes) setAffinity() (func() error, error) {
	if len(a.CPUAffinity) == 0 {
		return nothing, nil
	}
	var before, want unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	for _, cpu := range a.CPUAffinity {
		want.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &want); err != nil {
		return nil, fmt.Errorf("cannot bind the container to the CPUs of CPUAffinity: %w", err)
	}
	return func() error { return unix.SchedSetaffinity(0, &before) }, nil
}

// numaModes are MPOL_* of include/uapi/linux/mempolicy.h.
var numaModes = [...]string{"default", "preferred", "bind", "interleave", "local"}

// maxNode bounds the node mask, as the kernel's largest configuration does.
const maxNode = 1024

func (a Attributes) setNUMA() (func() error, error) {
	if a.NUMA == nil {
		return nothing, nil
	}
	mode := -1
	for number, name := range numaModes {
		if name == a.NUMA.Policy {
			mode = number
		}
	}
	var mask [maxNode / 64]uint64
	for _, node := range a.NUMA.Nodes {
		if node < 0 || node >= maxNode {
			return nil, fmt.Errorf("cannot set the NUMA policy: node %d is beyond %d", node, maxNode-1)
		}
		mask[node/64] |= 1 << (node % 64)
	}
	if err := setMempolicy(mode, &mask, len(a.NUMA.Nodes) > 0); err != nil {
		return nil, fmt.Errorf("cannot set the NUMA policy: set_mempolicy: %w", err)
	}
	return func() error { return setMempolicy(0, &mask, false) }, nil
}

func setMempolicy(mode int, mask *[maxNode / 64]uint64, nodes bool) error {
	var at, size uintptr
	if nodes {
		at, size = uintptr(unsafe.Pointer(mask)), maxNode+1 // the kernel takes one less
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SET_MEMPOLICY, uintptr(mode), at, size); errno != 0 {
		return errno
	}
	return nil
}

// ioClasses are IOPRIO_CLASS_* of include/uapi/linux/ioprio.h.
var ioClasses = [...]string{"none", "realtime", "best-effort", "idle"}

const ioprioWhoProcess = 1 // with 0: this thread

func (a Attributes) setIO() (func() error, error) {
	if a.IO == nil {
		return nothing, nil
	}
	value := a.IO.Priority
	for number, name := range ioClasses {
		if name == a.IO.Class {
			value |= number << 13
		}
	}
	before, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, 0, 0)
	if errno != 0 {
		return nil, fmt.Errorf("ioprio_get: %w", errno)
	}
	if err := setIOPriority(value); err != nil {
		return nil, err
	}
	return func() error { return setIOPriority(int(before)) }, nil
}

func setIOPriority(value int) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, uintptr(value)); errno != 0 {
		return fmt.Errorf("ioprio_set: %w", errno)
	}
	return nil
}

// policies are SCHED_* of sched(7).
var policies = map[string]uint32{
	"other": unix.SCHED_NORMAL, "batch": unix.SCHED_BATCH, "idle": unix.SCHED_IDLE,
	"fifo": unix.SCHED_FIFO, "rr": unix.SCHED_RR, "ext": 7,
}

// setPolicy sets the scheduling policy and the nice value, which is one of its
// parameters.
func (a Attributes) setPolicy() (func() error, error) {
	if a.Scheduler == nil && a.Nice == nil {
		return nothing, nil
	}
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return nil, fmt.Errorf("sched_getattr: %w", err)
	}
	want := *before
	if a.Nice != nil {
		want.Nice = int32(*a.Nice)
	}
	if s := a.Scheduler; s != nil {
		want.Policy, want.Priority = policies[s.Policy], uint32(s.Priority)
	}
	if err := unix.SchedSetAttr(0, &want, 0); err != nil {
		return nil, fmt.Errorf("cannot set the CPU scheduling: sched_setattr: %w", err)
	}
	return func() error { return unix.SchedSetAttr(0, before, 0) }, nil
}

// SetOOMScoreAdjust sets it for a process. See proc_pid_oom_score_adj(5).
func SetOOMScoreAdjust(pid, value int) error {
	path := "/proc/" + strconv.Itoa(pid) + "/oom_score_adj"
	if err := os.WriteFile(path, []byte(strconv.Itoa(value)), 0); err != nil {
		return fmt.Errorf("cannot set OOMScoreAdjust: %w", err)
	}
	return nil
}

// SetCoredumpFilter sets what of a process' memory core dumps have. An exec keeps
// it. See core(5).
func SetCoredumpFilter(pid int, filter uint64) error {
	path := "/proc/" + strconv.Itoa(pid) + "/coredump_filter"
	if err := os.WriteFile(path, fmt.Appendf(nil, "%#x", filter), 0); err != nil {
		return fmt.Errorf("cannot set CoredumpFilter: %w", err)
	}
	return nil
}

// NUMANodes returns the CPUs of each node of the machine. See the kernel's
// Documentation/ABI/stable/sysfs-devices-node.
func NUMANodes() (map[int][]int, error) {
	const dir = "/sys/devices/system/node"
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without NUMA
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the NUMA nodes: %w", err)
	}
	nodes := map[int][]int{}
	for _, e := range entries {
		digits, isNode := strings.CutPrefix(e.Name(), "node")
		number, err := strconv.Atoi(digits)
		if !isNode || err != nil {
			continue
		}
		list, err := os.ReadFile(dir + "/" + e.Name() + "/cpulist")
		if err != nil {
			return nil, fmt.Errorf("cannot read the CPUs of NUMA node %d: %w", number, err)
		}
		if nodes[number], err = parseCPUList(strings.TrimSpace(string(list))); err != nil {
			return nil, fmt.Errorf("cannot read the CPUs of NUMA node %d: %w", number, err)
		}
	}
	return nodes, nil
}

// parseCPUList reads the kernel's "0-3,8".
func parseCPUList(list string) ([]int, error) {
	var cpus []int
	if list == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		low, err := strconv.Atoi(first)
		high := low
		if err == nil && isRange {
			high, err = strconv.Atoi(last)
		}
		if err != nil {
			return nil, err
		}
		for cpu := low; cpu <= high; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
