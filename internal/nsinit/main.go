package nsinit

/*
// enter.c runs before Go does.
#include "enter.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Main does a child's work and ends the process; in any other process it
// returns at once.
func Main() {
	var run func(*Conn, Setup) error
	switch os.Args[0] {
	case SetupName:
		run = start
	case ExecName:
		run = execute
	case CopyName:
		run = copyTree
	default:
		return
	}
	// Namespaces, keyrings, capabilities and the parent-death signal belong to
	// a thread: everything from here to exec happens on this one.
	runtime.LockOSThread()
	conn := &Conn{f: os.NewFile(socketFD, "launcher")}
	err := inherit()
	if err == nil {
		var s Setup
		if s, err = readSetup(os.NewFile(setupFD, "setup")); err == nil {
			err = run(conn, s)
		}
	}
	conn.fail(err)
}

// fail tells the launcher why there is no payload, and ends this process.
func (c *Conn) fail(err error) {
	failure := &Failure{Step: "start the container", Status: 125}
	if err != nil && !errors.As(err, &failure) {
		failure.Cause = err.Error()
	}
	_ = c.Send(Message{Kind: Failed, Step: failure.Step, Error: failure.Cause, Status: failure.Status})
	os.Exit(failure.Status)
}

// inherit makes sure that nothing but 0 to 2 outlives the exec. What was not
// meant for this process enter.c has closed already.
func inherit() error {
	if err := unix.CloseRange(socketFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close_range: %w", err)
	}
	return nil
}

// start is the first process of a container.
func start(conn *Conn, s Setup) error {
	self, err := kernel.OpenPath("/proc/self/exe")
	if err != nil {
		return err
	}
	traced, err := kernel.Traced()
	if err != nil {
		return err
	}
	files, record, err := prepare(conn, s)
	if err != nil {
		awaitScope(s.Scope)
		return err
	}
	// From here on the launcher's end is this process's end.
	if err := dieWithLauncher(); err != nil {
		return err
	}
	if record {
		s.Process.Trap = s.Record
	}
	if len(files) == 0 {
		return errors.New("internal error: no cgroup came with the go-ahead")
	}
	if err := enterCgroup(files[0]); err != nil {
		return err
	}
	files[0].Close()
	if err := pivot(s.Root); err != nil {
		return err
	}
	var terminal *os.File
	if len(files) > 1 {
		terminal = files[1]
	}
	cmd, err := equip(s.Process, terminal)
	if err != nil {
		return err
	}
	if s.Process.Boot {
		if err := startedSelf(conn); err != nil {
			return err
		}
		return become(s.Process, cmd, terminal, conn.fail)
	}
	pid, err := spawn(s.Process, cmd, terminal, !traced)
	if err != nil {
		return err
	}
	if err := started(conn, pid); err != nil {
		return err
	}
	return remain(self, pid)
}

// prepare does what can be done before there is a root, and waits for that.
func prepare(conn *Conn, s Setup) (files []*os.File, record bool, err error) {
	if C.announce_error != 0 {
		return nil, false, fmt.Errorf("cannot open the container's file systems: %w", syscall.Errno(C.announce_error))
	}
	if err := isolate(s); err != nil {
		return nil, false, err
	}
	m, files, err := conn.ReceiveKind(Go)
	return files, m.Record, err
}

// isolate sets what belongs to the new namespaces themselves.
func isolate(s Setup) error {
	if s.Hostname != "" {
		if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
			return fmt.Errorf("sethostname %q: %w", s.Hostname, err)
		}
	}
	if s.Loopback {
		return bringUp("lo")
	}
	return nil
}

// bringUp sets IFF_UP on a network interface. See netdevice(7).
func bringUp(name string) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("cannot bring %s up: %w", name, err)
	}
	return nil
}

// awaitScope lets a start that has failed end in the scope that systemd may be
// making for it at this moment. A scope whose only process was dead before it
// was moved in gets no event about its end, and would stay for ever.
func awaitScope(scope string) {
	const most = 2 * time.Second
	for start := time.Now(); time.Since(start) < most; time.Sleep(time.Millisecond) {
		path, err := kernel.CgroupOf(os.Getpid())
		if err != nil || filepath.Base(path) == scope {
			return
		}
	}
}

// enterCgroup makes the scope's cgroup, in which systemd has put this process,
// the root of a new cgroup namespace, then moves on to the payload's own.
func enterCgroup(procs *os.File) error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare CLONE_NEWCGROUP: %w", err)
	}
	if _, err := procs.WriteString("0"); err != nil {
		return fmt.Errorf("cannot enter the payload's cgroup: %w", err)
	}
	return nil
}

// pivot makes root the root directory and lets go of the old one, so that
// nothing of the host can be reached. The "." trick is pivot_root(2)'s own.
func pivot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("chdir %s: %w", root, err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount2 of the old root: %w", err)
	}
	return unix.Chdir("/")
}

// equip finds all that the program needs inside the root, and gives up what it
// must not have.
func equip(p Process, terminal *os.File) (command, error) {
	cmd, err := resolve(p)
	if err != nil {
		return cmd, err
	}
	if terminal != nil {
		// Where a setting makes all of /dev read-only, it stays root's.
		if err := terminal.Chown(cmd.uid, -1); err != nil && !errors.Is(err, unix.EROFS) {
			return cmd, fmt.Errorf("cannot give the terminal to its user: %w", err)
		}
	}
	return cmd, restrict(p)
}

// startedSelf tells that this very process is about to become the payload.
func startedSelf(conn *Conn) error { return started(conn, os.Getpid()) }

func started(conn *Conn, pid int) error {
	pidfd, err := kernel.OpenPidfd(pid)
	if err != nil {
		return err
	}
	defer pidfd.Close()
	return conn.Send(Message{Kind: Started}, pidfd)
}

// remain turns PID 1 into the reaper of enter.c, without any capability, and
// with nothing left of this one's memory.
func remain(self *os.File, payload int) error {
	if err := kernel.BoundCaps(0); err != nil {
		return err
	}
	if err := kernel.InheritNoCaps(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_NO_NEW_PRIVS: %w", err)
	}
	return execveat(self, []string{InitName, strconv.Itoa(payload)}, nil)
}

// execveat executes an open file. See execveat(2), AT_EMPTY_PATH.
func execveat(file *os.File, args, env []string) error {
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return err
	}
	envv, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	empty := [1]byte{}
	_, _, errno := unix.Syscall6(unix.SYS_EXECVEAT, file.Fd(), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])), unix.AT_EMPTY_PATH, 0)
	runtime.KeepAlive(file)
	return fmt.Errorf("execveat %s: %w", filepath.Base(file.Name()), errno)
}

// execute is a command in a container that runs; enter.c has joined its
// namespaces already.
func execute(conn *Conn, s Setup) error {
	_, files, err := conn.ReceiveKind(Go)
	if err != nil {
		return err
	}
	var terminal *os.File
	if len(files) > 0 {
		terminal = files[0]
	}
	cmd, err := equip(s.Process, terminal)
	if err != nil {
		return err
	}
	if err := startedSelf(conn); err != nil {
		return err
	}
	return become(s.Process, cmd, terminal, conn.fail)
}
