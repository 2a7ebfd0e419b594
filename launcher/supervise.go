package launcher

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"berth/internal/kernel"
	"berth/units"

	"golang.org/x/sys/unix"
)

// ending is how a container's life ended.
type ending struct {
	status int  // for berth to exit with
	reboot bool // a system container wants to be started again
}

// supervise looks after a running container until it ends. pending, if not nil,
// is a signal that has come already.
func (s *start) supervise(signals <-chan os.Signal, pending os.Signal) ending {
	boot := s.plan.Setup.Process.Boot
	session := &session{
		stdio: s.Stdio, streams: s.streams, terminal: s.stage.terminal,
		typed: s.plan.Setup.Process.Terminal, target: s.payload,
	}
	if boot {
		session.console = &console{terminal: s.stage.terminal}
	}
	s.streams.sender(s.child.Pid, s.plan.Users.Base)
	session.begin()
	defer session.restore()
	defer time.AfterFunc(settled, shrink).Stop()
	defer s.register()()

	forward := func(received os.Signal) {
		// An init doesn't take these for what they mean elsewhere.
		if boot && (received == unix.SIGTERM || received == unix.SIGINT) {
			received = syscall.Signal(s.plan.StopSignal)
		}
		session.signal(received)
	}
	if pending != nil {
		forward(pending)
	}
	dead, drained := make(chan struct{}), make(chan struct{})
	go func() {
		if err := kernel.WaitExited(s.child.Pid); err != nil {
			s.Warn("cannot wait for the container: " + err.Error())
			s.streams.pumps.Wait() // the end of its output is as good
		}
		close(dead)
		session.end() // before PID 1 is reaped: it is the sender of what is left to log
		close(drained)
	}()
	for {
		select {
		case received := <-signals:
			if isClosed(dead) && terminates(received) {
				return s.ending() // whoever reads the output doesn't go on
			}
			forward(received)
		case <-s.stops:
			_ = kernel.SignalPidfd(s.payload, unix.Signal(s.plan.StopSignal)) // it may have ended
		case <-drained:
			return s.ending()
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// ending reaps the container's PID 1, which ends as its payload did.
func (s *start) ending() ending {
	if s.watcher != nil {
		s.watcher.Dismiss()
	}
	state, err := s.child.Wait()
	if err != nil {
		return ending{status: 125}
	}
	status := exitStatus(unix.WaitStatus(state.Sys().(syscall.WaitStatus)))
	if s.plan.Setup.Process.Boot {
		return bootEnding(status)
	}
	return ending{status: status}
}

// settled is when a container counts as one that stays.
const settled = 500 * time.Millisecond

// shrink gives memory back that only the start needed: what the runtime does
// behind a collection comes before the program's own pages.
func shrink() {
	pages, err := kernel.FindProgramPages()
	debug.FreeOSMemory()
	if err == nil { // they cost memory, nothing else
		time.Sleep(settled / 5)
		pages.Drop()
	}
}

// register tells systemd-machined, where it runs, without keeping anybody
// waiting. The returned function takes that back, and has to be called before the
// name can be another's: machined stops the unit of a machine whose end it notices
// by itself, and that would be the next container's by then.
func (s *start) register() (unregister func()) {
	registered := make(chan bool, 1)
	go func() { registered <- s.registered() }()
	return func() {
		if !<-registered {
			return
		}
		manager, err := s.systemd.get()
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), machinedTimeout)
		defer cancel()
		_ = manager.Unregister(ctx, s.plan.Name) // machined may have noticed the end, or be gone
	}
}

// machinedTimeout is how long machined may take for an answer.
const machinedTimeout = 10 * time.Second

// registered registers the container, and tells whether it is.
func (s *start) registered() bool {
	manager, err := s.systemd.get()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), machinedTimeout)
	defer cancel()
	machine := units.Machine{
		Name: s.plan.Name, Service: "berth", Class: "container", Leader: s.leader.PID, Root: s.plan.Root.Directory,
	}
	// machined hears of the end of an earlier one of this name a little later.
	for deadline := time.Now().Add(staleUnit); ; time.Sleep(20 * time.Millisecond) {
		err = manager.Register(ctx, machine)
		if !errors.Is(err, units.ErrMachineExists) || time.Now().After(deadline) || s.endsWithin(0) {
			break
		}
	}
	// What ends at this moment can't be registered, and needs not be.
	if err != nil && !errors.Is(err, units.ErrNoMachined) && !s.endsWithin(settled) {
		s.Warn(err.Error())
	}
	return err == nil
}

// endsWithin tells whether the container's PID 1 ends within a time, or has ended.
func (s *start) endsWithin(d time.Duration) bool {
	pidfd, err := s.leader.open()
	if err != nil {
		return true
	}
	defer pidfd.Close()
	return kernel.PidfdEnds(pidfd, d)
}

func exitStatus(w unix.WaitStatus) int {
	if w.Signaled() {
		return 128 + int(w.Signal())
	}
	return w.ExitStatus()
}

// bootEnding reads what reboot(2) in a PID namespace does to its init: SIGHUP
// for a restart, SIGINT for power-off and halt.
func bootEnding(status int) ending {
	switch status {
	case 128 + int(unix.SIGHUP):
		return ending{reboot: true}
	case 128 + int(unix.SIGINT):
		return ending{}
	}
	return ending{status: status}
}
