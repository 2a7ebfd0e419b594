package launcher

import (
	"errors"
	"os"
	"strconv"
	"sync/atomic"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminal is a pseudoterminal of the container's own devpts.
type terminal struct {
	master *os.File // berth's side
	slave  *os.File // the payload's, until it is handed over
	number int      // /dev/pts/NUMBER
}

// openTerminal makes one through the devpts mount itself: no path of the
// container's is looked up. See ioctl_tty(2), TIOCGPTPEER.
func openTerminal(pts *os.File, owner kernel.Owner) (*terminal, error) {
	t := &terminal{}
	err := kernel.As(owner, func() (err error) {
		t.master, err = kernel.OpenIn(pts, "ptmx", unix.O_RDWR|unix.O_NOCTTY)
		return err
	})
	if err != nil {
		return nil, err
	}
	fd := int(t.master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, cannot("unlock the terminal", err)
	}
	if t.number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); err != nil {
		return nil, cannot("number the terminal", err)
	}
	t.slave, err = t.peer()
	return t, err
}

// peer opens the slave.
func (t *terminal) peer() (*os.File, error) {
	slave, _, errno := unix.Syscall(unix.SYS_IOCTL, t.master.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, cannot("open the terminal", errno)
	}
	return os.NewFile(slave, "/dev/pts/"+strconv.Itoa(t.number)), nil
}

// console is the terminal of an init, which opens and closes it, and has it hung
// up, as it likes. A master whose slave nobody has open reads EIO, so berth
// keeps one open until the end.
type console struct {
	*terminal
	ended atomic.Bool
}

// Read implements io.Reader.
func (c *console) Read(p []byte) (int, error) {
	for {
		n, err := c.master.Read(p)
		if !errors.Is(err, unix.EIO) || c.ended.Load() {
			return n, err
		}
		c.slave.Close()
		if c.slave, err = c.peer(); err != nil {
			return 0, err
		}
	}
}

// Close implements io.Closer.
func (c *console) Close() error { return c.master.Close() }

// hangUp ends the reading once all that was written is read.
func (c *console) hangUp() {
	c.ended.Store(true)
	c.slave.Close()
}

// openConsole opens the payload's terminal and returns it as a mount for
// /dev/console.
func (s *stage) openConsole(m Mount) (*os.File, error) {
	t, err := openTerminal(s.pts, s.owner())
	if err != nil {
		return nil, err
	}
	s.terminal = t
	node, err := kernel.OpenIn(s.pts, strconv.Itoa(t.number), unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer node.Close()
	return clone(node, 0, attributes(m.Flags))
}

// resize gives the terminal the window size of another one.
func (t *terminal) resize(from *os.File) {
	size, err := unix.IoctlGetWinsize(int(from.Fd()), unix.TIOCGWINSZ)
	if err == nil {
		_ = unix.IoctlSetWinsize(int(t.master.Fd()), unix.TIOCSWINSZ, size) // only a courtesy
	}
}

// IsTerminal tells whether a file is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// rawMode hands every key to the container; the returned function restores the
// terminal, once.
func rawMode(f *os.File) (restore func(), err error) {
	state, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return nil, cannot("set the terminal to raw mode", err)
	}
	return func() { _ = term.Restore(int(f.Fd()), state) }, nil
}
