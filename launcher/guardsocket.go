package launcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"berth/mountguard"

	"golang.org/x/sys/unix"
)

// guardSocket, in a container's state directory, is how other berth processes
// reach its guard: with a listener of a command that they have started in the
// container, or else to ask for its counts. Only root can connect.
const guardSocket = "guard"

// guardTimeout is how long either side waits for the other.
const guardTimeout = 10 * time.Second

// guardServer answers on the socket.
type guardServer struct {
	guard  *mountguard.Guard
	socket *net.UnixListener
}

func serveGuard(dir string, g *mountguard.Guard) (*guardServer, error) {
	socket, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(dir, guardSocket), Net: "unixpacket"})
	if err != nil {
		return nil, cannot("make mountguard's socket", err)
	}
	s := &guardServer{guard: g, socket: socket}
	go s.accept()
	return s, nil
}

func (s *guardServer) close() { s.socket.Close() }

func (s *guardServer) accept() {
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

// guardReply is what the guard answers.
type guardReply struct {
	Error  string             `json:"error,omitempty"`
	Counts []mountguard.Count `json:"counts,omitempty"`
}

// answer serves one connection: one message each way.
func (s *guardServer) answer(conn *net.UnixConn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(guardTimeout))
	files, err := receiveFiles(conn)
	reply := guardReply{}
	switch {
	case err != nil:
		reply.Error = err.Error()
	case len(files) > 0:
		for _, f := range files {
			if err := s.guard.Add(f); err != nil {
				reply.Error = err.Error()
			}
		}
	default:
		reply.Counts = s.guard.Counts()
	}
	if data, err := json.Marshal(reply); err == nil {
		_, _ = conn.Write(data) // who has asked may be gone
	}
}

func receiveFiles(conn *net.UnixConn) ([]*os.File, error) {
	data, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(data, oob)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return nil, err
	}
	var files []*os.File
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
	return files, nil
}

// askGuard sends a file, or asks for the counts.
func askGuard(name string, file *os.File) (guardReply, error) {
	var reply guardReply
	path := filepath.Join(StateDir, name, guardSocket)
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return reply, cannot("reach the container's mountguard", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(guardTimeout))
	var rights []byte
	if file != nil {
		rights = unix.UnixRights(int(file.Fd()))
	}
	if _, _, err := conn.WriteMsgUnix([]byte{0}, rights, nil); err != nil {
		return reply, cannot("reach the container's mountguard", err)
	}
	data := make([]byte, 1<<16)
	n, err := conn.Read(data)
	if err != nil {
		return reply, cannot("reach the container's mountguard", err)
	}
	if err := json.Unmarshal(data[:n], &reply); err != nil {
		return reply, cannot("understand the container's mountguard", err)
	}
	if reply.Error != "" {
		return reply, fmt.Errorf("cannot have the container's mountguard listen: %s", reply.Error)
	}
	return reply, nil
}

// guardCounts asks a container's guard what has become of the calls so far.
// There are none where it has no guard.
func guardCounts(s *State) ([]mountguard.Count, error) {
	if !s.Guarded {
		return nil, nil
	}
	reply, err := askGuard(s.Name, nil)
	return reply.Counts, err
}
