//go:build integration

package units_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"berth/units"
)

// connect opens a connection for one test. The tests are for a host whose
// systemd can be played with: where there is none they fail.
func connect(t testing.TB) *units.Manager {
	t.Helper()
	m, err := units.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// version is the version of the host's systemd.
func version(t testing.TB, m *units.Manager) int {
	t.Helper()
	v, err := m.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sleeper starts a process to put into a scope. It ends with the test.
func sleeper(t testing.TB) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

var scopes atomic.Int32

// scopeName makes up a name. What is left of the scope goes with the test.
func scopeName(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("berth-test-%d-%d.scope", os.Getpid(), scopes.Add(1))
	t.Cleanup(func() {
		exec.Command("systemctl", "kill", "--signal=KILL", name).Run()
		exec.Command("systemctl", "reset-failed", name).Run()
	})
	return name
}

// start starts a scope with a sleeper in it.
func start(t testing.TB, m *units.Manager, props ...units.Property) (name string, process *exec.Cmd) {
	t.Helper()
	name, process = scopeName(t), sleeper(t)
	err := m.StartScope(t.Context(), units.Scope{
		Name: name, PIDs: []int{process.Process.Pid}, CollectMode: "inactive-or-failed", Properties: props,
	})
	if err != nil {
		t.Fatal(err)
	}
	return name, process
}

// show returns properties of a unit as systemctl prints them.
func show(t testing.TB, unit string, properties ...string) string {
	t.Helper()
	return output(t, "systemctl", "show", "--property="+strings.Join(properties, ","), unit)
}

// output runs a program of the host and returns its standard output, trimmed.
func output(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// eventually waits until ok is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in 10s not: %s", what)
		}
	}
}

// soon bounds one call.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
