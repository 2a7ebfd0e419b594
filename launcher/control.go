package launcher

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"time"

	"berth/config"
	"berth/internal/kernel"
	"berth/units"

	"golang.org/x/sys/unix"
)

// Stop stops a container as systemctl stop does: its stop signal, then, after
// the scope's TimeoutStopSec, SIGKILL. It returns when nothing is left. A
// container whose supervisor was killed is stopped as well.
func Stop(ctx context.Context, name string) error {
	if err := config.CheckName(name); err != nil {
		return err
	}
	manager, err := units.Connect(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	err = stopScope(ctx, manager, ScopeName(name))
	if errors.Is(err, units.ErrNoUnit) {
		return &NotRunningError{name}
	}
	if err != nil {
		return err
	}
	return awaitRelease(ctx, name)
}

// awaitRelease waits for the supervisor to clean up behind its container.
func awaitRelease(ctx context.Context, name string) error {
	for {
		dir, held, err := kernel.LockDir(filepath.Join(StateDir, name))
		if dir != nil {
			(&claim{name: name, dir: dir}).release()
		}
		if !held {
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return cannot("wait for the container's end", err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return cannot("wait for the container's end", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Kill sends one signal to a container's payload. That of a paused one gets it when
// the container goes on, which SIGKILL makes it do.
func Kill(ctx context.Context, name string, signal syscall.Signal) error {
	state, err := ReadState(name)
	if err != nil {
		return err
	}
	payload, err := state.Payload.open()
	if err != nil {
		return &NotRunningError{name}
	}
	defer payload.Close()
	resume := signal == unix.SIGKILL && state.paused()
	if err := kernel.SignalPidfd(payload, signal); err != nil {
		return cannot("signal the payload", err)
	}
	if resume { // its PID 1 has to see it
		return ofScope(ctx, name, (*units.Manager).ThawUnit)
	}
	return nil
}
