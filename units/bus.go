package units

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	systemdName  = "org.freedesktop.systemd1"
	systemdPath  = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerIface = systemdName + ".Manager"
	scopeIface   = systemdName + ".Scope"
	unitPrefix   = "/org/freedesktop/systemd1/unit/"
)

// ErrNoBus says that this host has no system bus to speak to systemd over.
var ErrNoBus = errors.New("there is no D-Bus system bus here: systemd has to be PID 1, and the dbus package installed")

// Manager is a connection to the system manager. Its methods may be called at
// once by several goroutines.
type Manager struct {
	conn    *dbus.Conn
	systemd dbus.BusObject
	signals *signals
}

// Connect opens one connection to the system bus. ctx bounds the connecting,
// not the connection: Close ends that.
func Connect(ctx context.Context) (*Manager, error) {
	m := &Manager{signals: newSignals()}
	conn, err := dbus.SystemBusPrivate(dbus.WithSignalHandler(m.signals))
	if err != nil {
		return nil, connectError(err)
	}
	interrupt := context.AfterFunc(ctx, func() { conn.Close() })
	// The UID rather than the user's name: no lookup, no second attempt.
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))})
	if err == nil {
		err = conn.Hello()
	}
	if !interrupt() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, connectError(err)
	}
	m.conn = conn
	m.systemd = conn.Object(systemdName, systemdPath)
	m.signals.conn = conn
	return m, nil
}

func connectError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot connect to systemd: %w", ErrNoBus)
	}
	return fmt.Errorf("cannot connect to systemd: %w", err)
}

// Close ends the connection. systemd then no longer sees it as the controller
// of the scopes it started; the scopes stay.
func (m *Manager) Close() error { return m.conn.Close() }

// Done is closed when the connection has ended, by Close or because the bus
// went away.
func (m *Manager) Done() <-chan struct{} { return m.conn.Context().Done() }

// call calls a method of the manager object and stores what it returns. The
// error is the bus' own: callers say what they were about.
func (m *Manager) call(ctx context.Context, method string, args []any, results ...any) error {
	return m.systemd.CallWithContext(ctx, managerIface+"."+method, 0, args...).Store(results...)
}

// unitPath is where the bus has a unit.
func unitPath(name string) dbus.ObjectPath {
	const hex = "0123456789abcdef"
	escaped := make([]byte, 0, len(unitPrefix)+2*len(name))
	escaped = append(escaped, unitPrefix...)
	for i := range len(name) {
		c := name[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' && i > 0 {
			escaped = append(escaped, c)
		} else {
			escaped = append(escaped, '_', hex[c>>4], hex[c&15])
		}
	}
	return dbus.ObjectPath(escaped)
}

// signals gives the signals of the bus to those who wait for them. It doesn't
// block the connection, and lets nobody but systemd speak for systemd: the
// bus' default policy lets every user send signals to everyone.
type signals struct {
	conn *dbus.Conn

	mu       sync.Mutex
	owner    string                              // systemd's unique name as last asked; "" is not yet
	jobs     map[*Job]struct{}                   // that have not ended
	stops    map[dbus.ObjectPath]chan<- struct{} // by the path of the scope
	checking int                                 // goroutines in verify
}

// maxChecking bounds the goroutines that somebody's false signals can make.
const maxChecking = 16

func newSignals() *signals {
	return &signals{jobs: map[*Job]struct{}{}, stops: map[dbus.ObjectPath]chan<- struct{}{}}
}

// DeliverSignal is called by the connection's reader, in order.
func (s *signals) DeliverSignal(_, _ string, signal *dbus.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.wanted(signal) {
		return
	}
	if signal.Sender == s.owner {
		s.deliver(signal)
		return
	}
	// Not yet asked, or systemd has a new name since it re-executed itself.
	if s.checking < maxChecking {
		s.checking++
		go s.verify(signal)
	}
}

// wanted reports whether anybody waits for such a signal.
func (s *signals) wanted(signal *dbus.Signal) bool {
	switch signal.Name {
	case managerIface + ".JobRemoved":
		return signal.Path == systemdPath && len(s.jobs) > 0
	case scopeIface + ".RequestStop":
		return s.stops[signal.Path] != nil
	}
	return false
}

// verify asks who systemd is now, and delivers the signal if it came from it.
func (s *signals) verify(signal *dbus.Signal) {
	var owner string
	err := s.conn.BusObject().Call("org.freedesktop.DBus.GetNameOwner", 0, systemdName).Store(&owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checking--
	if err != nil {
		return
	}
	s.owner = owner
	if signal.Sender == owner {
		s.deliver(signal)
	}
}

// askOwner asks for systemd's unique name where it isn't known, so that it is
// by the time that the first signal comes.
func (s *signals) askOwner() {
	s.mu.Lock()
	known := s.owner != ""
	s.mu.Unlock()
	if known {
		return
	}
	asked := s.conn.BusObject().Go("org.freedesktop.DBus.GetNameOwner", 0, make(chan *dbus.Call, 1), systemdName)
	go func() {
		var owner string
		if (<-asked.Done).Store(&owner) != nil {
			return // verify asks again
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.owner = owner
	}()
}

// deliver hands a signal of systemd over. Called with mu held.
func (s *signals) deliver(signal *dbus.Signal) {
	if stop := s.stops[signal.Path]; stop != nil && signal.Name == scopeIface+".RequestStop" {
		select {
		case stop <- struct{}{}:
		default: // one is waiting to be read
		}
		return
	}
	var (
		id           uint32
		path         dbus.ObjectPath
		unit, result string
	)
	if dbus.Store(signal.Body, &id, &path, &unit, &result) != nil {
		return
	}
	for job := range s.jobs {
		if job.unit == unit {
			select {
			case job.removed <- removedJob{path, result}:
			default: // dozens of jobs before the reply to one call: not this one's
			}
		}
	}
}

// StopRequests tells when somebody asks systemd to stop the scope, which must
// have been started with Controller over this connection. systemd then sends
// no signal to the processes itself: the controller stops them, and SIGKILL
// follows after TimeoutStopSec. The channel is never closed; see Done.
func (m *Manager) StopRequests(scope string) <-chan struct{} {
	c := make(chan struct{}, 1)
	m.signals.mu.Lock()
	defer m.signals.mu.Unlock()
	m.signals.stops[unitPath(scope)] = c
	return c
}
