package exposure

import (
	"fmt"
	"slices"

	"berth/sandbox"
	"berth/sandbox/seccomp"
)

// callFilter is what SystemCallFilter= comes to.
type callFilter struct {
	version int
	given   bool
	allow   bool // names are all that is allowed; false: all that is not
	names   map[string]bool
}

// newCallFilter reads the setting as systemd.exec(5) explains it: its first word
// decides which kind of list it is, later ones add or take away.
func newCallFilter(entries []sandbox.FilterEntry, version int) callFilter {
	f := callFilter{version: version, names: map[string]bool{}}
	for i, e := range entries {
		if i == 0 {
			f.allow = !e.Deny
			if f.allow {
				f.put("@default", true) // without it no program could even end
			}
		}
		f.put(e.Name, e.Deny != f.allow)
	}
	f.given = f.allow || len(f.names) > 0
	return f
}

// put adds a call or the calls of a group to the list, or takes them away.
func (f *callFilter) put(name string, listed bool) {
	for _, call := range expand(name, f.version) {
		if listed {
			f.names[call] = true
		} else {
			delete(f.names, call)
		}
	}
}

// expand lists the calls that a name means.
func expand(name string, version int) []string {
	if name[0] != '@' {
		return []string{name}
	}
	return seccomp.Expand(name, version)
}

// lacks judges a group of calls that few need. One call of it that is open makes
// it bad.
func lacks(group string) func(v *view) (int, string) {
	return func(v *view) (int, string) {
		f := v.calls
		if !f.given {
			return 10, "No filter of system calls"
		}
		open := slices.IndexFunc(expand(group, f.version), func(call string) bool {
			return f.names[call] == f.allow && native(call)
		})
		if open < 0 {
			return 0, fmt.Sprintf("No system call of %s is allowed", group)
		}
		description := fmt.Sprintf("System calls of %s are allowed, such as %s", group, expand(group, f.version)[open])
		if f.allow {
			return 9, description
		}
		return 10, description
	}
}
