package launcher

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"berth/internal/kernel"
	"berth/internal/nsinit"
	"berth/units"

	"golang.org/x/sys/unix"
)

// ending is how a container's life ended.
type ending struct {
	status int  // for berth to exit with
	reboot bool // a system container wants to be started again
}

// forwarded are the signals that are the payload's business.
var forwarded = []os.Signal{
	unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGCONT, unix.SIGALRM,
}

// supervise looks after a running container until it ends.
func (s *start) supervise() ending {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, append(forwarded, unix.SIGWINCH, unix.SIGPIPE)...)
	defer signal.Stop(signals)
	restore := s.relay()
	defer restore()
	registered := s.register()
	defer registered()

	ended := make(chan int, 1)
	go func() { ended <- s.wait() }()
	for {
		select {
		case received := <-signals:
			s.signal(received.(syscall.Signal))
		case <-s.stops:
			_ = kernel.SignalPidfd(s.payload, unix.Signal(s.plan.StopSignal)) // it may have ended
		case status := <-ended:
			if s.plan.Setup.Process.Boot {
				return bootEnding(status)
			}
			return ending{status: status}
		}
	}
}

// signal passes one on. An init doesn't take SIGTERM for what it means
// elsewhere, so that and an interrupt become its own stop signal.
func (s *start) signal(received syscall.Signal) {
	switch {
	case received == unix.SIGPIPE:
		return // a closed output is noticed where it is written to
	case received == unix.SIGWINCH:
		if t := s.stage.terminal; t != nil {
			t.resize(s.Stdio.In)
		}
		return
	case s.plan.Setup.Process.Boot && (received == unix.SIGTERM || received == unix.SIGINT):
		received = syscall.Signal(s.plan.StopSignal)
	}
	_ = kernel.SignalPidfd(s.payload, received) // it may have ended
}

// relay connects the payload's streams and terminal with berth's own, and
// returns what puts the latter right again.
func (s *start) relay() (restore func()) {
	s.streams.pump(s.child.Pid, s.plan.Users.Base)
	t := s.stage.terminal
	if t == nil {
		return func() {}
	}
	restore = func() {}
	if IsTerminal(s.Stdio.In) && s.plan.Setup.Process.Terminal {
		if r, err := rawMode(s.Stdio.In); err == nil {
			restore = sync.OnceFunc(r)
		}
	}
	var log *journal
	if !s.plan.Setup.Process.Terminal {
		log = s.streams.logs[0] // an init's console, nobody types there
	} else {
		go typeInto(t.master, s.Stdio.In)
	}
	s.streams.pumps.Go(func() { copyOutput(t.master, s.Stdio.Out, log) })
	return restore
}

// typeInto copies what is typed; at its end the container gets the terminal's
// end-of-file character.
func typeInto(master, in *os.File) {
	if _, err := io.Copy(master, in); err == nil {
		_, _ = master.Write([]byte{4})
	}
}

// register tells systemd-machined, where it runs, without keeping anybody
// waiting. The returned function waits until that has been said.
func (s *start) register() (wait func()) {
	var done sync.WaitGroup
	done.Go(func() {
		manager, err := s.systemd.get()
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = manager.Register(ctx, units.Machine{
			Name: s.plan.Name, Service: "berth", Class: "container", Leader: s.leader.PID, Root: s.plan.Root.Directory,
		})
		if err != nil && !errors.Is(err, units.ErrNoMachined) && s.running() {
			s.Warn(err.Error())
		}
	})
	return done.Wait
}

// running tells whether the container's PID 1 is still there.
func (s *start) running() bool {
	pidfd, err := s.leader.open()
	if err != nil {
		return false
	}
	pidfd.Close()
	return true
}

// wait returns the payload's exit status once all of the container has ended.
// PID 1 reports it; where that was killed, its own end counts.
func (s *start) wait() int {
	reported := -1
	for {
		m, files, err := s.conn.Receive()
		nsinit.CloseAll(files)
		if err != nil {
			break // EOF: PID 1 has ended; nothing it could send is worth more
		}
		if m.Kind == nsinit.Exited && reported < 0 {
			reported = exitStatus(unix.WaitStatus(m.Wait))
		}
	}
	s.streams.wait() // before PID 1 is gone for good: it is the sender of what is left to log
	state, err := s.child.Wait()
	s.conn.Close()
	switch {
	case reported >= 0:
		return reported
	case err != nil:
		return 125
	}
	return exitStatus(unix.WaitStatus(state.Sys().(syscall.WaitStatus)))
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
