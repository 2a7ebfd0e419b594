package units

import (
	"errors"
	"fmt"
	"strings"

	"berth/internal/nearest"
	"berth/internal/unitfile"
)

// Setting is one setting that a scope takes.
type Setting struct {
	Name       string // as in the man page, without the "="
	Since      int    // the systemd version from which a scope takes it
	Controller string // the cgroup v2 controller that enforces it: cpu, cpuset, io, memory or pids; "" when none does
	BPF        bool   // enforced by a BPF program that systemd attaches to the cgroup
	Framework  bool   // by one for which systemd must have its BPF_FRAMEWORK, see Manager.Features; else it does nothing, silently
	Live       bool   // can be changed while the scope runs
	Doc        string // one line

	convert func(s *Setting, values []string) ([]Property, error)
	choices []string // the words that an enumeration accepts
}

// ErrUnknown is the cause of Lookup's error for a name that is no setting of any
// unit.
var ErrUnknown = errors.New("unknown setting")

// Lookup finds a setting by its name in the man page. Where the name is that
// of a setting which a scope doesn't take, the error says which unit type does
// and where it belongs; else it names the nearest setting there is.
//
// The errors of Lookup, CheckVersion and Convert don't repeat the name: they
// are written to stand behind "FILE:LINE:COLUMN: resources.NAME: ".
func Lookup(name string) (Setting, error) {
	if s, ok := find(name); ok {
		return s, nil
	}
	return Setting{}, lookupError(name)
}

func find(name string) (Setting, bool) {
	for i := range settings {
		if settings[i].Name == name {
			return settings[i], true
		}
	}
	return Setting{}, false
}

func lookupError(name string) error {
	if use := replacement(name); use != "" {
		return fmt.Errorf("is a setting of cgroup v1: use %s", use)
	}
	if why := refusal(name); why != "" {
		return errors.New(why)
	}
	if near, ok := nearest.Word(name, Names()); ok {
		return fmt.Errorf("%w: did you mean %q?", ErrUnknown, near)
	}
	return fmt.Errorf("%w: systemd.resource-control(5), systemd.kill(5) and systemd.scope(5) list what a scope takes", ErrUnknown)
}

// Names returns the names of all settings that a scope takes, in the order of
// the man pages.
func Names() []string {
	names := make([]string, len(settings))
	for i := range settings {
		names[i] = settings[i].Name
	}
	return names
}

// CheckVersion says whether systemd version v has the setting.
func (s Setting) CheckVersion(v int) error {
	if v >= s.Since {
		return nil
	}
	return fmt.Errorf("needs systemd %d or later, this is %d", s.Since, v)
}

// Convert turns values in unit-file syntax into the properties to send, in
// order. values has one element per assignment: where a setting is a list each
// adds to it, else each replaces the one before. An empty string resets, as an
// empty assignment does in a unit file. The result is empty for an empty
// TasksMax, whose reset is the manager's own default: there is no property for
// that. The error says what is accepted.
func (s Setting) Convert(values []string) ([]Property, error) {
	if len(values) == 0 {
		return nil, errors.New("needs a value")
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		if strings.ContainsFunc(v, isControl) {
			return nil, fmt.Errorf("must not have a line break or a control character: %q", v)
		}
		trimmed[i] = strings.Trim(v, unitfile.Blanks)
	}
	return s.convert(&s, trimmed)
}

// isControl is true for what must never reach a unit property: systemd writes
// transient units to files, where a line break would begin a new setting.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
