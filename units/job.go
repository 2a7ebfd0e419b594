package units

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

// ErrUnitExists says that a unit of that name is there already.
var ErrUnitExists = errors.New("it is already there")

// ErrNoUnit says that no such unit is loaded.
var ErrNoUnit = errors.New("there is no such unit")

// JobError says that systemd took a job and didn't complete it.
type JobError struct {
	Unit   string
	Result string // canceled, timeout, failed, dependency, skipped …: the result of JobRemoved
}

func (e *JobError) Error() string {
	return fmt.Sprintf("the job of %q ended with %q: systemctl status %s tells more", e.Unit, e.Result, e.Unit)
}

// PropertyError says that systemd refused a property.
type PropertyError struct {
	Property string // its name on the bus; "" where systemd doesn't say which
	Message  string // systemd's own
}

func (e *PropertyError) Error() string {
	if e.Property == "" {
		return "systemd refuses a property: " + e.Message
	}
	return fmt.Sprintf("systemd refuses the property %s: %s", e.Property, e.Message)
}

// Job is a job that systemd was asked for.
type Job struct {
	unit    string
	removed chan removedJob
	done    chan struct{}
	err     error // once done is closed
}

type removedJob struct {
	path   dbus.ObjectPath
	result string
}

// Wait returns when the job has ended: nil when it is done, a *JobError when it
// ended otherwise, and what systemd said where it refused the job.
func (j *Job) Wait(ctx context.Context) error {
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return fmt.Errorf("cannot wait for %q: %w", j.unit, context.Cause(ctx))
	}
}

// begin asks for a job of the unit by each of the calls in turn until one is
// not refused for an unknown property, and returns at once. verb names the job
// in errors. ctx bounds all of it.
func (m *Manager) begin(ctx context.Context, verb, unit string, calls ...methodCall) *Job {
	// JobRemoved is sent to the bus as a whole, so it needs a match, which the
	// bus has in place before it passes the next message on. It can come
	// before the reply that tells the job's path: removed holds it until then.
	job := &Job{unit: unit, removed: make(chan removedJob, 64), done: make(chan struct{})}
	m.signals.add(job)
	match := "type='signal',sender='" + systemdName + "',path='" + string(systemdPath) +
		"',interface='" + managerIface + "',member='JobRemoved',arg2='" + unit + "'"
	bus := m.conn.BusObject()
	matched := bus.GoWithContext(ctx, "org.freedesktop.DBus.AddMatch", 0, make(chan *dbus.Call, 1), match)
	m.signals.askOwner()
	first := m.systemd.GoWithContext(ctx, managerIface+"."+calls[0].method, 0, make(chan *dbus.Call, 1), calls[0].args...)

	go func() {
		defer close(job.done)
		defer m.signals.remove(job)
		defer bus.Go("org.freedesktop.DBus.RemoveMatch", dbus.FlagNoReplyExpected, nil, match)
		err := (<-matched.Done).Err
		if err == nil {
			err = m.finish(ctx, job, first, calls[1:])
		}
		if err != nil {
			job.err = fmt.Errorf("cannot %s %q: %w", verb, unit, err)
		}
	}()
	return job
}

// methodCall is a method of the manager with its arguments.
type methodCall struct {
	method string
	args   []any
}

// finish waits for the reply to a call, makes the other calls where it was
// refused for an unknown property, and waits for the job.
func (m *Manager) finish(ctx context.Context, job *Job, call *dbus.Call, others []methodCall) error {
	var path dbus.ObjectPath
	err := (<-call.Done).Store(&path)
	for err != nil && isUnknownProperty(err) && len(others) > 0 {
		err = m.call(ctx, others[0].method, others[0].args, &path)
		others = others[1:]
	}
	if err != nil {
		return replyError(err)
	}
	for {
		select {
		case r := <-job.removed:
			if r.path != path {
				continue // an earlier job of the same unit
			}
			if r.result != "done" {
				return &JobError{job.unit, r.result}
			}
			return nil
		case <-m.Done():
			return errors.New("the connection to the system bus ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *signals) add(job *Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[job] = struct{}{}
}

func (s *signals) remove(job *Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, job)
}

// isUnknownProperty reports whether systemd refused a property because it
// doesn't know one.
func isUnknownProperty(err error) bool {
	var bus dbus.Error
	return errors.As(err, &bus) && bus.Name == "org.freedesktop.DBus.Error.PropertyReadOnly"
}

// replyError turns an error of the bus into one that a caller can branch on.
func replyError(err error) error {
	var bus dbus.Error
	if !errors.As(err, &bus) {
		return err
	}
	message := strings.TrimSuffix(bus.Error(), ".")
	switch bus.Name {
	case systemdName + ".UnitExists":
		return ErrUnitExists
	case systemdName + ".NoSuchUnit":
		return ErrNoUnit
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired":
		return fmt.Errorf("%s: it takes root", message)
	case "org.freedesktop.DBus.Error.PropertyReadOnly", "org.freedesktop.DBus.Error.InvalidArgs":
		return &PropertyError{Property: propertyIn(message), Message: message}
	}
	return errors.New(message)
}

// propertyIn finds the name of a property in a message of systemd's, such as
// "Cannot set property X, or unknown property" or "X= value out of range".
func propertyIn(message string) string {
	for word := range strings.FieldsSeq(message) {
		word, _, _ = strings.Cut(strings.Trim(word, "'\",.:"), "=")
		base := strings.TrimSuffix(strings.TrimSuffix(word, "Scale"), "PerSecUSec")
		if sec, ok := strings.CutSuffix(base, "USec"); ok {
			base = sec + "Sec"
		}
		switch word {
		case "PIDs", "PIDFDs", "Controller", "CollectMode", "DelegateControllers":
			return word
		}
		if _, ok := find(base); ok {
			return word
		}
	}
	return ""
}
