package units

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// journalSocket is where journald takes streams: systemd-journald.service(8).
const journalSocket = "/run/systemd/journal/stdout"

// Stream says how journald records the lines of a stream.
type Stream struct {
	Identifier  string // SYSLOG_IDENTIFIER; "" is the name of the writing process
	Unit        string // whose lines they are when the writer has ended before journald looks; else its own unit counts. Only root's word is taken for it
	Priority    int    // 0 (emerg) to 7 (debug), of a line without a prefix
	LevelPrefix bool   // lines may begin with "<N>", their priority: sd-daemon(3)
}

// OpenJournalStream opens a stream to the journal, for standard output and
// error of a process: each line is an entry. The file can only be written to,
// blocks, and is closed on exec.
func OpenJournalStream(s Stream) (*os.File, error) {
	f, err := openStream(journalSocket, s)
	if err != nil {
		return nil, fmt.Errorf("cannot open a journal stream: %w", err)
	}
	return f, nil
}

func openStream(socket string, s Stream) (*os.File, error) {
	if strings.ContainsFunc(s.Identifier+s.Unit, isControl) {
		return nil, errors.New("the identifier or the unit has a line break or a control character")
	}
	if s.Priority < 0 || s.Priority > 7 {
		return nil, fmt.Errorf("the priority must be from 0 to 7, not %d", s.Priority)
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
	return []byte(strings.Join([]string{s.Identifier, s.Unit, strconv.Itoa(s.Priority), prefix, "0", "0", "0", ""}, "\n"))
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
