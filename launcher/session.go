package launcher

import (
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"berth/internal/kernel"
	"berth/units"

	"golang.org/x/sys/unix"
)

// session connects one process in a container with berth's own streams,
// terminal and signals: the payload, or a command beside it.
type session struct {
	stdio    Stdio
	streams  *streams
	terminal *terminal // nil: none
	typed    bool      // somebody types on the terminal
	console  *console  // not nil: the terminal is an init's
	target   *os.File  // pidfd that signals go to
	restore  func()
}

// signal passes a signal on.
func (s *session) signal(received os.Signal) {
	switch received {
	case unix.SIGPIPE:
	case unix.SIGWINCH:
		if s.terminal != nil && s.stdio.In != nil {
			s.terminal.resize(s.stdio.In)
		}
	default:
		_ = kernel.SignalPidfd(s.target, received.(syscall.Signal)) // it may have ended
	}
}

// begin starts to copy.
func (s *session) begin() {
	s.restore = func() {}
	s.streams.pump()
	if s.terminal == nil {
		return
	}
	var from io.ReadCloser = s.terminal.master
	if s.console != nil {
		from = s.console
	}
	var log *units.JournalStream
	if s.typed {
		if IsTerminal(s.stdio.In) {
			if restore, err := rawMode(s.stdio.In); err == nil {
				s.restore = sync.OnceFunc(restore)
			}
		}
		go typeInto(s.terminal.master, s.stdio.In)
	} else {
		log = s.streams.logs[0]
	}
	s.streams.pumps.Go(func() { copyOutput(from, s.stdio.Out, log) })
}

// grace is how long the pipes' other ends may be held after the process' end.
const grace = 200 * time.Millisecond

// end passes on what the process has written, and puts the terminal right. The
// pipes end with the last who holds them, at once as a rule. Others may: what a
// command left in the background, or whom the payload gave its descriptors.
// Nobody waits for these for long.
func (s *session) end() {
	defer time.AfterFunc(grace, s.streams.expire).Stop()
	if s.console != nil {
		s.console.hangUp()
	}
	s.streams.wait()
	s.restore()
}

// typeInto copies what is typed; at its end the process gets the terminal's
// end-of-file character.
func typeInto(master, in *os.File) {
	if _, err := io.Copy(master, in); err == nil {
		_, _ = master.Write([]byte{4})
	}
}
