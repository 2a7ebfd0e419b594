//go:build integration

package units_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"berth/units"
)

// TestAsUnitFiles gives every setting with every tested value to systemd twice,
// as our properties of a scope and as lines of a unit file, and compares what
// systemctl show then tells.
func TestAsUnitFiles(t *testing.T) {
	m := connect(t)
	v := version(t, m)
	cases := slices.DeleteFunc(units.Accepted(), func(a units.Assignment) bool {
		return setting(t, a.Name).CheckVersion(v) != nil
	})
	oracle := unitFiles(t, cases)
	for i, a := range cases {
		t.Run(a.Name+"="+strings.Join(a.Values, "|"), func(t *testing.T) {
			props, err := setting(t, a.Name).Convert(a.Values)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(a.Name, "FilterPath") && v < 258 {
				failsToLoad(t, m, props)
				return
			}
			scope, _ := start(t, m, props...)
			shown := shownNames(a.Name, props)
			if diff := cmp.Diff(normal(show(t, oracle[i], shown...)), normal(show(t, scope, shown...))); diff != "" {
				t.Errorf("-unit file +properties %v:\n%s", props, diff)
			}
		})
	}
}

// failsToLoad starts a scope with a BPF program that isn't there: systemd takes
// the property, and the job fails.
func failsToLoad(t *testing.T, m *units.Manager, props []units.Property) {
	t.Helper()
	err := m.StartScope(t.Context(), units.Scope{
		Name: scopeName(t), PIDs: []int{sleeper(t).Process.Pid}, CollectMode: "inactive-or-failed", Properties: props,
	})
	var failed *units.JobError
	if !errors.As(err, &failed) || failed.Result != "failed" {
		t.Errorf("got %v, want a failed job", err)
	}
}

func setting(t testing.TB, name string) units.Setting {
	t.Helper()
	s, err := units.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unitFiles writes a service for each case and makes systemd read them all.
func unitFiles(t *testing.T, cases []units.Assignment) (names []string) {
	t.Helper()
	t.Cleanup(func() { exec.Command("systemctl", "daemon-reload").Run() })
	for i, a := range cases {
		name := fmt.Sprintf("berth-oracle-%d.service", i)
		text := "[Service]\nExecStart=/bin/true\n"
		for _, v := range a.Values {
			text += a.Name + "=" + v + "\n"
		}
		file := filepath.Join("/run/systemd/system", name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(file) })
		names = append(names, name)
	}
	output(t, "systemctl", "daemon-reload")
	return names
}

// shownNames says which properties of systemctl show tell of a setting.
func shownNames(name string, props []units.Property) []string {
	shown := []string{name}
	for _, p := range props {
		shown = append(shown, strings.TrimSuffix(p.Name, "Scale"))
	}
	if name == "Delegate" {
		shown = append(shown, "DelegateControllers")
	}
	slices.Sort(shown)
	return slices.Compact(shown)
}

// normal sorts the words of each line: systemd's lists have no fixed order.
func normal(shown string) []string {
	lines := strings.Split(shown, "\n")
	for i, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		words := strings.Fields(value)
		slices.Sort(words)
		lines[i] = name + "=" + strings.Join(words, " ")
	}
	slices.Sort(lines)
	return lines
}

// TestRefusedAlike gives what we refuse to systemd: systemd-run must refuse it
// too, or a unit file with it be as one without.
func TestRefusedAlike(t *testing.T) {
	v := version(t, connect(t))
	cases := slices.DeleteFunc(units.Refused(), func(a units.Assignment) bool {
		return setting(t, a.Name).CheckVersion(v) != nil || strings.Contains(a.Values[0], "\n")
	})
	files := unitFiles(t, append(cases, units.Assignment{Name: "Nice", Values: []string{"0"}}))
	without := files[len(cases)]
	for i, a := range cases {
		assignment := a.Name + "=" + a.Values[0]
		t.Run(assignment, func(t *testing.T) {
			if why := stricter(assignment); why != "" {
				t.Skip("we refuse it although systemd doesn't: " + why)
			}
			out, err := exec.Command("systemd-run", "--scope", "--collect", "--quiet", "-p", assignment, "true").CombinedOutput()
			if err != nil {
				return
			}
			if diff := cmp.Diff(show(t, without, a.Name), show(t, files[i], a.Name)); diff != "" {
				t.Errorf("systemd-run takes it %s, a unit file too:\n%s", out, diff)
			}
		})
	}
}

// stricter says why we refuse what systemd takes.
func stricter(assignment string) string {
	switch assignment {
	case "IODeviceWeight=dev/null 5":
		return "a relative path names nothing"
	case "IOWriteBandwidthMax=/dev/%i 1M":
		return "only unit files expand specifiers"
	}
	return ""
}

// TestVersions asks systemd for settings that are newer than it.
func TestVersions(t *testing.T) {
	m := connect(t)
	v := version(t, m)
	tried := map[string]bool{}
	for _, a := range units.Accepted() {
		s := setting(t, a.Name)
		if tried[a.Name] || s.CheckVersion(v) == nil {
			continue
		}
		tried[a.Name] = true
		props, err := s.Convert(a.Values)
		if err != nil {
			t.Fatal(err)
		}
		process := sleeper(t)
		err = m.StartScope(t.Context(), units.Scope{Name: scopeName(t), PIDs: []int{process.Process.Pid}, Properties: props})
		if err == nil {
			t.Errorf("%s is said to be new in %d, and systemd %d takes it", a.Name, s.Since, v)
		}
	}
}
