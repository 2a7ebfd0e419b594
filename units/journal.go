package units

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// journalSocket is where journald takes streams: systemd-journald.service(8).
const journalSocket = "/run/systemd/journal/stdout"

// Stream says how journald records the lines of a stream.
type Stream struct {
	Identifier  string // SYSLOG_IDENTIFIER; "" is the name of the writing process
	Unit        string // whose lines they are when the writer has ended before journald looks; else its own unit counts. Only root's word is taken for it
	Priority    int    // 0 (emerg) to 7 (debug), of a line without a prefix
	Facility    int    // as syslog(3) counts them, 0 to 23: LOG_KERN, which no program is, for none
	LevelPrefix bool   // lines may begin with "<N>", their priority: sd-daemon(3)
}

// JournalStream is an open stream to the journal: each line that is written is
// an entry. Writing blocks while journald is behind. A nil *JournalStream takes
// everything and keeps nothing.
type JournalStream struct {
	file   *os.File
	sender []byte // control message
}

// OpenJournalStream opens a stream to the journal.
func OpenJournalStream(s Stream) (*JournalStream, error) {
	f, err := openStream(journalSocket, s)
	if err != nil {
		return nil, fmt.Errorf("cannot open a journal stream: %w", err)
	}
	return &JournalStream{file: f}, nil
}

// From makes the entries those of another process, as root may (unix(7),
// SCM_CREDENTIALS). journald finds the unit of an entry by the sender's cgroup
// and believes Stream.Unit only of a sender that is in none. id is the user and
// group that the entries shall have.
func (j *JournalStream) From(pid int, id uint32) {
	if j != nil {
		j.sender = unix.UnixCredentials(&unix.Ucred{Pid: int32(pid), Uid: id, Gid: id})
	}
}

// Write implements io.Writer.
func (j *JournalStream) Write(data []byte) (int, error) {
	if j == nil {
		return len(data), nil
	}
	defer runtime.KeepAlive(j.file)
	written := 0
	for written < len(data) {
		n, err := unix.SendmsgN(int(j.file.Fd()), data[written:], j.sender, nil, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ESRCH) && j.sender != nil:
			j.sender = nil // the process is gone; now journald goes by Stream.Unit
		case err != nil:
			return written, err
		}
		written += max(n, 0)
	}
	return written, nil
}

// Settle waits until journald has read all that was written, and so has looked
// who the writer is and what holds for it; but no longer than timeout.
func (j *JournalStream) Settle(timeout time.Duration) {
	if j == nil {
		return
	}
	defer runtime.KeepAlive(j.file)
	for end := time.Now().Add(timeout); time.Now().Before(end); time.Sleep(time.Millisecond) {
		// What a local socket's other end has not read yet: unix(7), SIOCOUTQ.
		unread, err := unix.IoctlGetInt(int(j.file.Fd()), unix.SIOCOUTQ)
		if err != nil || unread == 0 {
			return
		}
	}
}

// Close implements io.Closer.
func (j *JournalStream) Close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

func openStream(socket string, s Stream) (*os.File, error) {
	if strings.ContainsFunc(s.Identifier+s.Unit, isControl) {
		return nil, errors.New("the identifier or the unit has a line break or a control character")
	}
	if s.Priority < 0 || s.Priority > 7 {
		return nil, fmt.Errorf("the priority must be from 0 to 7, not %d", s.Priority)
	}
	if s.Facility < 0 || s.Facility > 23 {
		return nil, fmt.Errorf("the facility must be from 0 to 23, not %d", s.Facility)
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.CloseRead(); err != nil {
		return nil, err
	}
	// Room for a burst of lines, as sd_journal_stream_fd(3) makes it. The
	// kernel's limit may be lower, and then lines wait for journald.
	_ = conn.SetWriteBuffer(8 << 20)
	if _, err := conn.Write(s.header()); err != nil {
		return nil, err
	}
	return blockingFile(conn)
}

// header is what the stream begins with: seven lines, of which the last three
// ask for no copies to syslog, the kernel's log and the console.
func (s Stream) header() []byte {
	prefix := "0"
	if s.LevelPrefix {
		prefix = "1"
	}
	return []byte(strings.Join([]string{s.Identifier, s.Unit, strconv.Itoa(s.Facility<<3 | s.Priority), prefix, "0", "0", "0", ""}, "\n"))
}

// blockingFile duplicates conn. Programs expect a standard output that blocks,
// which Go's sockets don't.
func blockingFile(conn *net.UnixConn) (*os.File, error) {
	f, err := conn.File()
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err == nil {
		controlErr := raw.Control(func(fd uintptr) { err = syscall.SetNonblock(int(fd), false) })
		err = errors.Join(controlErr, err)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
