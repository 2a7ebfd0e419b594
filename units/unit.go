package units

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// Unit is the state of a loaded unit.
type Unit struct {
	Name         string
	Description  string
	LoadState    string
	ActiveState  string // active, activating, deactivating, inactive, failed …
	SubState     string // of a scope: running, abandoned, stop-sigterm, stop-sigkill, failed, dead …
	Result       string // success, or what failed: timeout, oom-kill, resources …
	Slice        string
	ControlGroup string // path in the cgroup hierarchy; "" while there is none
	InvocationID string // 32 hexadecimal digits; "" when it was never started
	MainPID      int    // of a service; else 0
	Active       time.Time

	// Properties has everything that systemd tells about the unit, by name.
	Properties map[string]any
}

// Unit asks for everything about a unit. ErrNoUnit where it is not loaded.
func (m *Manager) Unit(ctx context.Context, name string) (Unit, error) {
	var all map[string]dbus.Variant
	object := m.conn.Object(systemdName, unitPath(name))
	// An empty interface name stands for all interfaces of the object.
	err := object.CallWithContext(ctx, "org.freedesktop.DBus.Properties.GetAll", 0, "").Store(&all)
	if err != nil {
		return Unit{}, fmt.Errorf("cannot read the state of %q: %w", name, replyError(err))
	}
	u := unitOf(name, all)
	if u.LoadState == "not-found" {
		return Unit{}, fmt.Errorf("cannot read the state of %q: %w", name, ErrNoUnit)
	}
	return u, nil
}

func unitOf(name string, all map[string]dbus.Variant) Unit {
	text := func(property string) string {
		s, _ := all[property].Value().(string)
		return s
	}
	u := Unit{
		Name:         name,
		Description:  text("Description"),
		LoadState:    text("LoadState"),
		ActiveState:  text("ActiveState"),
		SubState:     text("SubState"),
		Result:       text("Result"),
		Slice:        text("Slice"),
		ControlGroup: text("ControlGroup"),
		Properties:   make(map[string]any, len(all)),
	}
	if id, _ := all["InvocationID"].Value().([]byte); len(id) == 16 {
		u.InvocationID = fmt.Sprintf("%x", id)
	}
	if pid, _ := all["MainPID"].Value().(uint32); pid > 0 {
		u.MainPID = int(pid)
	}
	if usec, _ := all["ActiveEnterTimestamp"].Value().(uint64); usec > 0 {
		u.Active = time.UnixMicro(int64(usec))
	}
	for property, v := range all {
		u.Properties[property] = v.Value()
	}
	return u
}

// UnitStatus is what a list of units tells about each.
type UnitStatus struct {
	Name        string
	Description string
	LoadState   string
	ActiveState string
	SubState    string
}

// ListScopes lists the loaded scopes whose names begin with prefix, such as
// "berth-", failed ones as well. One call, however many there are.
func (m *Manager) ListScopes(ctx context.Context, prefix string) ([]UnitStatus, error) {
	if strings.ContainsAny(prefix, `*?[\`) {
		return nil, fmt.Errorf("cannot list scopes: %q is a pattern, not a prefix", prefix)
	}
	var reply []struct {
		Name, Description, LoadState, ActiveState, SubState, Following string
		Path                                                           dbus.ObjectPath
		JobID                                                          uint32
		JobType                                                        string
		JobPath                                                        dbus.ObjectPath
	}
	err := m.call(ctx, "ListUnitsByPatterns", []any{[]string{}, []string{prefix + "*.scope"}}, &reply)
	if err != nil {
		return nil, fmt.Errorf("cannot list scopes: %w", replyError(err))
	}
	list := make([]UnitStatus, len(reply))
	for i, u := range reply {
		list[i] = UnitStatus{u.Name, u.Description, u.LoadState, u.ActiveState, u.SubState}
	}
	return list, nil
}

// StopUnit stops a unit and returns when it has stopped. ErrNoUnit where it is
// not loaded.
func (m *Manager) StopUnit(ctx context.Context, name string) error {
	if strings.ContainsFunc(name, isControl) || strings.Contains(name, "'") {
		return fmt.Errorf("cannot stop %q: not the name of a unit", name)
	}
	return m.begin(ctx, "stop", name, methodCall{"StopUnit", []any{name, "replace"}}).Wait(ctx)
}

// Whom says which processes of a unit KillUnit signals.
type Whom string

const (
	KillAll  Whom = "all"  // every process of the unit
	KillMain Whom = "main" // of a service: the main process
)

// KillUnit sends a signal to processes of a unit. ErrNoUnit where it is not
// loaded.
func (m *Manager) KillUnit(ctx context.Context, name string, whom Whom, signal syscall.Signal) error {
	if err := m.call(ctx, "KillUnit", []any{name, string(whom), int32(signal)}); err != nil {
		return fmt.Errorf("cannot signal %q: %w", name, replyError(err))
	}
	return nil
}

// ResetFailed makes systemd forget that a unit failed, and with that the unit
// where nothing else holds it. ErrNoUnit where it is not loaded.
func (m *Manager) ResetFailed(ctx context.Context, name string) error {
	if err := m.call(ctx, "ResetFailedUnit", []any{name}); err != nil {
		return fmt.Errorf("cannot reset %q: %w", name, replyError(err))
	}
	return nil
}

// SetUnitProperties changes properties of a running unit, all or none: until
// the next boot with runtime, else for good. *PropertyError where systemd
// refuses one.
func (m *Manager) SetUnitProperties(ctx context.Context, name string, runtime bool, props []Property) error {
	if err := m.call(ctx, "SetUnitProperties", []any{name, runtime, props}); err != nil {
		return fmt.Errorf("cannot change %q: %w", name, replyError(err))
	}
	return nil
}

// Version asks for systemd's version: 257 for "257.7-1".
func (m *Manager) Version(ctx context.Context) (int, error) {
	text, err := m.about(ctx, "Version")
	if err != nil {
		return 0, err
	}
	return parseVersion(text)
}

// Features asks what systemd was built with: "+SECCOMP", "-BPF_FRAMEWORK" and
// so on are true and false under their names. The libraries it loads for them
// can still be missing.
func (m *Manager) Features(ctx context.Context) (map[string]bool, error) {
	text, err := m.about(ctx, "Features")
	if err != nil {
		return nil, err
	}
	features := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		if name, ok := strings.CutPrefix(word, "+"); ok {
			features[name] = true
		} else if name, ok := strings.CutPrefix(word, "-"); ok {
			features[name] = false
		}
	}
	return features, nil
}

// about reads a string property of the manager.
func (m *Manager) about(ctx context.Context, property string) (string, error) {
	var v dbus.Variant
	err := m.systemd.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, managerIface, property).Store(&v)
	if err != nil {
		return "", fmt.Errorf("cannot read systemd's %s: %w", property, replyError(err))
	}
	text, _ := v.Value().(string)
	return text, nil
}

func parseVersion(text string) (int, error) {
	n := 0
	for _, digit := range strings.TrimPrefix(text, "v") {
		if digit < '0' || digit > '9' {
			break
		}
		n = n*10 + int(digit-'0')
		if n > 1e6 {
			break
		}
	}
	if n == 0 || n > 1e6 {
		return 0, fmt.Errorf("cannot read systemd's version: %q is none", text)
	}
	return n, nil
}
