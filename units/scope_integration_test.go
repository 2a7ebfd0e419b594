//go:build integration

package units_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godbus/dbus/v5"

	"berth/units"
)

func TestStartScope(t *testing.T) {
	m := connect(t)
	name, process := scopeName(t), sleeper(t)
	memory, err := setting(t, "MemoryMax").Convert([]string{"64M"})
	if err != nil {
		t.Fatal(err)
	}
	err = m.StartScope(soon(t), units.Scope{
		Name: name, Description: "a test's “scope”", Slice: "machine.slice", PIDs: []int{process.Process.Pid},
		Delegate: true, CollectMode: "inactive-or-failed", Controller: true, Properties: memory,
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := m.Unit(soon(t), name)
	if err != nil {
		t.Fatal(err)
	}
	if u.ActiveState != "active" || u.SubState != "running" || u.Slice != "machine.slice" ||
		u.ControlGroup != "/machine.slice/"+name || u.Description != "a test's “scope”" ||
		len(u.InvocationID) != 32 || time.Since(u.Active) > time.Minute {
		t.Errorf("got %+v", u)
	}
	for property, want := range map[string]any{
		"MemoryMax": uint64(64 << 20), "Delegate": true, "OOMPolicy": "continue",
		"CollectMode": "inactive-or-failed", "Controller": m.UniqueName(),
	} {
		if got := u.Properties[property]; got != want {
			t.Errorf("%s is %v, want %v", property, got, want)
		}
	}
	if got := cgroupOf(t, process.Process.Pid); got != u.ControlGroup {
		t.Errorf("the process is in %s", got)
	}
	list, err := m.ListScopes(soon(t), "berth-test-")
	if err != nil || len(list) != 1 || list[0].Name != name || list[0].ActiveState != "active" {
		t.Errorf("ListScopes: %+v, %v", list, err)
	}
	process.Process.Kill()
	process.Wait()
	eventually(t, "the scope goes", func() bool {
		_, err := m.Unit(soon(t), name)
		return errors.Is(err, units.ErrNoUnit)
	})
}

func cgroupOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path
		}
	}
	t.Fatalf("no cgroup v2 in %s", text)
	return ""
}

func TestStartScopeByPIDFD(t *testing.T) {
	m := connect(t)
	process, other := sleeper(t), sleeper(t)
	fd, err := unix.PidfdOpen(process.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	pidfd := os.NewFile(uintptr(fd), "pidfd")
	defer pidfd.Close()
	name := scopeName(t)
	// PIDs has another process, to tell which was used.
	err = m.StartScope(soon(t), units.Scope{Name: name, PIDFDs: []*os.File{pidfd}, PIDs: []int{other.Process.Pid}})
	if err != nil {
		t.Fatal(err)
	}
	want := process
	if version(t, m) < 255 {
		want = other
	}
	if got := cgroupOf(t, want.Process.Pid); !strings.HasSuffix(got, "/"+name) {
		t.Errorf("the process is in %s", got)
	}
}

func TestStartScopeErrors(t *testing.T) {
	m := connect(t)
	taken, process := start(t, m)
	pid := []int{process.Process.Pid}

	err := m.StartScope(soon(t), units.Scope{Name: taken, PIDs: pid})
	if !errors.Is(err, units.ErrUnitExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	var refused *units.PropertyError
	err = m.StartScope(soon(t), units.Scope{Name: scopeName(t), PIDs: pid, Properties: []units.Property{units.NewProperty("NoNewPrivileges", true)}})
	if !errors.As(err, &refused) {
		t.Errorf("a property that scopes lack: %v", err)
	}
	err = m.StartScope(soon(t), units.Scope{Name: scopeName(t), PIDs: pid, Properties: []units.Property{units.NewProperty("TasksMax", uint64(0))}})
	if !errors.As(err, &refused) || refused.Property != "TasksMax" {
		t.Errorf("a value out of range: %v", err)
	}
	if err = m.StartScope(soon(t), units.Scope{Name: scopeName(t), PIDs: []int{1 << 22}}); err == nil {
		t.Error("a process that is not there is accepted")
	}
	for name, s := range map[string]units.Scope{
		"not a scope":   {Name: "berth-x.service", PIDs: pid},
		"a quote":       {Name: "berth-'x'.scope", PIDs: pid},
		"no process":    {Name: "berth-x.scope"},
		"a line break":  {Name: "berth-x.scope", PIDs: pid, Description: "a\nTasksMax=5"},
		"a wrong slice": {Name: "berth-x.scope", PIDs: pid, Slice: "web"},
	} {
		if err := m.StartScope(soon(t), s); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.StartScope(ended, units.Scope{Name: scopeName(t), PIDs: pid}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

// Many at once over one connection, so that jobs end before the replies to
// other calls come.
func TestStartManyScopes(t *testing.T) {
	m := connect(t)
	var wg sync.WaitGroup
	for range 50 {
		name, process := scopeName(t), sleeper(t)
		wg.Go(func() {
			s := units.Scope{Name: name, PIDs: []int{process.Process.Pid}}
			if err := m.StartScope(soon(t), s); err != nil {
				t.Error(err)
			} else if err := m.StopUnit(soon(t), name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// After systemctl daemon-reexec systemd has another name on the bus.
func TestStartScopeAfterReexec(t *testing.T) {
	m := connect(t)
	start(t, m)
	output(t, "systemctl", "daemon-reexec")
	eventually(t, "systemd answers again", func() bool { _, err := m.Version(soon(t)); return err == nil })
	start(t, m)
}

func TestStopRequests(t *testing.T) {
	m := connect(t)
	name, process := scopeName(t), sleeper(t)
	requests := m.StopRequests(name)
	err := m.StartScope(soon(t), units.Scope{Name: name, PIDs: []int{process.Process.Pid}, Controller: true})
	if err != nil {
		t.Fatal(err)
	}
	// Somebody who isn't systemd asks first.
	forge(t, m.UniqueName(), scopePath(t, name), "org.freedesktop.systemd1.Scope.RequestStop")
	select {
	case <-requests:
		t.Fatal("a signal that systemd didn't send is believed")
	case <-time.After(200 * time.Millisecond):
	}
	stop := exec.Command("systemctl", "stop", name)
	if err := stop.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-requests:
	case <-time.After(10 * time.Second):
		t.Fatal("no request to stop came")
	}
	if err := process.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("systemd killed the process by itself: %v", err)
	}
	process.Process.Kill()
	process.Wait()
	if err := stop.Wait(); err != nil {
		t.Errorf("systemctl stop: %v", err)
	}
}

func scopePath(t *testing.T, name string) dbus.ObjectPath {
	t.Helper()
	out := output(t, "busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "GetUnit", "s", name)
	return dbus.ObjectPath(strings.Trim(strings.TrimPrefix(out, "o "), `"`))
}

// forge sends a signal straight to a connection, which the bus allows everyone.
func forge(t *testing.T, to string, path dbus.ObjectPath, signal string, body ...any) {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	dot := strings.LastIndex(signal, ".")
	message := &dbus.Message{Type: dbus.TypeSignal, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: dbus.MakeVariant(to),
		dbus.FieldPath:        dbus.MakeVariant(path),
		dbus.FieldInterface:   dbus.MakeVariant(signal[:dot]),
		dbus.FieldMember:      dbus.MakeVariant(signal[dot+1:]),
	}}
	if len(body) > 0 {
		message.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	conn.Send(message, nil)
	if err := conn.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil { // sent before this came back
		t.Fatal(err)
	}
}

// Jobs can't be ended by somebody who guesses their paths.
func TestForgedJobs(t *testing.T) {
	m := connect(t)
	name, process := scopeName(t), sleeper(t)
	ended := make(chan struct{})
	var forger sync.WaitGroup
	forger.Go(func() {
		conn, err := dbus.ConnectSystemBus()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for id := uint32(1); ; id = id%4000 + 1 {
			select {
			case <-ended:
				return
			default:
			}
			path := dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/systemd1/job/%d", id))
			conn.Send(&dbus.Message{Type: dbus.TypeSignal, Body: []any{id, path, name, "failed"}, Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldDestination: dbus.MakeVariant(m.UniqueName()),
				dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath("/org/freedesktop/systemd1")),
				dbus.FieldInterface:   dbus.MakeVariant("org.freedesktop.systemd1.Manager"),
				dbus.FieldMember:      dbus.MakeVariant("JobRemoved"),
				dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(id, path, name, "failed")),
			}}, nil)
		}
	})
	time.Sleep(20 * time.Millisecond)
	err := m.StartScope(soon(t), units.Scope{Name: name, PIDs: []int{process.Process.Pid}})
	close(ended)
	forger.Wait()
	if err != nil {
		t.Error(err)
	}
}

func TestConnectionEnds(t *testing.T) {
	m := connect(t)
	m.Close()
	select {
	case <-m.Done():
	case <-time.After(time.Second):
		t.Error("Done isn't closed")
	}
	process := sleeper(t)
	if err := m.StartScope(soon(t), units.Scope{Name: scopeName(t), PIDs: []int{process.Process.Pid}}); err == nil {
		t.Error("a scope is started over a closed connection")
	}
}

func BenchmarkConnect(b *testing.B) {
	for b.Loop() {
		m, err := units.Connect(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
}

// BenchmarkStartScope puts a process in a scope and waits for the job, over a
// connection that is there.
func BenchmarkStartScope(b *testing.B) {
	m := connect(b)
	props, err := setting(b, "MemoryMax").Convert([]string{"64M"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		name, process := scopeName(b), sleeper(b)
		b.StartTimer()
		err := m.StartScope(b.Context(), units.Scope{
			Name: name, Slice: "machine.slice", PIDs: []int{process.Process.Pid},
			Delegate: true, Controller: true, CollectMode: "inactive-or-failed", Properties: props,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		process.Process.Kill()
		process.Wait()
		eventually(b, "the scope goes", func() bool { // and systemd is idle
			_, err := m.Unit(b.Context(), name)
			return errors.Is(err, units.ErrNoUnit)
		})
		b.StartTimer()
	}
}
