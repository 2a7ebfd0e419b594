package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CgroupRoot is where systemd mounts the unified hierarchy.
const CgroupRoot = "/sys/fs/cgroup"

// CgroupOf returns the path of a process in the unified hierarchy, below
// CgroupRoot, as /proc/PID/cgroup has it.
func CgroupOf(pid int) (string, error) {
	file := fmt.Sprintf("/proc/%d/cgroup", pid)
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot find the cgroup of PID %d: %w", pid, err)
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return path, nil
		}
	}
	return "", fmt.Errorf("cannot find the cgroup of PID %d: no unified hierarchy in %s", pid, file)
}

// DelegateCgroup gives a cgroup to owner: the directory, and of its files only
// those that the kernel names as safe to delegate, so that the limits set on
// the cgroup itself stay out of reach. See cgroups(7), "Cgroups delegation".
func DelegateCgroup(dir string, owner Owner) error {
	if err := os.Chown(dir, owner.UID, owner.GID); err != nil {
		return fmt.Errorf("cannot delegate the cgroup: %w", err)
	}
	for _, file := range delegateFiles() {
		err := os.Chown(filepath.Join(dir, file), owner.UID, owner.GID)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot delegate the cgroup: %w", err)
		}
	}
	return nil
}

// delegateFiles reads the kernel's own list; without one, the three that every
// kernel has.
func delegateFiles() []string {
	data, err := os.ReadFile("/sys/kernel/cgroup/delegate")
	if err != nil {
		return []string{"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}
	}
	return strings.Fields(string(data))
}

// CgroupPopulated tells whether there is a process in a cgroup or below it.
func CgroupPopulated(dir string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
	if err != nil {
		return false, fmt.Errorf("cannot read the state of a cgroup: %w", err)
	}
	return strings.Contains(string(data), "populated 1"), nil
}

// WarmUpMigration makes the next move of a process between cgroups fast. The
// kernel's lock for it (cgroup_threadgroup_rwsem) costs its first writer after
// a while an RCU grace period, some 5 ms; moving this process to where it is
// already pays that early, while other things are done. It changes nothing, and
// its failure doesn't matter. Not needed with the mount option favordynmods
// (Linux 6.0).
func WarmUpMigration() {
	path, err := CgroupOf(os.Getpid())
	if err != nil {
		return
	}
	_ = os.WriteFile(filepath.Join(CgroupRoot, path, "cgroup.procs"), []byte("0"), 0)
}
