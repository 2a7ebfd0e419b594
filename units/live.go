package units

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// CheckLive says whether a setting can be changed while its scope runs.
func (s Setting) CheckLive() error {
	if s.Live {
		return nil
	}
	return errors.New("can't be changed while it runs: systemd takes it when a scope starts, and not later")
}

// Replacing returns the values that make a list of a running unit be values, and
// nothing that it had before: on the bus, as in a unit file, they would be added.
// What is no list is replaced by any value.
func (s Setting) Replacing(values []string) []string {
	reset := append([]string{""}, values...)
	if _, err := s.Convert(reset); err != nil {
		return values // an empty value is none of it
	}
	return reset
}

// DefaultTasksMax is the TasksMax of a unit that nobody gives one: an empty value
// can't be sent. See systemd-system.conf(5).
func (m *Manager) DefaultTasksMax(ctx context.Context) (Property, error) {
	var v dbus.Variant
	err := m.systemd.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, managerIface, "DefaultTasksMax").Store(&v)
	if err != nil {
		return Property{}, fmt.Errorf("cannot read systemd's DefaultTasksMax: %w", replyError(err))
	}
	return Property{Name: "TasksMax", Value: v}, nil
}
