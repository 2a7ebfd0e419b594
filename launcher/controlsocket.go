package launcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"berth/internal/nsinit"
	"berth/mountguard"

	"golang.org/x/sys/unix"
)

// controlSocket, in a container's state directory, is how other berth processes reach
// its supervisor. Only root can connect. A connection carries one request, behind
// which the asker shuts its side, and one reply, both in JSON.
const controlSocket = "control"

// controlTimeout is how long either side waits for the other; changeTimeout is how
// long a change of the container's mounts may take beside that.
const (
	controlTimeout = 5 * time.Second
	changeTimeout  = 8 * time.Second
)

// maxRequest is far more bytes than any request has.
const maxRequest = 1 << 16

// controlRequest asks for one of these things; for a report if it has none.
type controlRequest struct {
	Listen bool    `json:"listen,omitempty"` // to the listeners that come along, of commands started in the container
	Bind   *Bind   `json:"bind,omitempty"`
	Unbind *Unbind `json:"unbind,omitempty"`
}

// controlReply is the answer.
type controlReply struct {
	Error    string             `json:"error,omitempty"`
	Warnings []string           `json:"warnings,omitempty"` // of a bind
	Counts   []mountguard.Count `json:"counts,omitempty"`   // of a report, where there is a guard
	Added    []Added            `json:"added,omitempty"`    // of a report
}

// controlServer answers on the socket.
type controlServer struct {
	guard  *mountguard.Guard // nil: there is none
	binder *binder
	socket *net.UnixListener
}

func serveControl(dir string, g *mountguard.Guard, b *binder) (*controlServer, error) {
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, controlSocket), Net: "unix"})
	if err != nil {
		return nil, cannot("make the control socket", err)
	}
	s := &controlServer{guard: g, binder: b, socket: socket}
	go s.accept()
	return s, nil
}

func (s *controlServer) close() { s.socket.Close() }

func (s *controlServer) accept() {
	for {
		conn, err := s.socket.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors are left, for example
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go s.answer(conn)
	}
}

// answer serves one connection.
func (s *controlServer) answer(conn *net.UnixConn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(controlTimeout))
	request, files, err := receiveRequest(conn)
	var reply controlReply
	if err == nil {
		reply, err = s.do(request, files)
	} else {
		nsinit.CloseAll(files)
	}
	if err != nil {
		reply.Error = err.Error()
	}
	_ = conn.SetDeadline(time.Now().Add(controlTimeout))
	_ = json.NewEncoder(conn).Encode(reply) // who has asked may be gone
}

// do does what a request asks for. It takes the files over.
func (s *controlServer) do(request controlRequest, files []*os.File) (reply controlReply, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), changeTimeout)
	defer cancel()
	switch {
	case request.Listen:
		return reply, s.listen(files)
	case request.Bind != nil:
		reply.Warnings, err = s.binder.bind(ctx, *request.Bind)
	case request.Unbind != nil:
		err = s.binder.unbind(ctx, *request.Unbind)
	default:
		if s.guard != nil {
			reply.Counts = s.guard.Counts()
		}
		reply.Added, err = s.binder.list()
	}
	nsinit.CloseAll(files)
	return reply, err
}

// listen gives listeners to the guard.
func (s *controlServer) listen(files []*os.File) error {
	if s.guard == nil {
		nsinit.CloseAll(files)
		return errors.New("it has no mountguard")
	}
	var errs []error
	for _, f := range files {
		errs = append(errs, s.guard.Add(f))
	}
	return errors.Join(errs...)
}

// receiveRequest reads a request, and the files that have come with it.
func receiveRequest(conn *net.UnixConn) (request controlRequest, files []*os.File, err error) {
	data, oob := make([]byte, maxRequest), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(data, oob)
	if err != nil {
		return request, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return request, nil, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "listener"))
		}
	}
	rest, err := io.ReadAll(io.LimitReader(conn, int64(maxRequest-n)))
	if err != nil {
		return request, files, err
	}
	return request, files, json.Unmarshal(append(data[:n], rest...), &request)
}

// ask asks the supervisor of a container. file, if not nil, goes along. It waits for
// the answer as long as ctx lasts, with the time that what is asked for takes.
func ask(ctx context.Context, name string, request controlRequest, file *os.File, takes time.Duration) (controlReply, error) {
	var reply controlReply
	data, err := json.Marshal(request)
	if err != nil {
		return reply, err
	}
	if len(data) > maxRequest {
		return reply, errors.New("too long")
	}
	path := filepath.Join(StateDir, name, controlSocket)
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return reply, cannot("reach the container's supervisor", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(controlTimeout + takes))
	var rights []byte
	if file != nil {
		rights = unix.UnixRights(int(file.Fd()))
	}
	_, _, err = conn.WriteMsgUnix(data, rights, nil)
	if err == nil {
		err = conn.CloseWrite()
	}
	if err == nil {
		data, err = io.ReadAll(conn)
	}
	switch {
	case ctx.Err() != nil:
		return reply, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return reply, errors.New("the container's supervisor does not answer")
	case err != nil:
		return reply, cannot("reach the container's supervisor", err)
	case len(data) == 0:
		return reply, errors.New("the container's supervisor has ended")
	}
	if err := json.Unmarshal(data, &reply); err != nil {
		return reply, cannot("understand the container's supervisor", err)
	}
	if reply.Error != "" {
		return reply, errors.New(reply.Error)
	}
	return reply, nil
}

// giveListener gives the listener of a command in a container to its guard.
func giveListener(name string, listener *os.File) error {
	_, err := ask(context.Background(), name, controlRequest{Listen: true}, listener, 0)
	if err != nil {
		return fmt.Errorf("cannot have the container's mountguard listen: %w", err)
	}
	return nil
}
