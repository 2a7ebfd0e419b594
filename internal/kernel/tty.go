package kernel

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// OpenPTY opens a new pseudoterminal of the devpts instance that pts is the root
// of, without a look at any other path, and returns its master and its number.
// Its slave belongs to owner. See pty(7).
func OpenPTY(pts *os.File, owner Owner) (master *os.File, number int, err error) {
	err = As(owner, func() (err error) {
		// Not what somebody may have mounted on it.
		master, err = openat2(pts, "ptmx", unix.OpenHow{
			Flags:   unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS,
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		err = fmt.Errorf("ioctl TIOCSPTLCK: %w", err)
	} else if number, err = unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN); err != nil {
		err = fmt.Errorf("ioctl TIOCGPTN: %w", err)
	}
	if err != nil {
		master.Close()
		return nil, 0, err
	}
	return master, number, nil
}

// OpenPTYPeer opens the slave of a master. See ioctl_tty(2), TIOCGPTPEER.
func OpenPTYPeer(master *os.File, number int) (*os.File, error) {
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	slave, _, errno := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCGPTPEER, flags)
	runtime.KeepAlive(master)
	if errno != 0 {
		return nil, fmt.Errorf("ioctl TIOCGPTPEER: %w", errno)
	}
	return os.NewFile(slave, "/dev/pts/"+strconv.Itoa(number)), nil
}

// CopyWindowSize gives one terminal the window size of another.
func CopyWindowSize(from, to *os.File) error {
	size, err := unix.IoctlGetWinsize(int(from.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return fmt.Errorf("ioctl TIOCGWINSZ: %w", err)
	}
	err = unix.IoctlSetWinsize(int(to.Fd()), unix.TIOCSWINSZ, size)
	runtime.KeepAlive(from)
	runtime.KeepAlive(to)
	if err != nil {
		return fmt.Errorf("ioctl TIOCSWINSZ: %w", err)
	}
	return nil
}
