package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"berth/config"
	"berth/units"
)

// paused is the state of a container that the freezer of cgroups holds.
const paused = "paused"

// Pause stops all processes of a container where they are, as systemctl freeze
// does. One that is paused already stays so.
func Pause(ctx context.Context, name string) error {
	return ofScope(ctx, name, (*units.Manager).FreezeUnit)
}

// Resume undoes Pause.
func Resume(ctx context.Context, name string) error {
	if err := ofScope(ctx, name, (*units.Manager).ThawUnit); err != nil {
		return err
	}
	state, err := ReadState(name)
	if err != nil {
		return nil // it has no berth, or none any more
	}
	if state.paused() {
		return fmt.Errorf("cannot resume %q: a slice above it is frozen; systemctl thaw that", name)
	}
	return nil
}

// stopScope stops a scope, also one that is frozen: systemd, from version 256 on,
// refuses that, and what is to end on a signal has to run.
func stopScope(ctx context.Context, manager *units.Manager, scope string) error {
	err := manager.StopUnit(ctx, scope)
	var refused *units.JobError
	if !errors.As(err, &refused) || refused.Result != "frozen" {
		return err
	}
	if err := manager.ThawUnit(ctx, scope); err != nil {
		return err
	}
	return manager.StopUnit(ctx, scope)
}

// ofScope does something with the scope of a container. Systemd answers when all
// processes have followed, which one that waits for a device may not.
func ofScope(ctx context.Context, name string, do func(*units.Manager, context.Context, string) error) error {
	if err := config.CheckName(name); err != nil {
		return err
	}
	manager, err := units.Connect(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	ctx, cancel := context.WithTimeout(ctx, systemdTimeout)
	defer cancel()
	err = do(manager, ctx, ScopeName(name))
	if errors.Is(err, units.ErrNoUnit) {
		return &NotRunningError{name}
	}
	return err
}

// paused tells whether the freezer holds a container, whoever asked for it: the
// kernel says so of the scope's cgroup, also when it is a slice above that is
// frozen. See cgroups(7), cgroup.events.
func (s *State) paused() bool {
	cgroup, err := s.cgroup()
	return err == nil && isFrozen(cgroup)
}

func isFrozen(cgroup string) bool {
	events, err := os.ReadFile(filepath.Join(cgroup, "cgroup.events"))
	return err == nil && strings.Contains(string(events), "frozen 1")
}

// PausedError is about a container in which nothing can run now.
type PausedError struct{ Name string }

func (e *PausedError) Error() string {
	return fmt.Sprintf("cannot enter the container: %q is paused; berth resume %s lets it go on", e.Name, e.Name)
}
