package kernel

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// IDMap says which IDs of one range are which of another, as a line of
// /proc/PID/uid_map does. Container is the ID inside the user namespace or,
// for an idmapped mount, on disk; Host is the ID that the kernel works with.
type IDMap struct {
	Container int `json:"containerID"`
	Host      int `json:"hostID"`
	Size      int `json:"size"`
}

// NewUserNS makes a user namespace with the given maps and no process in it,
// and returns its descriptor: what mount_setattr(2) takes as the ID map of a
// mount. The namespace lives as long as the descriptor and the mounts.
func NewUserNS(uids, gids []IDMap) (*os.File, error) {
	// The child stops at its exec, before anything of it has run, and is
	// killed there: only its namespace is wanted. Ptrace belongs to a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	process, err := os.StartProcess("/proc/self/exe", []string{"berth-userns"}, &os.ProcAttr{
		Sys: &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: SysProcIDMap(uids),
			GidMappings: SysProcIDMap(gids),
			Ptrace:      true,
			Pdeathsig:   syscall.SIGKILL,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make a user namespace: %w", err)
	}
	defer func() {
		_ = process.Kill()
		_, _ = process.Wait()
	}()
	return OpenNS(process.Pid, "user")
}

// SysProcIDMap converts to what package syscall takes.
func SysProcIDMap(maps []IDMap) []syscall.SysProcIDMap {
	out := make([]syscall.SysProcIDMap, len(maps))
	for i, m := range maps {
		out[i] = syscall.SysProcIDMap{ContainerID: m.Container, HostID: m.Host, Size: m.Size}
	}
	return out
}

// OpenNS opens a namespace of a process: "user", "mnt", "cgroup" and so on, as
// in /proc/PID/ns.
func OpenNS(pid int, kind string) (*os.File, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		return nil, fmt.Errorf("cannot open the %s namespace of PID %d: %w", kind, pid, err)
	}
	return f, nil
}
