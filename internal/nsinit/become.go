package nsinit

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// restrict takes from the calling thread, and so from all that it forks and
// executes, what the payload must not have. Its user is not set here, since
// this process may still have work to do.
func restrict(p Process) error {
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil && err != unix.ENOSYS {
		return fmt.Errorf("keyctl KEYCTL_JOIN_SESSION_KEYRING: %w", err)
	}
	if err := kernel.BoundCaps(p.Capabilities); err != nil {
		return err
	}
	// What an ambient or inheritable set carries would outlive a change of user.
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_CAP_AMBIENT_CLEAR_ALL: %w", err)
	}
	if err := kernel.ClearInheritable(); err != nil {
		return err
	}
	unix.Umask(0o022)
	if p.NoNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("prctl PR_SET_NO_NEW_PRIVS: %w", err)
		}
	}
	return nil
}

// spawn forks the payload, in a session of its own, and returns its PID once
// its exec has succeeded. Held, it stays stopped there until enter.c lets it go:
// before this process is PID 1 in earnest, what it holds could be taken from it.
// That is done by tracing it, which only one can: a start that the host's root
// traces goes without.
func spawn(cmd command, terminal *os.File, hold bool) (int, error) {
	attr := &syscall.ProcAttr{
		Env:   cmd.env,
		Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{
			Setsid: true,
			Ptrace: hold,
			Credential: &syscall.Credential{
				Uid: uint32(cmd.uid), Gid: uint32(cmd.gid), Groups: unsigned(cmd.groups),
			},
		},
	}
	if terminal != nil {
		fd := terminal.Fd()
		attr.Files = []uintptr{fd, fd, fd}
		attr.Sys.Setctty = true
	}
	pid, err := syscall.ForkExec(cmd.path, cmd.args, attr)
	if err != nil {
		return 0, explain(cmd, err)
	}
	return pid, nil
}

// become turns this process into the payload.
func become(cmd command, terminal *os.File) error {
	if _, err := unix.Setsid(); err != nil && err != unix.EPERM { // EPERM: leads one already
		return fmt.Errorf("setsid: %w", err)
	}
	if terminal != nil {
		if err := takeTerminal(terminal); err != nil {
			return err
		}
	}
	if err := kernel.SetThreadUser(cmd.uid, cmd.gid, cmd.groups); err != nil {
		return err
	}
	if err := dieWithLauncher(); err != nil { // setting a user has cleared it
		return err
	}
	return explain(cmd, syscall.Exec(cmd.path, cmd.args, cmd.env))
}

// dieWithLauncher has the kernel kill this process when the launcher's thread
// that started it ends, however that comes, or has come already.
func dieWithLauncher() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_PDEATHSIG: %w", err)
	}
	launcher := []unix.PollFd{{Fd: socketFD}}
	if _, err := unix.Poll(launcher, 0); err != nil && err != unix.EINTR {
		return fmt.Errorf("poll: %w", err)
	}
	if launcher[0].Revents&unix.POLLHUP != 0 {
		return errors.New("the launcher is gone")
	}
	return nil
}

func takeTerminal(terminal *os.File) error {
	for fd := range 3 {
		if err := unix.Dup3(int(terminal.Fd()), fd, 0); err != nil {
			return fmt.Errorf("dup3: %w", err)
		}
	}
	if err := unix.IoctlSetInt(0, unix.TIOCSCTTY, 0); err != nil {
		return fmt.Errorf("ioctl TIOCSCTTY: %w", err)
	}
	return nil
}

// explain says why an exec failed. ENOENT for a file that is there means its
// interpreter.
func explain(cmd command, err error) error {
	f := execFailure(cmd.args[0], err)
	if err == syscall.ENOENT {
		if _, statErr := os.Stat(cmd.path); statErr == nil {
			f.Cause = "its interpreter (first line, or dynamic loader) is not in the container"
		}
	}
	return f
}

func unsigned(ids []int) []uint32 {
	out := make([]uint32, len(ids))
	for i, id := range ids {
		out[i] = uint32(id)
	}
	return out
}
