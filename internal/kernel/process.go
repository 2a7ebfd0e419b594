package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// OpenPidfd opens a descriptor that stays with the process and never names
// another one that got its number later. See pidfd_open(2).
func OpenPidfd(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	return os.NewFile(uintptr(fd), "pidfd:"+strconv.Itoa(pid)), nil
}

// SignalPidfd sends a signal to the process of a pidfd.
func SignalPidfd(pidfd *os.File, signal unix.Signal) error {
	err := unix.PidfdSendSignal(int(pidfd.Fd()), signal, nil, 0)
	runtime.KeepAlive(pidfd)
	if err != nil {
		return fmt.Errorf("pidfd_send_signal: %w", err)
	}
	return nil
}

// PidfdEnds tells whether a process ends, or has ended, within a time. See
// pidfd_open(2).
func PidfdEnds(pidfd *os.File, within time.Duration) bool {
	defer runtime.KeepAlive(pidfd)
	end := []unix.PollFd{{Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	for deadline := time.Now().Add(within); ; {
		n, err := unix.Poll(end, int(max(time.Until(deadline), 0).Milliseconds()))
		if err != unix.EINTR {
			return err == nil && n > 0
		}
	}
}

// PidOfPidfd returns the process's number in the caller's PID namespace.
func PidOfPidfd(pidfd *os.File) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd()))
	runtime.KeepAlive(pidfd)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "Pid:"); ok {
			pid, err := strconv.Atoi(strings.TrimSpace(value))
			if err == nil && pid <= 0 {
				err = unix.ESRCH
			}
			return pid, err
		}
	}
	return 0, fmt.Errorf("cannot read the PID of %s: not a pidfd", pidfd.Name())
}

// StartTime returns when a process began, in clock ticks since boot: with the
// PID it names a process for good. See proc_pid_stat(5), field 22.
func StartTime(pid int) (uint64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	stat := string(data)
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // from field 3
	if len(fields) < 20 {
		return 0, fmt.Errorf("cannot parse /proc/%d/stat", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// Traced tells whether somebody traces this process. It needs the /proc of the
// tracer's PID namespace, or one above it. See proc_pid_status(5), TracerPid.
func Traced() (bool, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false, err
	}
	return !strings.Contains(string(status), "\nTracerPid:\t0\n"), nil
}

// WaitExited waits until a child has ended, and leaves it to be reaped: until
// then its number stays its own. See waitid(2), WNOWAIT.
func WaitExited(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// LockDir opens a directory and locks it without waiting. held tells that
// somebody else has it; no directory and no error, that it was removed
// meanwhile. See flock(2).
func LockDir(path string) (dir *os.File, held bool, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	dir = os.NewFile(uintptr(fd), path)
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		dir.Close()
		return nil, true, nil
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err != nil || st.Nlink == 0 {
		dir.Close()
		return nil, false, err
	}
	return dir, false, nil
}
