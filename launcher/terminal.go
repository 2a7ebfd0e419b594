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
// container's is looked up.
func openTerminal(pts *os.File, owner kernel.Owner) (t *terminal, err error) {
	t = new(terminal)
	if t.master, t.number, err = kernel.OpenPTY(pts, owner); err != nil {
		return nil, cannot("open a terminal", err)
	}
	if t.slave, err = t.peer(); err != nil {
		t.master.Close()
		return nil, cannot("open a terminal", err)
	}
	return t, nil
}

// peer opens the slave.
func (t *terminal) peer() (*os.File, error) { return kernel.OpenPTYPeer(t.master, t.number) }

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

// resize gives the terminal the window size of another one. It is a courtesy:
// berth's own may be none.
func (t *terminal) resize(from *os.File) { _ = kernel.CopyWindowSize(from, t.master) }

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
