package launcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"berth/config"
	"berth/internal/kernel"
	"berth/internal/nsinit"
	"berth/units"

	"golang.org/x/sys/unix"
)

// StateDir has a directory for each container that runs. Its supervisor holds a
// lock on the directory, so that what a killed one left is told from what is
// alive, and removed by whoever comes next.
const StateDir = "/run/berth"

// State is what a supervisor tells other berth processes about its container.
type State struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Scope       string          `json:"scope"`
	Users       Users           `json:"users"`
	Root        string          `json:"root"` // on the host
	Network     string          `json:"network"`
	StopSignal  int             `json:"stop_signal"`
	Process     nsinit.Process  `json:"process"` // its restrictions are berth exec's too
	Supervisor  ProcessID       `json:"supervisor"`
	Leader      ProcessID       `json:"leader"`  // PID 1 of the container
	Payload     ProcessID       `json:"payload"` // the same, for a system container
	Guarded     bool            `json:"guarded"` // mountguard listens to it
	Started     time.Time       `json:"started"`
	Plan        json.RawMessage `json:"plan"` // for people: Plan has more than can be read back

	// Container is what it was started from, its options and its profile in it, for
	// the score. berth inspect doesn't show it: its plan says the same.
	Container *config.Container `json:"container,omitempty"`
}

// ProcessID names a process for good, in the host's PID namespace.
type ProcessID struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"start_time"` // clock ticks since boot
}

func identify(pid int) (ProcessID, error) {
	start, err := kernel.StartTime(pid)
	return ProcessID{PID: pid, StartTime: start}, err
}

// open returns a pidfd of exactly this process.
func (p ProcessID) open() (*os.File, error) {
	pidfd, err := kernel.OpenPidfd(p.PID)
	if err != nil {
		return nil, err
	}
	// Checked after the descriptor is there: it can't change behind it.
	if start, err := kernel.StartTime(p.PID); err != nil || start != p.StartTime {
		pidfd.Close()
		return nil, fmt.Errorf("process %d is gone: %w", p.PID, unix.ESRCH)
	}
	return pidfd, nil
}

// claim is a locked state directory.
type claim struct {
	name string
	dir  *os.File
}

// claimName takes a container's name for this process, until it ends.
func claimName(name string) (*claim, error) {
	path := filepath.Join(StateDir, name)
	for attempt := 0; ; attempt++ {
		made, err := makeStateDir(path)
		if err != nil {
			return nil, cannot("make the state directory", err)
		}
		dir, _, err := kernel.LockDir(path)
		switch {
		case dir != nil:
			c := &claim{name: name, dir: dir}
			return c, c.clear()
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			if made {
				_ = os.Remove(path)
			}
			return nil, cannot("lock the state directory", err)
		case attempt == 20:
			return nil, &RunningError{name}
		}
		// Held by a supervisor or, for a moment, by somebody who looks; or removed
		// between the two.
		time.Sleep(5 * time.Millisecond)
	}
}

// makeStateDir tells whether it was not there. The directory above it goes with
// the last container.
func makeStateDir(path string) (made bool, err error) {
	for range 20 {
		if err = os.MkdirAll(StateDir, 0o755); err != nil {
			return false, err
		}
		err = os.Mkdir(path, 0o700)
		if errors.Is(err, fs.ErrExist) {
			return false, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err == nil, err
}

// stateFile and what it is called until it is complete.
const (
	stateFile = "state.json"
	draftFile = stateFile + ".new"
)

// clear removes what is in the directory. It opens nothing, so it works where
// descriptors have run out.
func (c *claim) clear() error {
	for _, file := range []string{stateFile, draftFile, controlSocket} {
		err := os.Remove(filepath.Join(c.dir.Name(), file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return cannot("clear the state directory", err)
		}
	}
	return units.RemoveLogSettings(ScopeName(c.name))
}

// publish writes the state for others to read, all of it or nothing.
func (c *claim) publish(s State) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	draft := filepath.Join(c.dir.Name(), draftFile)
	if err := os.WriteFile(draft, data, 0o600); err != nil {
		return cannot("write the state", err)
	}
	if err := os.Rename(draft, filepath.Join(c.dir.Name(), stateFile)); err != nil {
		return cannot("write the state", err)
	}
	return nil
}

// release gives the name back and leaves nothing.
func (c *claim) release() {
	if c.clear() == nil && os.Remove(c.dir.Name()) == nil {
		_ = os.Remove(StateDir) // when it was the last one
	}
	c.dir.Close()
}

// ReadState returns a running container's state, or *NotRunningError.
func ReadState(name string) (*State, error) {
	if err := config.CheckName(name); err != nil {
		return nil, err
	}
	path := filepath.Join(StateDir, name)
	dir, held, err := kernel.LockDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NotRunningError{name}
	}
	if err != nil {
		return nil, cannot("read the state", err)
	}
	if !held {
		if dir != nil { // its supervisor is dead
			(&claim{name: name, dir: dir}).release()
		}
		return nil, &NotRunningError{name}
	}
	data, err := os.ReadFile(filepath.Join(path, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("container %q is starting or stopping just now: try again", name)
	}
	if err != nil {
		return nil, cannot("read the state", err)
	}
	s := new(State)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("cannot read the state in %s: %w", path, err)
	}
	return s, nil
}

// Names lists the containers that run, in order of their names, and removes what
// dead supervisors left.
func Names() ([]string, error) {
	entries, err := os.ReadDir(StateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, cannot("list the containers", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() || config.CheckName(e.Name()) != nil {
			continue
		}
		dir, held, err := kernel.LockDir(filepath.Join(StateDir, e.Name()))
		switch {
		case held:
			names = append(names, e.Name())
		case err == nil && dir != nil:
			(&claim{name: e.Name(), dir: dir}).release()
		}
	}
	slices.Sort(names)
	return names, nil
}
