package launcher

import (
	"errors"
	"os"

	"berth/units"

	"golang.org/x/sys/unix"
)

// logStream is one of the payload's streams in the journal. Every write names the
// container's PID 1 as its sender, as root may (unix(7), SCM_CREDENTIALS), so
// that journald finds the lines' unit by that process' cgroup: it believes the
// unit in a stream's header only of senders that belong to none.
type logStream struct {
	stream *os.File
	sender []byte // control message
}

func openJournal(p *Plan, priority int) (*logStream, error) {
	stream, err := units.OpenJournalStream(units.Stream{Identifier: p.Name, Unit: p.Unit.Scope, Priority: priority})
	if err != nil {
		return nil, err
	}
	return &logStream{stream: stream}, nil
}

// from sets the sender.
func (j *logStream) from(pid int, id uint32) {
	if j != nil {
		j.sender = unix.UnixCredentials(&unix.Ucred{Pid: int32(pid), Uid: id, Gid: id})
	}
}

// Write implements io.Writer. Without a journal it does nothing.
func (j *logStream) Write(data []byte) (int, error) {
	if j == nil {
		return len(data), nil
	}
	written := 0
	for written < len(data) {
		n, err := unix.SendmsgN(int(j.stream.Fd()), data[written:], j.sender, nil, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ESRCH) && j.sender != nil:
			j.sender = nil // the process is gone; now journald goes by the header
		case err != nil:
			return written, err
		}
		written += max(n, 0)
	}
	return written, nil
}

func (j *logStream) close() {
	if j != nil {
		j.stream.Close()
	}
}
