package trace

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"berth/test/require"

	"golang.org/x/sys/unix"
)

// socketFD is where a listened process has the socket to who listens.
const socketFD = 3

// becomeListened turns this process into a command that is listened to. It
// returns only with an error.
func becomeListened(args []string) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := NotifyFilter(socketFD)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	data, rights := []byte{0}, unix.UnixRights(0)
	message := unix.Msghdr{Iov: &unix.Iovec{Base: &data[0], Len: 1}, Iovlen: 1, Control: &rights[0], Controllen: uint64(len(rights))}
	// Between the two calls nobody answers: the runtime must not make any of its own.
	debug.SetGCPercent(-1)
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	*(*int32)(unsafe.Pointer(&rights[unix.CmsgLen(0)])) = int32(fd)
	_, _, errno = unix.RawSyscall(unix.SYS_SENDMSG, socketFD, uintptr(unsafe.Pointer(&message)), 0)
	runtime.KeepAlive(data)
	runtime.KeepAlive(rights)
	if errno != 0 {
		return errno
	}
	unix.CloseOnExec(socketFD)
	unix.CloseOnExec(int(fd))
	return unix.Exec(args[0], args, os.Environ())
}

// listen runs a command and records it by notification.
func listen(t *testing.T, dir string, args ...string) seen {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command(self, append([]string{"listened"}, args...)...)
	cmd.Dir, cmd.Env, cmd.ExtraFiles = dir, append(os.Environ(), "TMPDIR="+dir), []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	buffer, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(pair[0], buffer, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		cmd.Wait()
		require.That(t, false, "seccomp notification: "+out.String())
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	var s seen
	l, err := Listen(os.NewFile(uintptr(fds[0]), "listener"), Options{Watches: watches(), Use: func(u Use) { s.uses = append(s.uses, u) }})
	if err != nil {
		t.Fatal(err)
	}
	runErr := cmd.Wait()
	if s.Record, err = l.Stop(); err != nil {
		t.Fatal(err)
	}
	if runErr != nil {
		t.Fatalf("%s: %v\n%s", cmd, runErr, &out)
	}
	return s
}

func listenPayload(t *testing.T, name string) (seen, string) {
	t.Helper()
	require.Root(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return listen(t, dir, "/bin/sh", "-c", fmt.Sprintf("%q payload %q; exit $?", self, name)), dir
}

func TestListen(t *testing.T) {
	s, dir := listenPayload(t, "rename")
	self, _ := os.Executable()
	for _, want := range []Use{
		{Path: "/a", Access: Entry}, {Path: "/a/file", Access: Open, Flags: unix.O_WRONLY | unix.O_CREAT},
		{Path: "/a/file", Access: Entry}, {Path: "/b/file", Access: Entry},
	} {
		want.Path = dir + want.Path
		if !slices.Contains(s.uses, want) {
			t.Errorf("%+v is missing in %+v", want, s.uses)
		}
	}
	if !s.used(self, Execute) || !s.used("/bin/sh", Execute) {
		t.Errorf("an execution is missing in %+v", s.uses)
	}
	for _, number := range []int{unix.SYS_EXECVE, unix.SYS_EXIT_GROUP, unix.SYS_WAIT4} {
		if _, ok := s.call(number); !ok {
			t.Errorf("call %d is missing", number)
		}
	}
	if s.ChecksKnown {
		t.Error("notification tells nothing of capabilities")
	}
}

func TestListenArguments(t *testing.T) {
	s, _ := listenPayload(t, "bind")
	if want := (Address{Family: unix.AF_INET, Port: 3456, IP: [16]byte{127, 0, 0, 1}}); !slices.Contains(s.Addresses, want) {
		t.Errorf("got %+v, want %+v", s.Addresses, want)
	}
	want := Argument{Call: Call{Native, unix.SYS_SOCKET}, Values: [2]uint64{unix.AF_INET, unix.SOCK_STREAM}}
	if !slices.Contains(s.Arguments, want) {
		t.Errorf("got %+v, want %+v", s.Arguments, want)
	}
	s, dir := listenPayload(t, "bind a path")
	if !s.used(filepath.Join(dir, "there.sock"), Entry) {
		t.Errorf("no entry there.sock in %+v", s.uses)
	}
}

func TestListenPassesOverWhatFails(t *testing.T) {
	s, dir := listenPayload(t, "what fails")
	checkWhatFails(t, s, dir)
}

// Those that go on after the end get an error, and nobody hangs.
func TestListenStops(t *testing.T) {
	require.Root(t)
	start := time.Now()
	listen(t, "/", "/bin/sh", "-c", "sleep 3 >/dev/null 2>&1 & :")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}
