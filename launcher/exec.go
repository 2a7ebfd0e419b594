package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"berth/internal/fsguard"
	"berth/internal/kernel"
	"berth/internal/nsinit"

	"golang.org/x/sys/unix"
)

// Exec is a command to run in a container that runs. Empty fields are as the
// container's payload has them.
type Exec struct {
	Args       []string
	User       string   // name or uid, then optionally :group
	Dir        string   // working directory
	Env        []string // KEY=VALUE, added
	Terminal   bool
	Term       string // the terminal's type, for TERM
	LoginShell bool   // instead of Args: the user's shell
}

// Exec runs a command with all namespaces, the cgroup and the restrictions of a
// container, and returns its exit status.
func (l *Launcher) Exec(ctx context.Context, name string, e Exec) (int, error) {
	if unix.Geteuid() != 0 {
		return 0, errors.New("cannot enter a container: it takes root; run berth with sudo")
	}
	state, err := ReadState(name)
	if err != nil {
		return 0, err
	}
	leader, err := state.Leader.open()
	if err != nil {
		return 0, &NotRunningError{name}
	}
	defer leader.Close()
	if state.paused() {
		return 0, &PausedError{name}
	}
	x := &execution{Launcher: l, state: state, leader: leader, process: state.command(e)}
	// The parent-death signal belongs to a thread.
	thread := kernel.NewThread()
	defer thread.Stop()
	if err := thread.Do(x.start); err != nil {
		return 0, errors.Join(err, thread.Do(x.abort))
	}
	return x.wait()
}

// command is the payload's description with what a command changes of it.
func (s *State) command(e Exec) nsinit.Process {
	p := s.Process
	p.Args, p.LoginShell, p.Terminal, p.Boot = e.Args, e.LoginShell, e.Terminal, false
	if e.User != "" {
		p.User = e.User
	}
	if e.Dir != "" {
		p.Dir = e.Dir
	}
	if e.Terminal && e.Term != "" {
		p.Env = append(p.Env, "TERM="+e.Term)
	}
	p.Env = append(p.Env, e.Env...)
	if !s.Guarded {
		p.Trap = nil // nobody would listen
	}
	return p
}

// execution is a command in a container.
type execution struct {
	*Launcher
	state   *State
	leader  *os.File // pidfd of the container's PID 1
	process nsinit.Process

	conn    *nsinit.Conn
	helper  *os.Process // joins the namespaces
	child   *os.Process // runs in them
	session session
}

// start runs on a thread that stays until the command has ended.
func (x *execution) start() error {
	streams, err := connectStreams(x.Stdio, x.process)
	if err != nil {
		return err
	}
	x.session = session{stdio: x.Stdio, streams: streams, typed: true, restore: func() {}}
	if err := x.join(); err != nil {
		return err
	}
	var files []*os.File
	if x.process.Terminal {
		t, err := x.openTerminal()
		if err != nil {
			return err
		}
		defer t.slave.Close()
		if x.Stdio.In != nil {
			t.resize(x.Stdio.In)
		}
		x.session.terminal = t
		files = []*os.File{t.slave}
	}
	if err := adjust(x.child.Pid, x.process); err != nil {
		return err
	}
	if err := x.conn.Send(nsinit.Message{Kind: nsinit.Go}, files...); err != nil {
		return err
	}
	_, files, err = x.conn.ReceiveKind(nsinit.Started)
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, io.EOF) {
		return errors.New("cannot enter the container: berth's own process there ended early; it takes some tasks and memory, which TasksMax or MemoryMax may not leave")
	}
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return errors.New("internal error: the command's pidfd did not come")
	}
	x.session.target = files[0]
	return x.conn.ReceiveExec()
}

// join starts berth again in the container's cgroup. Before Go runs there it
// enters the namespaces, and forks into the PID namespace.
func (x *execution) join() error {
	conn, end, err := nsinit.Pair()
	if err != nil {
		return err
	}
	defer end.Close()
	x.conn = conn
	conn.OnTrap = func(listener *os.File) error {
		defer listener.Close()
		return giveListener(x.state.Name, listener)
	}
	setup, err := nsinit.Setup{Process: x.process}.File()
	if err != nil {
		return err
	}
	defer setup.Close()
	cgroup, err := x.openCgroup()
	if err != nil {
		return err
	}
	defer cgroup.Close()
	guard, err := fsguard.Of(cgroup)
	if err != nil {
		return cannot("enter the container", err)
	}
	if guard != nil {
		defer guard.Close()
	}
	first := 0
	if !x.state.Users.MapRoot {
		first = 1
	}
	attr := &os.ProcAttr{
		Dir: "/",
		Env: []string{"GOGC=off"},
		// enter.c expects the leader behind the socket and the setup.
		Files: append(x.session.streams.child[:], end, setup, x.leader),
		Sys: &syscall.SysProcAttr{
			UseCgroupFD: guard == nil, CgroupFD: int(cgroup.Fd()),
			Setsid: true, Pdeathsig: syscall.SIGKILL,
		},
	}
	err = x.process.Attributes.WithScheduling(func() (err error) {
		args := []string{nsinit.ExecName, strconv.Itoa(x.state.Users.namespaces()), strconv.Itoa(first)}
		x.helper, err = os.StartProcess("/proc/self/exe", args, attr)
		return err
	})
	if err != nil {
		return cannot("enter the container", err)
	}
	x.session.streams.closeChild()
	end.Close()
	if x.child, err = awaitJoined(conn, x.helper); err != nil {
		return err
	}
	x.helper = nil
	if guard == nil {
		return nil
	}
	return enterGuarded(guard, x.child.Pid, cgroup)
}

// awaitJoined waits for a helper that joins namespaces and forks into them, and
// returns the process there.
func awaitJoined(conn *nsinit.Conn, helper *os.Process) (*os.Process, error) {
	m, files, err := conn.ReceiveKind(nsinit.Joined)
	nsinit.CloseAll(files)
	if err != nil {
		return nil, cannot("enter the container", err)
	}
	if _, err := helper.Wait(); err != nil {
		return nil, cannot("enter the container", err)
	}
	return os.FindProcess(m.PID)
}

// namespaces are all that a container can have of its own. One that it shares
// with the host is joined as well, to no effect, but that of users: nobody can
// join the one they are in.
func (u Users) namespaces() int {
	const all = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	if u.Host {
		return all
	}
	return all | unix.CLONE_NEWUSER
}

// openCgroup opens the cgroup that the container's PID 1 is in now: the
// payload's, or what an init has made for itself.
func (x *execution) openCgroup() (*os.File, error) {
	path, err := kernel.CgroupOf(x.state.Leader.PID)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(path+"/", "/"+x.state.Scope+"/") {
		return nil, fmt.Errorf("cannot enter the container: its PID 1 is in the cgroup %q, outside of %s", path, x.state.Scope)
	}
	return kernel.OpenPath(kernel.CgroupRoot + path)
}

// openTerminal opens a pseudoterminal of the container. Its files may be
// anything by now: only what is the kernel's own ptmx device on a devpts is used.
func (x *execution) openTerminal() (*terminal, error) {
	root, err := kernel.OpenPath(fmt.Sprintf("/proc/%d/root", x.state.Leader.PID))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := kernel.SignalPidfd(x.leader, 0); err != nil {
		return nil, &NotRunningError{x.state.Name}
	}
	pts, err := kernel.OpenIn(root, "/dev/pts", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, cannot("open a terminal in the container", err)
	}
	defer pts.Close()
	if kernel.FSName(pts) != "devpts" {
		return nil, errors.New("cannot open a terminal in the container: its /dev/pts is not a devpts")
	}
	base := int(x.state.Users.Base)
	return openTerminal(pts, kernel.Owner{UID: base, GID: base})
}

// wait looks after the command until it ends.
func (x *execution) wait() (int, error) {
	signals, stop := receiveSignals()
	defer stop()
	x.session.begin()
	defer x.session.restore()
	type result struct {
		state *os.ProcessState
		err   error
	}
	ended := make(chan result, 1)
	go func() {
		state, err := x.child.Wait()
		ended <- result{state, err}
	}()
	for {
		select {
		case received := <-signals:
			x.session.signal(received)
		case r := <-ended:
			x.conn.Close()
			x.session.end()
			if r.err != nil {
				return 0, cannot("wait for the command", r.err)
			}
			return exitStatus(unix.WaitStatus(r.state.Sys().(syscall.WaitStatus))), nil
		}
	}
}

// abort ends what a failed start has begun.
func (x *execution) abort() error {
	if x.conn != nil {
		x.conn.Close()
	}
	for _, p := range []*os.Process{x.helper, x.child} {
		if p != nil {
			_ = p.Kill()
			_, _ = p.Wait()
		}
	}
	if x.session.streams != nil {
		x.session.streams.closeAll()
	}
	return nil
}
