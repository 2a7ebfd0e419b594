package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"berth/config"
	"berth/idpool"
	"berth/internal/kernel"
	"berth/internal/nsinit"
	"berth/mountguard"
	"berth/units"

	"golang.org/x/sys/unix"
)

// start is a container between its plan and its running payload. Its methods
// run on the one thread that has the stage's mount namespace.
type start struct {
	*Launcher
	container *config.Container
	plan      *Plan
	systemd   *connection
	claim     *claim

	filters func() ([]kernel.Filter, error) // waits for them
	stage   *stage
	streams *streams
	// unlogged is why the output does not reach the journal. It is told once the
	// container runs: of a start that fails, one line says why.
	unlogged error
	conn     *nsinit.Conn
	child    *os.Process
	job      chan error // the start of the scope
	scoped   bool       // which has succeeded
	lease    *idpool.Lease
	watcher  *nsinit.Watcher // of a system container
	payload  *os.File        // pidfd
	leader   ProcessID
	stops    <-chan struct{} // systemd asks to stop
	thread   *kernel.Thread  // that it runs on
	relay    *relay
	guard    *mountguard.Guard
	views    *views
	binder   *binder
	control  *controlServer
}

// run carries the plan out, as one linear procedure. While systemd makes the
// scope, the container's first process starts and the mounts are made.
func (s *start) run(ctx context.Context) (err error) {
	if err := os.MkdirAll(stageDir, 0o755); err != nil {
		return cannot("make "+stageDir, err)
	}
	if s.streams, err = connectStreams(s.Stdio, s.plan.Setup.Process); err != nil {
		return err
	}
	if err := s.exportLog(); err != nil {
		return err
	}
	s.unlogged = s.streams.log(s.plan)
	if err := kernel.EnterMountNS(); err != nil {
		return cannot("prepare the mounts", err)
	}
	if s.stage, err = newStage(s.plan); err != nil {
		return cannot("prepare the mounts", err)
	}
	if err := s.clone(); err != nil {
		return err
	}
	// An interrupted start fails where it waits for the child.
	uninterrupted := context.AfterFunc(ctx, s.conn.Shut)
	defer func() {
		if !uninterrupted() {
			err = cannot("start the container", context.Cause(ctx))
		}
	}()
	s.startScope(context.WithoutCancel(ctx))
	s.stage.child = s.child.Pid
	if s.stage.userns, err = kernel.OpenNS(s.child.Pid, "user"); err != nil {
		return err
	}
	_, contexts, err := s.conn.ReceiveKind(nsinit.Ready)
	if err != nil {
		return s.childError(err)
	}
	s.stage.contexts = contexts
	if err := s.stage.build(); err != nil {
		return err
	}
	err = <-s.job
	s.job, s.scoped = nil, err == nil
	if err != nil {
		return err
	}
	if err := s.enterScope(); err != nil {
		return err
	}
	_, files, err := s.conn.ReceiveKind(nsinit.Started)
	if err != nil {
		return s.childError(err)
	}
	if len(files) != 1 {
		return errors.New("internal error: the container did not send its payload's pidfd")
	}
	s.payload = files[0]
	if err := s.conn.ReceiveExec(); err != nil {
		return err
	}
	if err := s.limitTasks(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	s.stage.settle()
	return nil
}

// clone makes the container's first process in all its namespaces but that of
// cgroups, which it makes itself once it is in the scope.
func (s *start) clone() error {
	conn, end, err := nsinit.Pair()
	if err != nil {
		return err
	}
	defer end.Close()
	s.conn = conn
	// They were loaded while the stage was made.
	if s.plan.Setup.Process.Filters, err = s.filters(); err != nil {
		return err
	}
	setup, err := s.plan.Setup.File()
	if err != nil {
		return err
	}
	defer setup.Close()
	maps := kernel.SysProcIDMap(s.plan.Users.Maps())
	attr := &os.ProcAttr{
		Dir:   "/",
		Env:   []string{"GOGC=off", "GOMAXPROCS=1"}, // it lives for a few milliseconds
		Files: append(s.streams.child[:], end, setup),
		Sys: &syscall.SysProcAttr{
			Cloneflags: namespaces(s.plan),
			Credential: &syscall.Credential{},
			// It has a session of its own, but no parent-death signal yet: it
			// ends with this process by the end of their connection.
			Setsid: true,
		},
	}
	if !s.plan.Users.Host { // an empty map would be waited for
		attr.Sys.UidMappings, attr.Sys.GidMappings, attr.Sys.GidMappingsEnableSetgroups = maps, maps, true
	}
	if !s.plan.Users.MapRoot {
		// Without a root user there, capabilities come through exec as ambient ones.
		attr.Sys.Credential = &syscall.Credential{Uid: 1, Gid: 1}
		if attr.Sys.AmbientCaps, err = kernel.AllCaps(); err != nil {
			return err
		}
	}
	err = s.plan.Setup.Process.Attributes.WithScheduling(func() (err error) {
		s.child, err = os.StartProcess("/proc/self/exe", s.plan.Setup.Args(), attr)
		return err
	})
	if err != nil {
		return cannot("make the container's namespaces", err)
	}
	s.streams.closeChild()
	return adjust(s.child.Pid, s.plan.Setup.Process)
}

// adjust gives a child what it has no right to take by itself.
func adjust(pid int, p nsinit.Process) error {
	if score := p.Attributes.OOMScoreAdjust; score != nil {
		if err := kernel.SetOOMScoreAdjust(pid, *score); err != nil {
			return err
		}
	}
	if filter := p.Attributes.CoredumpFilter; filter != nil {
		if err := kernel.SetCoredumpFilter(pid, *filter); err != nil {
			return err
		}
	}
	return kernel.RaiseLimits(pid, p.Limits)
}

// namespaces are the clone flags.
func namespaces(p *Plan) uintptr {
	flags := uintptr(unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
	if !p.Users.Host {
		flags |= unix.CLONE_NEWUSER
	}
	if p.Network == "private" {
		flags |= unix.CLONE_NEWNET
	}
	return flags
}

// startScope has systemd start the scope around the first process. It isn't
// interrupted: what systemd was asked for has to be known before it is undone.
func (s *start) startScope(ctx context.Context) {
	s.job = make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, systemdTimeout)
		defer cancel()
		s.job <- s.scope(ctx)
	}()
}

// systemdTimeout is how long systemd may take to start a scope.
const systemdTimeout = 60 * time.Second

// staleUnit is how long the scope of an earlier container of the same name may
// take to go away: systemd notices the end of the last process a little later
// than berth does.
const staleUnit = 5 * time.Second

func (s *start) scope(ctx context.Context) error {
	manager, err := s.systemd.get()
	if err != nil {
		return err
	}
	pidfd, err := kernel.OpenPidfd(s.child.Pid)
	if err != nil {
		return err
	}
	defer pidfd.Close()
	s.stops = manager.StopRequests(s.plan.Unit.Scope)
	properties, _ := splitTasks(s.plan.Unit.Properties)
	scope := units.Scope{
		Name:        s.plan.Unit.Scope,
		Description: s.plan.Description,
		Slice:       s.plan.Unit.Slice,
		PIDs:        []int{s.child.Pid},
		PIDFDs:      []*os.File{pidfd},
		Delegate:    s.plan.Unit.Delegate,
		CollectMode: s.plan.Unit.CollectMode,
		Controller:  true,
		Properties:  properties,
	}
	deadline := time.Now().Add(staleUnit)
	for {
		err = manager.StartScope(ctx, scope)
		if !errors.Is(err, units.ErrUnitExists) {
			return err
		}
		if time.Now().After(deadline) {
			return s.takeOver(ctx, manager, scope)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// takeOver starts a scope whose name is taken though no berth runs it. One
// without processes is a left-over and makes room.
func (s *start) takeOver(ctx context.Context, manager *units.Manager, scope units.Scope) error {
	if populated(ctx, manager, scope.Name) {
		return fmt.Errorf("cannot start %q: processes that no berth looks after run in it: systemctl stop %s ends them", scope.Name, scope.Name)
	}
	// It may be going by itself at this moment: whether there is room is for the
	// start to say.
	_ = manager.StopUnit(ctx, scope.Name)
	return manager.StartScope(ctx, scope)
}

// leaf is the cgroup below the scope's that the payload starts in: the scope's
// own has to be without processes for its controllers to be handed on. An init
// makes its own.
const leaf = "payload"

// enterScope finishes what needs the scope's cgroup, and lets the child go on.
func (s *start) enterScope() error {
	cgroup, err := kernel.CgroupOf(s.child.Pid)
	if err != nil {
		return err
	}
	if filepath.Base(cgroup) != s.plan.Unit.Scope {
		return fmt.Errorf("internal error: the container is in the cgroup %q instead of its scope's", cgroup)
	}
	dir := filepath.Join(kernel.CgroupRoot, cgroup)
	procs := filepath.Join(dir, "cgroup.procs")
	record := false
	if s.observer != nil {
		if record, err = s.observer.observe(cgroup, s.child.Pid); err != nil {
			return err
		}
		s.conn.OnTrap = s.observer.trapped
	}
	owner := s.stage.owner()
	if err := kernel.DelegateCgroup(dir, owner); err != nil {
		return err
	}
	if !s.plan.Setup.Process.Boot {
		sub := filepath.Join(dir, leaf)
		if err := os.Mkdir(sub, 0o755); err != nil {
			return cannot("make the payload's cgroup", err)
		}
		if err := kernel.DelegateCgroup(sub, owner); err != nil {
			return err
		}
		procs = filepath.Join(sub, "cgroup.procs")
	}
	if s.plan.Setup.Process.Boot {
		if s.watcher, err = nsinit.Watch(dir, s.leased()); err != nil {
			return err
		}
	}
	if err := s.introduceLog(cgroup); err != nil {
		return err
	}
	if err := s.guardFiles(dir); err != nil {
		return err
	}
	s.stage.cgroup = cgroup
	if err := s.stage.afterCgroup(); err != nil {
		return err
	}
	s.relay = &relay{stage: s.stage}
	if s.binder, err = s.newBinder(); err != nil {
		return err
	}
	if s.plan.guarded() && !record {
		if err := s.startGuard(); err != nil {
			return err
		}
		s.conn.OnTrap = s.guard.Add
	}
	file, err := os.OpenFile(procs, os.O_WRONLY, 0)
	if err != nil {
		return cannot("open the payload's cgroup", err)
	}
	defer file.Close()
	files := []*os.File{file}
	if t := s.stage.terminal; t != nil {
		if s.Stdio.In != nil {
			t.resize(s.Stdio.In)
		}
		files = append(files, t.slave)
		if !s.plan.Setup.Process.Boot {
			defer t.slave.Close()
		}
	}
	return s.conn.Send(nsinit.Message{Kind: nsinit.Go, Record: record}, files...)
}

// leased are the locks on the container's IDs.
func (s *start) leased() []*os.File {
	if s.lease == nil {
		return nil
	}
	return s.lease.Files()
}

// childError explains a child that ended instead of answering.
func (s *start) childError(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	state, waitErr := s.child.Wait()
	if waitErr != nil {
		return cannot("start the container", waitErr)
	}
	return fmt.Errorf("cannot start the container: its first process ended early (%s)", state)
}

// abort ends what a failed start has begun, and leaves nothing.
func (s *start) abort() error {
	if s.job != nil {
		s.scoped = <-s.job == nil // its process must live until it is in: see nsinit's awaitScope
	}
	if s.conn != nil {
		s.conn.Close()
	}
	if s.child != nil {
		_ = s.child.Kill()
		_, _ = s.child.Wait()
	}
	if s.watcher != nil {
		s.watcher.Dismiss()
	}
	if s.scoped {
		s.stopScope()
	}
	if s.streams != nil {
		s.streams.closeAll()
	}
	s.stopServing()
	if s.stage != nil {
		if s.payload == nil {
			s.stage.undo.run()
		}
		return s.closeStage()
	}
	return nil
}

// stopScope ends the scope of a start that has failed. systemd does so by itself
// when the last process ends, but for a process that ended while it was moved.
// It is asked over another connection: of the one that controls the scope it
// would ask to end the processes, and wait.
func (s *start) stopScope() {
	s.systemd.close()
	ctx, cancel := context.WithTimeout(context.Background(), systemdTimeout)
	defer cancel()
	manager, err := units.Connect(ctx)
	if err == nil {
		defer manager.Close()
		err = manager.StopUnit(ctx, s.plan.Unit.Scope)
	}
	if err != nil && !errors.Is(err, units.ErrNoUnit) {
		s.Warn(err.Error())
	}
}
