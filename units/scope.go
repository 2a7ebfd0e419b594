package units

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Scope is a transient scope unit to start.
type Scope struct {
	Name        string // with the suffix .scope
	Description string
	Slice       string // "" is system.slice

	// The processes to put into it, at least one. Where PIDFDs are given they
	// are used instead of PIDs, except with a systemd before 255, which knows
	// only PIDs. They stay the caller's.
	PIDs   []int
	PIDFDs []*os.File

	Delegate    bool   // hands the cgroup below over, with all controllers
	CollectMode string // inactive or inactive-or-failed; "" is inactive
	Controller  bool   // makes this connection the one that stops are asked of, see StopRequests

	Properties []Property // added last
}

// Begin asks systemd to start the scope and returns while it does: the caller
// can do other things before Wait. Errors of the job are Wait's: ErrUnitExists
// for a name that is taken, *PropertyError, *JobError. ctx bounds the start as
// a whole.
func (m *Manager) Begin(ctx context.Context, s Scope) (*Job, error) {
	if err := s.check(); err != nil {
		return nil, errors.New("cannot start " + strconv.Quote(s.Name) + ": " + err.Error())
	}
	calls := make([]methodCall, 0, 2)
	for _, processes := range s.processes() {
		calls = append(calls, methodCall{"StartTransientUnit", []any{
			s.Name, "fail", append([]Property{processes}, s.properties(m.conn.Names()[0])...), []auxiliaryUnit{},
		}})
	}
	job := m.begin(ctx, "start", s.Name, calls...)
	runtime.KeepAlive(s.PIDFDs) // begin has written the call that carries them
	return job, nil
}

// auxiliaryUnit is the last argument of StartTransientUnit, always left empty.
type auxiliaryUnit struct {
	Name       string
	Properties []Property
}

// StartScope starts a scope and waits for it: Begin and Wait.
func (m *Manager) StartScope(ctx context.Context, s Scope) error {
	job, err := m.Begin(ctx, s)
	if err != nil {
		return err
	}
	return job.Wait(ctx)
}

// check keeps out what systemd would take amiss or write into a unit file.
func (s *Scope) check() error {
	switch {
	case !validUnitName(s.Name, ".scope"):
		return errors.New("not the name of a scope")
	case s.Slice != "" && !validSlice(s.Slice):
		return errors.New("not the name of a slice: " + strconv.Quote(s.Slice))
	case strings.ContainsFunc(s.Description, isControl):
		return errors.New("the description has a line break or a control character")
	case len(s.PIDs) == 0 && len(s.PIDFDs) == 0:
		return errors.New("a scope needs a process")
	}
	return nil
}

// processes returns the property that says which processes go into the scope,
// in the forms to try in turn.
func (s *Scope) processes() []Property {
	var forms []Property
	if len(s.PIDFDs) > 0 {
		fds := make([]dbus.UnixFD, len(s.PIDFDs))
		for i, f := range s.PIDFDs {
			fds[i] = dbus.UnixFD(f.Fd())
		}
		forms = append(forms, NewProperty("PIDFDs", fds))
	}
	if len(s.PIDs) > 0 {
		pids := make([]uint32, len(s.PIDs))
		for i, pid := range s.PIDs {
			pids[i] = uint32(pid)
		}
		forms = append(forms, NewProperty("PIDs", pids))
	}
	return forms
}

// properties returns all but the processes. connection is the unique name on
// the bus.
func (s *Scope) properties(connection string) []Property {
	var props []Property
	add := func(wanted bool, name string, value any) {
		if wanted {
			props = append(props, NewProperty(name, value))
		}
	}
	add(s.Description != "", "Description", s.Description)
	add(s.Slice != "", "Slice", s.Slice)
	add(s.CollectMode != "", "CollectMode", s.CollectMode)
	add(s.Delegate, "Delegate", true)
	add(s.Controller, "Controller", connection)
	return append(props, s.Properties...)
}
