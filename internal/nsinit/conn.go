package nsinit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Names under which the launcher starts this binary, as argv[0].
const (
	SetupName = "berth-setup"   // the first process of a container
	InitName  = "berth-init"    // its PID 1, later; enter.c knows the name
	ExecName  = "berth-exec"    // a command in a container that runs; enter.c too
	CopyName  = "berth-archive" // what copies files into or out of one; enter.c too
	watchName = "berth-watch"   // what ends a system container whose supervisor was killed; enter.c too
)

// Descriptors that the launcher gives, behind the payload's own 0 to 2.
const (
	socketFD = 3 // *Conn's other end
	setupFD  = 4 // memfd with the Setup as JSON
	leaderFD = 5 // ExecName and CopyName only: a pidfd of the container's PID 1
)

// LauncherFD is the child's descriptor of the socket to the launcher.
const LauncherFD = socketFD

// Kind says what a message is about. A start goes ready, go, started, and then
// the child closes its end; failed may come before that, as its last word.
type Kind string

const (
	Ready   Kind = "ready"   // child: it lives; descriptors: one file system context for each of Setup.OpenFS
	Go      Kind = "go"      // launcher: the root is built; descriptors: cgroup.procs of the payload's cgroup, then the terminal if there is one
	Joined  Kind = "joined"  // child: it is in the namespaces as process PID (the launcher's numbering)
	Trapped Kind = "trapped" // child: the payload is next; descriptors: the listener of Process.Trap. Before or behind Started
	Started Kind = "started" // child: the payload runs; descriptors: its pidfd
	Skipped Kind = "skipped" // child, as CopyName: what Step names isn't copied, and why: Error
	Failed  Kind = "failed"  // child: Step did not work: Error; Status is what berth should exit with
)

// Message is one packet between launcher and child.
type Message struct {
	Kind   Kind   `json:"kind"`
	PID    int    `json:"pid,omitempty"`
	Step   string `json:"step,omitempty"`
	Error  string `json:"error,omitempty"`
	Status int    `json:"status,omitempty"`
	Record bool   `json:"record,omitempty"` // Go: Setup.Record takes the place of Process.Trap
}

// Conn carries messages and descriptors between launcher and child, in packets.
type Conn struct {
	f *os.File

	// OnTrap takes the listener that comes with a message Trapped. That message is
	// never returned.
	OnTrap func(listener *os.File) error
}

// maxFiles is the most descriptors that one message carries.
const maxFiles = 16

// Pair makes both ends: one for the launcher, and the file for the child.
func Pair() (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return &Conn{f: os.NewFile(uintptr(fds[0]), "child")}, os.NewFile(uintptr(fds[1]), "launcher"), nil
}

// Close closes the launcher's end, which ends a child that still waits.
func (c *Conn) Close() error { return c.f.Close() }

// Shut makes both ends see the end of the connection, from any thread.
func (c *Conn) Shut() {
	_ = unix.Shutdown(int(c.f.Fd()), unix.SHUT_RDWR) // fails where it has ended already
	runtime.KeepAlive(c)
}

// Send sends one message with descriptors, which stay the caller's.
func (c *Conn) Send(m Message, files ...*os.File) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	err = unix.Sendmsg(int(c.f.Fd()), data, rights, nil, unix.MSG_NOSIGNAL)
	runtime.KeepAlive(files)
	runtime.KeepAlive(c)
	if err != nil {
		return fmt.Errorf("sendmsg %s: %w", m.Kind, err)
	}
	return nil
}

// Receive waits for a message. The descriptors that come along are the
// caller's. The other end's death is io.EOF.
func (c *Conn) Receive() (Message, []*os.File, error) {
	for {
		m, files, err := c.receive()
		if err != nil || m.Kind != Trapped || c.OnTrap == nil {
			return m, files, err
		}
		if len(files) != 1 {
			CloseAll(files)
			return m, nil, errors.New("internal error: a trap without a listener")
		}
		if err := c.OnTrap(files[0]); err != nil {
			return m, nil, err
		}
	}
}

func (c *Conn) receive() (Message, []*os.File, error) {
	data := make([]byte, 4096)
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	var n, oobn int
	for {
		var err error
		n, oobn, _, _, err = unix.Recvmsg(int(c.f.Fd()), data, oob, unix.MSG_CMSG_CLOEXEC)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return Message{}, nil, fmt.Errorf("recvmsg: %w", err)
		}
	}
	runtime.KeepAlive(c)
	files, err := receivedFiles(oob[:oobn])
	if err != nil {
		return Message{}, nil, err
	}
	if n == 0 {
		CloseAll(files)
		return Message{}, nil, io.EOF
	}
	var m Message
	if err := json.Unmarshal(data[:n], &m); err != nil {
		CloseAll(files)
		return Message{}, nil, fmt.Errorf("cannot read a message: %w", err)
	}
	return m, files, nil
}

// ReceiveKind waits for a message of one kind; a failed one is its error, as
// *Failure.
func (c *Conn) ReceiveKind(kind Kind) (Message, []*os.File, error) {
	m, files, err := c.Receive()
	switch {
	case err != nil:
		return m, nil, err
	case m.Kind == Failed:
		CloseAll(files)
		return m, nil, &Failure{Step: m.Step, Cause: m.Error, Status: m.Status}
	case m.Kind != kind:
		CloseAll(files)
		return m, nil, fmt.Errorf("internal error: got message %q instead of %q", m.Kind, kind)
	}
	return m, files, nil
}

// ReceiveExec waits until the child that has said Started has become its program,
// or PID 1, which closes its end. From then on nothing that a container sends
// is listened to.
func (c *Conn) ReceiveExec() error {
	m, files, err := c.Receive()
	CloseAll(files)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil && m.Kind == Failed:
		return &Failure{Step: m.Step, Cause: m.Error, Status: m.Status}
	case err == nil:
		return fmt.Errorf("internal error: got message %q instead of an exec", m.Kind)
	}
	return err
}

func receivedFiles(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("recvmsg: %w", err)
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // credentials and the like, which nobody asked for
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), fmt.Sprintf("received:%d", fd)))
		}
	}
	return files, nil
}

// CloseAll closes files.
func CloseAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// Failure is what a child reports before it gives up.
type Failure struct {
	Step   string // what it tried
	Cause  string
	Status int // 125, 126 or 127, as berth should exit
}

func (f *Failure) Error() string { return fmt.Sprintf("cannot %s: %s", f.Step, f.Cause) }
