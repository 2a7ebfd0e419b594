package launcher

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Stdio is where the payload's input comes from and its output goes.
type Stdio struct{ In, Out, Err *os.File } // In may be nil: none

// streams connects a payload to Stdio and to the journal.
type streams struct {
	outer  Stdio
	child  [3]*os.File // what the payload gets, until it is started
	pumps  sync.WaitGroup
	pipes  []*os.File  // berth's ends of the pipes for output
	logs   [2]*journal // nil: there is no journal
	inPipe *os.File
}

// Priorities of the payload's lines in the journal. See syslog(3).
const (
	priorityOut = 6 // informational
	priorityErr = 3 // error
)

// connectStreams makes what the payload gets as its standard streams. Output goes
// through pipes, so that it reaches both berth's own and the journal. Input is
// passed as it is, but for a terminal: the container must not hold one of the
// host's.
func connectStreams(outer Stdio, p *Plan, warn func(string)) (*streams, error) {
	s := &streams{outer: outer}
	for i, priority := range []int{priorityOut, priorityErr} {
		log, err := openJournal(p, priority)
		if err != nil {
			warn("the container's output does not reach the journal: " + err.Error())
			break
		}
		s.logs[i] = log
	}
	if p.Setup.Process.Terminal || p.Setup.Process.Boot {
		s.outer.In = nil // its input is the terminal's, and an init has none
	}
	if err := s.openInput(); err != nil {
		s.closeAll()
		return nil, err
	}
	for i := range 2 {
		read, write, err := os.Pipe()
		if err != nil {
			s.closeAll()
			return nil, cannot("make a pipe", err)
		}
		s.child[i+1] = write
		s.pipes = append(s.pipes, read)
	}
	return s, nil
}

func (s *streams) openInput() error {
	if s.outer.In == nil {
		var err error
		s.child[0], err = os.Open(os.DevNull)
		return err
	}
	info, err := s.outer.In.Stat()
	switch {
	case err != nil:
		return cannot("use the standard input", err)
	case info.IsDir():
		return errors.New("cannot use a directory as the standard input: through it the container would reach the host's files")
	case IsTerminal(s.outer.In):
		read, write, err := os.Pipe()
		if err != nil {
			return cannot("make a pipe", err)
		}
		s.child[0], s.inPipe = read, write
		return nil
	}
	fd, err := unix.FcntlInt(s.outer.In.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return cannot("use the standard input", err)
	}
	s.child[0] = os.NewFile(uintptr(fd), "stdin")
	return nil
}

// pump starts to copy, once the payload has its ends. Its lines in the journal
// are those of the process pid, whose user is id.
func (s *streams) pump(pid int, id uint32) {
	for _, log := range s.logs {
		log.from(pid, id)
	}
	for i, to := range []*os.File{s.outer.Out, s.outer.Err} {
		s.pumps.Go(func() { copyOutput(s.pipes[i], to, s.logs[i]) })
	}
	if s.inPipe != nil {
		go func() {
			_, _ = io.Copy(s.inPipe, s.outer.In)
			s.inPipe.Close()
		}()
	}
}

// wait returns when all output has arrived.
func (s *streams) wait() {
	s.pumps.Wait()
	s.closeAll()
}

// copyOutput copies to berth's own stream and to the journal. When nobody reads
// the former any more, the payload gets to know as from any closed pipe. A
// journal that fails is done without.
func copyOutput(from, to *os.File, log *journal) {
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := log.Write(buf[:n]); err != nil {
				log = nil
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *streams) closeChild() {
	for i, f := range s.child {
		if f != nil {
			f.Close()
			s.child[i] = nil
		}
	}
}

func (s *streams) closeAll() {
	s.closeChild()
	for _, f := range s.pipes {
		f.Close()
	}
	for _, log := range s.logs {
		log.close()
	}
}
