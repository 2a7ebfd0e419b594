package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"berth/config"
	"berth/idpool"
	"berth/internal/kernel"
	"berth/units"

	"golang.org/x/sys/unix"
)

// Launcher starts containers.
type Launcher struct {
	Pool  idpool.Pool
	Stdio Stdio
	Warn  func(message string) // what the user should know and nothing stops for

	observer observer // nil: nobody looks
}

// observer is who looks at what the payload does.
type observer interface {
	// observe is called with the scope's cgroup and the container's first process
	// (in the host's numbering), before anything of the container's runs. It tells
	// whether system calls are to be trapped.
	observe(cgroup string, child int) (trap bool, err error)
	// trap is the filter that traps them, and trapped takes over its listener.
	trap() *kernel.Filter
	trapped(listener *os.File) error
}

// Run runs a container in the foreground and returns the status to exit with:
// the payload's, or 128+n when signal n ended it. A system container that asks
// for a reboot is started again.
func (l *Launcher) Run(ctx context.Context, c *config.Container, o Options) (status int, err error) {
	if unix.Geteuid() != 0 {
		return 0, errors.New("cannot start a container: it takes root; run berth with sudo")
	}
	var starts []time.Time
	for {
		starts = append(starts, time.Now())
		end, err := l.runOnce(ctx, c, o)
		if err != nil || !end.reboot {
			return end.status, err
		}
		if n := len(starts); n >= startLimit && time.Since(starts[n-startLimit]) < startInterval {
			return 0, fmt.Errorf("cannot start the container again: it has asked for a reboot %d times within %v", startLimit, startInterval)
		}
	}
}

// A system container may reboot as often as systemd restarts a service by
// default: systemd.unit(5), StartLimitBurst= and StartLimitIntervalSec=.
const (
	startLimit    = 5
	startInterval = 10 * time.Second
)

// runOnce is one life of a container.
func (l *Launcher) runOnce(ctx context.Context, c *config.Container, o Options) (ending, error) {
	unix.Umask(0o022)
	signals, stop := receiveSignals()
	defer stop()
	ctx, started := interruptible(ctx, signals)
	defer started()
	go kernel.WarmUpMigration()
	systemd := connect(ctx)
	defer systemd.close()
	lookAtHost := sync.OnceValues(func() (Host, error) { return LookAtHost(c, systemd.version) })
	go lookAtHost()
	name, err := claimName(c.Name)
	if err != nil {
		return ending{}, err
	}
	defer name.release()
	host, err := lookAtHost()
	if err != nil {
		return ending{}, err
	}
	block, lease, err := l.lease(ctx, c)
	if err != nil {
		return ending{}, err
	}
	defer lease.Close()
	plan, err := MakePlan(c, host, block, o)
	if err != nil {
		return ending{}, err
	}
	for _, warning := range plan.Warnings {
		l.Warn(warning)
	}
	if plan.Setup.Process.Trap, err = guardTrap(plan); err != nil {
		return ending{}, err
	}
	if l.observer != nil {
		plan.Setup.Record = l.observer.trap()
	}
	// The mount namespace and the parent-death signal belong to a thread, which
	// has to live as long as the container.
	thread := kernel.NewThread()
	defer thread.Stop()
	s := &start{Launcher: l, thread: thread, container: c, plan: plan, systemd: systemd, claim: name, lease: lease, filters: loadFilters(plan.Filter)}
	err = thread.Do(func() error { return s.run(ctx) })
	if err == nil {
		err = s.publish()
	}
	if err != nil {
		return ending{}, errors.Join(err, thread.Do(s.abort))
	}
	defer thread.Do(s.closeStage)
	defer s.stopServing()
	end := s.supervise(signals, started())
	if !end.reboot {
		if err := plan.forgetDirectories(); err != nil {
			l.Warn("cannot remove a runtime directory: " + err.Error())
		}
	}
	return end, nil
}

// lease takes the container's IDs, unless it has the host's.
func (l *Launcher) lease(ctx context.Context, c *config.Container) (idpool.Block, *idpool.Lease, error) {
	if c.Users.Map == "host" {
		return idpool.Block{Size: c.Users.Size}, nil, nil
	}
	lease, err := l.Pool.Acquire(ctx, idpool.Request{Name: c.Name, Base: c.Users.Base, Size: c.Users.Size})
	if err != nil {
		return idpool.Block{}, nil, placed(c, "users.map", err)
	}
	return lease.Block(), lease, nil
}

// placed gives an error the position of the key that it is about, where the file
// has the key.
func placed(c *config.Container, key string, err error) error {
	var used *idpool.InUseError
	if errors.As(err, &used) && c.Users.Map == "base" {
		return config.Errors{{Pos: c.Pos(key), Key: key, Msg: err.Error()}}
	}
	return err
}

// connection is a connection to systemd that is being made while other things
// are done.
type connection struct {
	ctx     context.Context
	ready   chan struct{}
	manager *units.Manager
	err     error
}

func connect(ctx context.Context) *connection {
	c := &connection{ctx: ctx, ready: make(chan struct{})}
	go func() {
		defer close(c.ready)
		c.manager, c.err = units.Connect(ctx)
	}()
	return c
}

// get waits for the connection.
func (c *connection) get() (*units.Manager, error) {
	<-c.ready
	return c.manager, c.err
}

func (c *connection) version() (int, error) {
	m, err := c.get()
	if err != nil {
		return 0, err
	}
	return m.Version(c.ctx)
}

func (c *connection) close() {
	if m, err := c.get(); err == nil {
		m.Close()
	}
}
