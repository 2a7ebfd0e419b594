package integration

import (
	"bufio"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"berth/test/host"
)

// snapshot is what a container could leave on its host, as seen from outside:
// mounts, cgroups, processes of berth and its payloads, and runtime files.
type snapshot map[string]bool

// leavesNothing fails the test if, five seconds after its end, the host has
// anything that it did not have when leavesNothing was called. Tests that use
// it must not run in parallel on one host.
func leavesNothing(t *testing.T, h *host.Host) {
	t.Helper()
	before, err := takeSnapshot(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var left []string
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			after, err := takeSnapshot(h)
			if err != nil {
				t.Error(err)
				return
			}
			if left = after.minus(before); len(left) == 0 {
				return
			}
			if time.Now().After(deadline) {
				break
			}
		}
		t.Errorf("left on the host:\n%s", strings.Join(left, "\n"))
	})
}

func (s snapshot) minus(before snapshot) []string {
	maps.DeleteFunc(s, func(entry string, _ bool) bool { return before[entry] })
	return slices.Sorted(maps.Keys(s))
}

func takeSnapshot(h *host.Host) (snapshot, error) {
	s := snapshot{}
	for _, add := range []func(*host.Host) error{s.addMounts, s.addCgroups, s.addProcesses, s.addFiles} {
		if err := add(h); err != nil {
			return nil, fmt.Errorf("cannot look at the host: %v", err)
		}
	}
	return s, nil
}

// addMounts adds the mount table of the host's systemd, less the credentials
// that systemd mounts for its own services while they start.
func (s snapshot) addMounts(h *host.Host) error {
	file, err := os.Open(fmt.Sprintf("/proc/%d/mountinfo", h.PID()))
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if target := strings.Fields(lines.Text())[4]; !strings.HasPrefix(target, "/run/credentials/") {
			s["mount "+target] = true
		}
	}
	return lines.Err()
}

// addCgroups adds those where containers live, and any that berth's name is on.
func (s snapshot) addCgroups(h *host.Host) error {
	return filepath.WalkDir(h.CgroupDir(), func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		inside := strings.TrimPrefix(path, h.CgroupDir())
		if strings.HasPrefix(inside, "/machine.slice/") || strings.Contains(inside, "berth") {
			s["cgroup "+inside] = true
		}
		return nil
	})
}

// addProcesses adds the processes in the host's PID namespace and below that
// run berth or came from one of its commands: all that no unit other than a
// container's holds.
func (s snapshot) addProcesses(h *host.Host) error {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		cgroup, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		if err != nil {
			continue // it has ended
		}
		_, path, found := strings.Cut(string(cgroup), "0::/"+filepath.Base(h.CgroupDir())+"/")
		path, _, _ = strings.Cut(path, "\n")
		if !found || strings.HasPrefix(path, "system.slice/") && !strings.Contains(path, "berth") ||
			strings.HasPrefix(path, "user.slice/") || path == "init.scope" {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(dir, "comm"))
		s["process "+filepath.Base(dir)+" "+strings.TrimSpace(string(name))+" in "+path] = true
	}
	return nil
}

// addFiles adds berth's runtime files and ID blocks that are still locked.
func (s snapshot) addFiles(h *host.Host) error {
	root := filepath.Join("/proc", strconv.Itoa(h.PID()), "root")
	for _, dir := range []string{"run/berth", "var/lib/berth", "run/systemd/transient", "run/systemd/nspawn-uid"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err == nil && path != filepath.Join(root, dir) {
				s["file "+strings.TrimPrefix(path, root)] = true
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
