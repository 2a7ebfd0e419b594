package nsinit

import (
	"errors"
	"fmt"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// restrict takes from the calling thread, and so from all that it forks and
// executes, what the payload must not have. payload.c goes on where Go can't
// run any more, or this process still has work to do.
func restrict(p Process) error {
	if err := kernel.BoundCaps(p.Attributes.Bounding); err != nil {
		return err
	}
	return p.Attributes.SetInherited()
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
