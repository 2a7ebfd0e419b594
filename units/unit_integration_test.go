//go:build integration

package units_test

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"berth/units"
)

func TestStopAndKill(t *testing.T) {
	m := connect(t)
	name, process := start(t, m)
	if err := m.KillUnit(soon(t), name, units.KillAll, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if state, err := process.Process.Wait(); err != nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("killed: %v, %v", state, err)
	}
	name, process = start(t, m)
	if err := m.StopUnit(soon(t), name); err != nil {
		t.Fatal(err)
	}
	if state, err := process.Process.Wait(); err != nil || state.Exited() {
		t.Errorf("stopped: %v, %v", state, err)
	}
	for what, err := range map[string]error{
		"stop":  m.StopUnit(soon(t), "berth-none.scope"),
		"kill":  m.KillUnit(soon(t), "berth-none.scope", units.KillAll, syscall.SIGTERM),
		"reset": m.ResetFailed(soon(t), "berth-none.scope"),
	} {
		if !errors.Is(err, units.ErrNoUnit) {
			t.Errorf("%s what isn't there: %v", what, err)
		}
	}
	if _, err := m.Unit(soon(t), "berth-none.scope"); !errors.Is(err, units.ErrNoUnit) {
		t.Errorf("the state of what isn't there: %v", err)
	}
}

func TestFailedScope(t *testing.T) {
	m := connect(t)
	name, process := scopeName(t), sleeper(t)
	limit, err := setting(t, "RuntimeMaxSec").Convert([]string{"50ms"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.StartScope(soon(t), units.Scope{Name: name, PIDs: []int{process.Process.Pid}, Properties: limit}); err != nil {
		t.Fatal(err)
	}
	process.Wait()
	eventually(t, "the scope fails", func() bool {
		u, err := m.Unit(soon(t), name)
		return err == nil && u.ActiveState == "failed" && u.Result == "timeout"
	})
	if err := m.ResetFailed(soon(t), name); err != nil {
		t.Fatal(err)
	}
	eventually(t, "systemd forgets it", func() bool {
		_, err := m.Unit(soon(t), name)
		return errors.Is(err, units.ErrNoUnit)
	})
}

func TestSetUnitProperties(t *testing.T) {
	m := connect(t)
	name, _ := start(t, m)
	for _, change := range []struct {
		setting string
		values  []string
		want    string
	}{
		{"MemoryMax", []string{"32M"}, "MemoryMax=33554432"},
		{"IPAddressDeny", []string{"10.0.0.0/8"}, "IPAddressDeny=10.0.0.0/8"},
		{"IPAddressDeny", []string{"", "192.168.0.0/16"}, "IPAddressDeny=192.168.0.0/16"},
		{"IPAddressDeny", []string{""}, "IPAddressDeny="},
		{"AllowedCPUs", []string{"0-1"}, "AllowedCPUs=0-1"},
		{"AllowedCPUs", []string{"0"}, "AllowedCPUs=0"},
	} {
		props, err := setting(t, change.setting).Convert(change.values)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetUnitProperties(soon(t), name, true, props); err != nil {
			t.Error(err)
		}
		if got := show(t, name, change.setting); got != change.want {
			t.Errorf("%s=%q gives %s, want %s", change.setting, change.values, got, change.want)
		}
	}
	var refused *units.PropertyError
	err := m.SetUnitProperties(soon(t), name, true, []units.Property{units.NewProperty("KillMode", "mixed")})
	if !errors.As(err, &refused) || refused.Property != "KillMode" {
		t.Errorf("a property that is fixed: %v", err)
	}
}

// TestLive tells the settings apart that systemd changes on a running scope.
func TestLive(t *testing.T) {
	m := connect(t)
	v := version(t, m)
	tried := map[string]bool{}
	for _, a := range units.Accepted() {
		s := setting(t, a.Name)
		if tried[a.Name] || s.CheckVersion(v) != nil {
			continue
		}
		tried[a.Name] = true
		name, _ := start(t, m)
		props, err := s.Convert(a.Values)
		if err != nil {
			t.Fatal(err)
		}
		if err = m.SetUnitProperties(soon(t), name, true, props); (err == nil) != s.Live {
			t.Errorf("%s is said to be live: %v; systemd: %v", a.Name, s.Live, err)
		}
	}
}

func TestVersion(t *testing.T) {
	want := strings.Fields(output(t, "systemctl", "--version"))[1]
	if got := version(t, connect(t)); fmt.Sprint(got) != want {
		t.Errorf("got %d, want %s", got, want)
	}
}

func TestFeatures(t *testing.T) {
	want := output(t, "systemctl", "--version")
	features, err := connect(t).Features(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, has := range features {
		sign := map[bool]string{true: "+", false: "-"}[has]
		if !strings.Contains(want, sign+name) {
			t.Errorf("%s%s is not in\n%s", sign, name, want)
		}
	}
	if _, known := features["BPF_FRAMEWORK"]; !known {
		t.Errorf("nothing about BPF_FRAMEWORK in %v", features)
	}
}

func TestMachine(t *testing.T) {
	m := connect(t)
	output(t, "systemctl", "stop", "systemd-machined.service")
	name, process := start(t, m)
	machine := units.Machine{
		Name: "berth-test", ID: [16]byte{1, 2, 3, 4}, Service: "berth", Class: "container", Leader: process.Process.Pid, Root: "/",
	}
	if err := m.Register(soon(t), machine); !errors.Is(err, units.ErrNoMachined) {
		t.Errorf("Register without machined: %v", err)
	}
	if err := m.Unregister(soon(t), machine.Name); !errors.Is(err, units.ErrNoMachined) {
		t.Errorf("Unregister without machined: %v", err)
	}
	if got, _ := exec.Command("systemctl", "is-active", "systemd-machined.service").Output(); strings.TrimSpace(string(got)) == "active" {
		t.Error("machined was started for it")
	}
	output(t, "systemctl", "start", "systemd-machined.service")
	if err := m.Register(soon(t), machine); err != nil {
		t.Fatal(err)
	}
	if got := output(t, "machinectl", "show", machine.Name, "-pUnit", "-pService", "-pClass", "-pLeader"); !strings.Contains(got, "Unit="+name) ||
		!strings.Contains(got, "Service=berth") || !strings.Contains(got, "Class=container") ||
		!strings.Contains(got, fmt.Sprintf("Leader=%d", process.Process.Pid)) {
		t.Errorf("machinectl shows\n%s", got)
	}
	if err := m.Unregister(soon(t), machine.Name); err != nil {
		t.Error(err)
	}
	if err := m.Unregister(soon(t), machine.Name); err == nil {
		t.Error("unregistered twice")
	}
	if err := process.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("unregistering ended the process: %v", err)
	}
}

func TestJournalStream(t *testing.T) {
	m := connect(t)
	member := exec.Command("cat")
	hold, err := member.StdinPipe() // ends it when closed
	if err != nil {
		t.Fatal(err)
	}
	if err := member.Start(); err != nil {
		t.Fatal(err)
	}
	unit := scopeName(t)
	if err := m.StartScope(soon(t), units.Scope{Name: unit, PIDs: []int{member.Process.Pid}}); err != nil {
		t.Fatal(err)
	}
	stream, err := units.OpenJournalStream(units.Stream{Identifier: "berth-test", Unit: unit, Priority: 6, LevelPrefix: true})
	if err != nil {
		t.Fatal(err)
	}
	stream.From(member.Process.Pid, 12345)
	fmt.Fprintln(stream, "an ordinary line")
	fmt.Fprintln(stream, "<3>an error")
	read := func(match string) string {
		out, _ := exec.Command("journalctl", "--quiet", "--no-pager", "--output=cat", "SYSLOG_IDENTIFIER=berth-test", "_SYSTEMD_UNIT="+unit, match).Output()
		return string(out)
	}
	eventually(t, "the lines are in the journal, as those of the scope's process", func() bool {
		return read("_PID="+strconv.Itoa(member.Process.Pid)) == "an ordinary line\nan error\n"
	})
	if got := read("PRIORITY=3"); got != "an error\n" {
		t.Errorf("errors are %q", got)
	}
	if got := read("_UID=12345"); got != "an ordinary line\nan error\n" {
		t.Errorf("lines of the user are %q", got)
	}
	// What is written after its process' end is not lost.
	hold.Close()
	if err := member.Wait(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(stream, "no end of line")
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last line is in the journal", func() bool {
		out, _ := exec.Command("journalctl", "--quiet", "--no-pager", "--output=cat", "SYSLOG_IDENTIFIER=berth-test").Output()
		return strings.HasSuffix(string(out), "\nno end of line\n")
	})
}
