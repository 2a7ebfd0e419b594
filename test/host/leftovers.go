package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// pidNamespace names the host's PID namespace, as /proc/PID/ns/pid does; "" if
// the host never ran.
func (h *Host) pidNamespace() string {
	name, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(h.state.Init), "ns/pid"))
	return name
}

// leftovers looks for what a host that was removed still has on the machine.
// Processes get two seconds, as those that were killed take a moment to go.
func leftovers(id, pidns string) error {
	deadline := time.Now().Add(2 * time.Second)
	for {
		err := errors.Join(leftProcesses(pidns), leftMounts(id), leftDirectories(id))
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func leftProcesses(pidns string) error {
	if pidns == "" {
		return nil
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		return err
	}
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && name == pidns {
			return fmt.Errorf("the host left the process of %s", link)
		}
	}
	return nil
}

// leftMounts looks into every process's mount namespace: a mount of the host
// may have propagated anywhere.
func leftMounts(id string) error {
	tables, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		return err
	}
	for _, table := range tables {
		data, err := os.ReadFile(table)
		if err != nil {
			continue // the process has ended
		}
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, hostDir(id)+"/") {
				return fmt.Errorf("the host left a mount in %s: %s", table, strings.TrimSpace(line))
			}
		}
	}
	return nil
}

func leftDirectories(id string) error {
	cgroup, err := hostCgroup(id)
	if err != nil {
		return err
	}
	for _, dir := range []string{string(cgroup), hostDir(id)} {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the host left %s", dir)
		}
	}
	return nil
}
