package launcher

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"berth/internal/nsinit"
	"berth/units"

	"golang.org/x/sys/unix"
)

// Stdio is where the payload's input comes from and its output goes.
type Stdio struct{ In, Out, Err *os.File } // In may be nil: none

// streams connects a payload to Stdio and to the journal.
type streams struct {
	outer  Stdio
	child  [3]*os.File // what the payload gets, until it is started
	pumps  sync.WaitGroup
	pipes  []*os.File              // berth's ends of the pipes for output
	logs   [2]*units.JournalStream // nil: there is no journal
	inPipe *os.File
}

// Priorities of the payload's lines in the journal. See syslog(3).
const (
	priorityOut = 6 // informational
	priorityErr = 3 // error
)

// connectStreams makes what the payload gets as its standard streams. Output goes
// through pipes, which can be copied to the journal as well and keep berth's own
// terminal out of the container. So does a pipe for input from a terminal; other
// input is passed as it is.
func connectStreams(outer Stdio, p nsinit.Process) (*streams, error) {
	s := &streams{outer: outer}
	if p.Terminal || p.Boot {
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

// log opens the payload's streams in the journal.
func (s *streams) log(p *Plan) (err error) {
	stream := units.Stream{Identifier: p.Log.Identifier, Unit: p.Unit.Scope, Facility: p.Log.Facility, LevelPrefix: p.Log.LevelPrefix}
	for i, priority := range []int{p.Log.Out, p.Log.Err} {
		stream.Priority = priority
		if s.logs[i], err = units.OpenJournalStream(stream); err != nil {
			return err
		}
	}
	return nil
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

// sender makes the lines in the journal those of the process pid, whose user is
// id.
func (s *streams) sender(pid int, id uint32) {
	for _, log := range s.logs {
		log.From(pid, id)
	}
}

// introduce has journald look who is going to log while it can see what holds
// for that: the container may have ended when it gets to the first line. It keeps
// no empty line.
func (s *streams) introduce(pid int, id uint32) {
	s.sender(pid, id)
	for _, log := range s.logs {
		if _, err := log.Write([]byte("\n")); err == nil {
			log.Settle(introduction)
		}
	}
}

// pump starts to copy, once the payload has its ends.
func (s *streams) pump() {
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
func copyOutput(from io.ReadCloser, to *os.File, log *units.JournalStream) {
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
		if pipe, ok := from.(*os.File); ok && errors.Is(err, os.ErrDeadlineExceeded) {
			drain(pipe, to, log, buf)
		}
		if err != nil {
			return
		}
	}
}

// mostPiped is the most that a pipe holds for an ordinary user: pipe(7).
const mostPiped = 1 << 20

// drain copies what is in a pipe already.
func drain(from, to *os.File, log *units.JournalStream, buf []byte) {
	raw, err := from.SyscallConn()
	if err != nil {
		return
	}
	for total, n := 0, 0; total < mostPiped; total += n {
		var readErr error
		err := raw.Control(func(fd uintptr) { n, readErr = unix.Read(int(fd), buf) })
		if errors.Is(readErr, unix.EINTR) {
			n = 0
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		_, _ = log.Write(buf[:n]) // the last lines: no use in giving up on it
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// expire makes the pumps stop once the pipes are empty, though somebody may
// still hold their other ends.
func (s *streams) expire() {
	for _, pipe := range s.pipes {
		_ = pipe.SetReadDeadline(time.Unix(1, 0)) // os.Pipe makes pipes that have deadlines
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
		log.Close()
	}
}
