package units

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

const (
	machinedName  = "org.freedesktop.machine1"
	machinedPath  = dbus.ObjectPath("/org/freedesktop/machine1")
	machinedIface = machinedName + ".Manager"
)

// ErrNoMachined says that systemd-machined isn't running.
var ErrNoMachined = errors.New("systemd-machined is not running")

// ErrMachineExists says that the name of a machine is taken.
var ErrMachineExists = errors.New("another machine has this name")

// Machine is what systemd-machined is told about a container.
type Machine struct {
	Name       string
	ID         [16]byte // as /etc/machine-id inside; zero is none
	Service    string   // who registers it: "berth"
	Class      string   // "container"
	Leader     int      // its PID 1, which is in the container's unit
	Root       string   // the host's path of its root; "" is none
	Interfaces []int32  // indices of its interfaces on the host
}

// Register tells systemd-machined about a machine, so that machinectl lists it
// until its unit ends. ErrNoMachined where machined isn't running: it is not
// started for this. ErrMachineExists where the name is taken, for a moment also by
// a machine that has just ended.
func (m *Manager) Register(ctx context.Context, machine Machine) error {
	var path dbus.ObjectPath
	id := []byte{}
	if machine.ID != [16]byte{} {
		id = machine.ID[:]
	}
	err := m.machined(ctx, "RegisterMachineWithNetwork", machine.Name, id, machine.Service, machine.Class,
		uint32(machine.Leader), machine.Root, append([]int32{}, machine.Interfaces...)).Store(&path)
	if err != nil {
		return fmt.Errorf("cannot register the machine %q: %w", machine.Name, machinedError(err))
	}
	return nil
}

// Unregister makes systemd-machined forget a machine, which goes on running.
// ErrNoMachined where machined isn't running.
func (m *Manager) Unregister(ctx context.Context, name string) error {
	if err := m.machined(ctx, "UnregisterMachine", name).Err; err != nil {
		return fmt.Errorf("cannot unregister the machine %q: %w", name, machinedError(err))
	}
	return nil
}

func (m *Manager) machined(ctx context.Context, method string, args ...any) *dbus.Call {
	object := m.conn.Object(machinedName, machinedPath)
	return object.CallWithContext(ctx, machinedIface+"."+method, dbus.FlagNoAutoStart, args...)
}

func machinedError(err error) error {
	var bus dbus.Error
	if errors.As(err, &bus) {
		switch bus.Name {
		case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner":
			return ErrNoMachined
		case "org.freedesktop.machine1.MachineExists":
			return ErrMachineExists
		}
	}
	return replyError(err)
}
