package trace

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"berth/test/require"

	"golang.org/x/sys/unix"
)

// TestMain lets the test program be what is traced: its first argument names a
// payload.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "payload":
		os.Exit(payload(os.Args[2]))
	case len(os.Args) > 2 && os.Args[1] == "listened":
		fmt.Fprintln(os.Stderr, becomeListened(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// payload does what a test traces.
func payload(name string) int {
	var err error
	switch name {
	case "nothing":
	case "socket":
		_, err = unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
	case "refused":
		if _, _, errno := unix.Syscall(maxCalls-1, 0, 0, 0); errno != unix.ENOSYS {
			err = errno
		}
	case "bind":
		var fd int
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Port: 3456, Addr: [4]byte{127, 0, 0, 1}})
		}
	case "bind a path":
		var fd int
		if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: "there.sock"})
		}
	case "chown":
		err = os.Lchown(os.Getenv("TMPDIR"), 1, 1)
	case "what fails":
		for _, there := range []string{"/", "/etc"} {
			if err := os.Mkdir(there, 0o755); !errors.Is(err, os.ErrExist) {
				return 1
			}
		}
		if _, err := os.Open("missing"); !errors.Is(err, os.ErrNotExist) {
			return 1
		}
		err = os.Mkdir("new", 0o755)
	case "rename":
		for _, dir := range []string{"a", "b"} {
			if err == nil {
				err = os.Mkdir(dir, 0o755)
			}
		}
		if err == nil {
			err = os.WriteFile("a/file", nil, 0o644)
		}
		if err == nil {
			err = unix.Renameat(unix.AT_FDCWD, "a/file", unix.AT_FDCWD, "b/file")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		return 1
	}
	return 0
}

// seen is what a recording came to.
type seen struct {
	Record
	uses []Use
}

func (s seen) used(path string, access Access) bool {
	return slices.ContainsFunc(s.uses, func(u Use) bool { return u.Path == path && u.Access == access })
}

func (s seen) call(number int) (Called, bool) {
	i := slices.IndexFunc(s.Calls, func(c Called) bool { return c.Call == Call{Native, number} })
	if i < 0 {
		return Called{}, false
	}
	return s.Calls[i], true
}

// watches are those of the tests.
func watches() []Watch {
	native := func(number int, w Watch) Watch {
		w.Call = Call{Native, number}
		return w
	}
	return []Watch{
		native(unix.SYS_OPENAT, Watch{Kind: PathAt, A: 1, B: 0, Flags: 2, Masks: [2]uint64{unix.O_ACCMODE | unix.O_CREAT}, Access: Open}),
		native(unix.SYS_MKDIRAT, Watch{Kind: PathAt, A: 1, B: 0, Flags: -1, Access: Entry}),
		native(unix.SYS_RENAMEAT, Watch{Kind: PathAt, A: 1, B: 0, Flags: -1, Access: Entry}),
		native(unix.SYS_RENAMEAT, Watch{Kind: PathAt, A: 3, B: 2, Flags: -1, Access: Entry}),
		native(unix.SYS_MMAP, Watch{Kind: File, B: 4, Flags: 2, Masks: [2]uint64{unix.PROT_EXEC}, Require: unix.PROT_EXEC, Access: Map}),
		native(unix.SYS_SOCKET, Watch{Kind: Values, A: 0, B: 1, Masks: [2]uint64{^uint64(0), 0xf}}),
		native(unix.SYS_BIND, Watch{Kind: Bound, A: 1, Flags: -1, Access: Entry}),
	}
}

// record runs a command in a cgroup of its own and records it.
func record(t *testing.T, dir, name string, args ...string) seen {
	t.Helper()
	cgroup := require.Cgroup(t)
	var s seen
	r, err := Start(Options{Cgroup: cgroup.Name(), Watches: watches(), Use: func(u Use) { s.uses = append(s.uses, u) }})
	var unavailable *UnavailableError
	require.That(t, !errors.As(err, &unavailable), "a kernel that lets programs trace it")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	out, runErr := cmd.CombinedOutput()
	if s.Record, err = r.Stop(); err != nil {
		t.Fatal(err)
	}
	if runErr != nil {
		t.Fatalf("%s: %v\n%s", cmd, runErr, out)
	}
	if s.Lost != 0 {
		t.Errorf("%d lost", s.Lost)
	}
	return s
}

// recordPayload records one of payload's, run by a shell that this program
// starts: what the test program itself runs is what its parent runs.
func recordPayload(t *testing.T, name string) (seen, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return record(t, dir, "/bin/sh", "-c", fmt.Sprintf("%q payload %q; exit $?", self, name)), dir
}

func TestCalls(t *testing.T) {
	s, _ := recordPayload(t, "refused")
	if c, ok := s.call(maxCalls - 1); !ok || !c.Refused {
		t.Errorf("a call that doesn't exist: %+v, %v, want refused", c, ok)
	}
	for _, number := range []int{unix.SYS_MMAP, unix.SYS_OPENAT, unix.SYS_EXIT_GROUP, unix.SYS_WAIT4} {
		if c, ok := s.call(number); !ok || c.Refused {
			t.Errorf("call %d: %+v, %v, want done", number, c, ok)
		}
	}
	if c, ok := s.call(unix.SYS_SWAPON); ok {
		t.Errorf("a call that nobody made: %+v", c)
	}
}

func TestCallThatNeverReturns(t *testing.T) {
	s := record(t, "/", "/bin/sh", "-c", "sleep 100 & sleep 0.1; kill -9 $!; wait; :")
	if _, ok := s.call(unix.SYS_CLOCK_NANOSLEEP); !ok {
		t.Error("the call in which a process was killed is missing")
	}
}

func TestArguments(t *testing.T) {
	s, _ := recordPayload(t, "socket")
	want := Argument{Call: Call{Native, unix.SYS_SOCKET}, Values: [2]uint64{unix.AF_INET6, unix.SOCK_DGRAM}}
	if !slices.ContainsFunc(s.Arguments, func(a Argument) bool { return a.Call == want.Call && a.Values == want.Values }) {
		t.Errorf("got %+v, want %+v", s.Arguments, want)
	}
}

func TestBound(t *testing.T) {
	s, _ := recordPayload(t, "bind")
	want := Address{Family: unix.AF_INET, Port: 3456, IP: [16]byte{127, 0, 0, 1}}
	if len(s.Addresses) != 1 || s.Addresses[0] != want {
		t.Errorf("got %+v, want %+v", s.Addresses, want)
	}
	s, dir := recordPayload(t, "bind a path")
	if !s.used(filepath.Join(dir, "there.sock"), Entry) {
		t.Errorf("no entry there.sock in %+v", s.uses)
	}
}

func TestPaths(t *testing.T) {
	s, dir := recordPayload(t, "rename")
	self, _ := os.Executable()
	for _, want := range []Use{
		{Path: "/a", Access: Entry},
		{Path: "/a/file", Access: Open, Flags: unix.O_WRONLY | unix.O_CREAT},
		{Path: "/a/file", Access: Entry},
		{Path: "/b/file", Access: Entry},
	} {
		found := slices.ContainsFunc(s.uses, func(u Use) bool {
			return u.Path == dir+want.Path && u.Access == want.Access && u.Flags == want.Flags
		})
		if !found {
			t.Errorf("%+v is missing in %+v", want, s.uses)
		}
	}
	if !s.used(self, Execute) {
		t.Errorf("the execution of %s is missing in %+v", self, s.uses)
	}
	if !slices.ContainsFunc(s.uses, func(u Use) bool { return u.Access == Map && strings.Contains(u.Path, "/libc") }) {
		t.Errorf("no libc mapped in %+v", s.uses)
	}
}

// What fails changes nothing.
func TestWhatFails(t *testing.T) {
	s, dir := recordPayload(t, "what fails")
	checkWhatFails(t, s, dir)
}

func checkWhatFails(t *testing.T, s seen, dir string) {
	t.Helper()
	if s.used("/etc", Entry) || s.used("/", Entry) || s.used(filepath.Join(dir, "missing"), Open) {
		t.Errorf("what failed is told: %+v", s.uses)
	}
	if !s.used(filepath.Join(dir, "new"), Entry) {
		t.Errorf("%s/new is missing in %+v", dir, s.uses)
	}
}

func TestScript(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n:\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := record(t, dir, "/bin/sh", "-c", "./script; exit $?")
	if !s.used(dir+"/./script", Execute) {
		t.Errorf("the script is missing in %+v", s.uses)
	}
	if !s.used("/usr/bin/dash", Execute) && !s.used("/bin/dash", Execute) {
		t.Errorf("its interpreter is missing in %+v", s.uses)
	}
}

func TestChecks(t *testing.T) {
	s, _ := recordPayload(t, "chown")
	require.That(t, s.ChecksKnown, "a kernel with the tracepoint cap_capable, Linux 6.15")
	want := Check{unix.CAP_CHOWN, Call{Native, unix.SYS_FCHOWNAT}}
	if !slices.Contains(s.Checks, want) {
		t.Errorf("got %+v, want %+v", s.Checks, want)
	}
	s, _ = recordPayload(t, "nothing")
	if slices.ContainsFunc(s.Checks, func(c Check) bool { return c.Capability == unix.CAP_CHOWN }) {
		t.Errorf("CAP_CHOWN for nothing: %+v", s.Checks)
	}
}

// What the parent runs as well isn't the payload: berth's own child is such.
func TestOwnProgramIsLeftOut(t *testing.T) {
	self, _ := os.Executable()
	s := record(t, t.TempDir(), self, "payload", "nothing")
	if len(s.Calls) > 0 || len(s.uses) > 0 {
		t.Errorf("recorded %d calls and %+v", len(s.Calls), s.uses)
	}
}

func TestOthersAreLeftOut(t *testing.T) {
	cgroup := require.Cgroup(t)
	r, err := Start(Options{Cgroup: cgroup.Name(), Watches: watches(), Use: func(u Use) { t.Errorf("told of %+v", u) }})
	var unavailable *UnavailableError
	require.That(t, !errors.As(err, &unavailable), "a kernel that lets programs trace it")
	if out, err := exec.Command("/bin/sh", "-c", "/bin/true; :").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := r.Stop()
	if err != nil || len(got.Calls) > 0 {
		t.Errorf("recorded %+v, %v", got, err)
	}
}

// Only a kernel that can't trace may lead to another way of recording: what is
// asked for wrongly is told.
func TestStartRefuses(t *testing.T) {
	cgroup := require.Cgroup(t)
	watch := Watch{Call: Call{Native, unix.SYS_SOCKET}, Kind: Values}
	for _, test := range []struct {
		name    string
		options Options
		want    string
	}{
		{"no cgroup", Options{Cgroup: cgroup.Name() + "/missing"}, "missing"},
		{"not a cgroup", Options{Cgroup: t.TempDir()}, "bad file descriptor"},
		{"no system call", Options{Cgroup: cgroup.Name(), Watches: []Watch{{Call: Call{Native, maxCalls}}}}, "no system call has the number 1024"},
		{"three watches of a call", Options{Cgroup: cgroup.Name(), Watches: []Watch{watch, watch, watch}}, "too many watches"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Start(test.options)
			var unavailable *UnavailableError
			require.That(t, !errors.As(err, &unavailable), "a kernel that lets programs trace it")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
