package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A cgroup is a directory of the machine's cgroup2 hierarchy.
type cgroup string

// cgroup2Mount finds the machine's cgroup2 hierarchy: /sys/fs/cgroup, or a
// directory below it where version 1 holds the controllers.
func cgroup2Mount() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", fmt.Errorf("cannot find the cgroup2 hierarchy: %v", err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1], nil
		}
	}
	return "", errors.New("cannot find the cgroup2 hierarchy: it is not mounted")
}

// hostCgroup is where the host with that id lives: at the top of the
// hierarchy, where every controller the machine has for version 2 is on offer.
func hostCgroup(id string) (cgroup, error) {
	mount, err := cgroup2Mount()
	return cgroup(filepath.Join(mount, "berth-host-"+id)), err
}

// make makes the cgroup and those above it.
func (c cgroup) make() error {
	if err := os.MkdirAll(string(c), 0o755); err != nil {
		return fmt.Errorf("cannot make a cgroup: %v", err)
	}
	return nil
}

// processes lists the PIDs directly in the cgroup, as this process sees them.
func (c cgroup) processes() ([]int, error) {
	data, err := os.ReadFile(filepath.Join(string(c), "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(string(data)) {
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// populated says whether a process lives in the cgroup or below it.
func (c cgroup) populated() bool {
	events, err := os.ReadFile(filepath.Join(string(c), "cgroup.events"))
	return err == nil && strings.Contains(string(events), "populated 1")
}

// kill sends SIGKILL to everything in the cgroup and below it.
func (c cgroup) kill() error {
	err := os.WriteFile(filepath.Join(string(c), "cgroup.kill"), []byte("1"), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot kill a cgroup: %v", err)
	}
	return nil
}

// remove removes the cgroup with all below it, waiting up to ten seconds for
// processes that are still dying.
func (c cgroup) remove() error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := c.removeTree()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (c cgroup) removeTree() error {
	var dirs []string
	err := filepath.WalkDir(string(c), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	for _, dir := range slices.Backward(dirs) {
		if e := os.Remove(dir); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
