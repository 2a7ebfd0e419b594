package seccomp

import (
	"maps"
	"slices"
	"strings"
)

// Entry is a word of SystemCallFilter= or SystemCallLog=.
type Entry struct {
	Deny   bool   // it stands in a list that begins with "~"
	Name   string // a system call, or an @group
	Action Action // what a denied call gets: an errno, or Kill; "": what the whole filter has
}

// Calls is SystemCallFilter=, with the words of all its assignments in their
// order and the groups that the given version of systemd has. The first word says
// what it is: a list of what is allowed, beside @default, or of what is denied.
// Later words add to the list or take away from it. What is denied gets the
// action of SystemCallErrorNumber=; "" is Kill.
//
// For a version of systemd in between those known, a group has what both known
// neighbours have in it where it is allowed, and what either has where it is
// denied.
func Calls(entries []Entry, denied Action, version int) []Layer {
	if len(entries) == 0 {
		return nil
	}
	if denied == "" {
		denied = Kill
	}
	f := newFilter(!entries[0].Deny, version)
	if f.allowing {
		f.add(Entry{Name: "@default"})
	}
	for _, e := range entries {
		f.add(e)
	}
	layer := denying("SystemCallFilter")
	if !f.allowing {
		f.fill(&layer, denied)
		if len(layer.Rules) == 0 {
			return nil
		}
		return []Layer{layer}
	}
	layer.Default, layer.Unknown = denied, denied
	if f.older >= 257 {
		f.calls["write"] = "" // its service manager writes after it has loaded the filter
		layer.Unknown = unsupported
		f.hide(&layer)
	}
	f.fill(&layer, Allow)
	return []Layer{layer}
}

// LogCalls is SystemCallLog=: the calls are logged, and allowed as far as this
// layer goes. See Calls for the order of the words. Where the groups of a version
// aren't known, more is logged rather than less.
func LogCalls(entries []Entry, version int) []Layer {
	if len(entries) == 0 {
		return nil
	}
	f := newFilter(!entries[0].Deny, version)
	f.logging = true
	for _, e := range entries {
		e.Action = ""
		f.add(e)
	}
	layer := denying("SystemCallLog")
	if !f.allowing { // all but the list is logged
		layer.Default, layer.Unknown = Log, Log
		f.fill(&layer, Allow)
		return []Layer{layer}
	}
	f.fill(&layer, Log)
	if len(layer.Rules) == 0 {
		return nil
	}
	return []Layer{layer}
}

// filter is the list of system calls that the words of a setting come to.
type filter struct {
	allowing     bool              // its first word has no "~"
	logging      bool              // it is SystemCallLog=
	calls        map[string]Action // the list; "" is the action of the list
	groups       []tabledGroup     // of all versions
	exist        []string          // the calls that berth knows numbers of, sorted
	older, newer int               // the known versions of systemd on both sides
}

func newFilter(allowing bool, version int) *filter {
	f := &filter{allowing: allowing, calls: map[string]Action{}, groups: readGroups(), exist: allCalls()}
	f.older, f.newer = neighbours(version)
	return f
}

// add carries out one word.
func (f *filter) add(e Entry) {
	for _, call := range f.named(e) {
		// A word of the list's own kind puts the call on it. In a list of what is
		// allowed a denied call with its own errno stands there as well.
		if e.Deny != f.allowing || f.allowing && e.Action != "" {
			f.calls[call] = e.Action
		} else {
			delete(f.calls, call)
		}
	}
}

// named returns the calls that a word names, and that a machine has which berth
// knows. In case of doubt, words that make the filter stricter name more calls.
func (f *filter) named(e Entry) []string {
	stricter := e.Deny != f.logging
	calls := []string{e.Name}
	if strings.HasPrefix(e.Name, "@") {
		calls = expand(f.groups, e.Name, f.older)
		if f.newer != f.older {
			calls = inDoubt(calls, expand(f.groups, e.Name, f.newer), stricter)
		}
	}
	return slices.DeleteFunc(calls, func(call string) bool {
		_, exists := slices.BinarySearch(f.exist, call)
		return !exists || !stricter && slices.Contains(f.absent(), call)
	})
}

// inDoubt returns what either of two lists has, or what both have.
func inDoubt(older, newer []string, either bool) []string {
	if either {
		return append(older, newer...)
	}
	return slices.DeleteFunc(older, func(call string) bool { return !slices.Contains(newer, call) })
}

// absent are calls of systemd's groups that systemd ignores, as libseccomp had no
// name for them yet when that version came to Debian.
func (f *filter) absent() []string {
	switch f.older {
	case 252: // libseccomp 2.5.4
		return []string{"uretprobe"}
	case 257: // libseccomp 2.6.0
		return []string{"file_getattr", "file_setattr"}
	}
	return []string{"fchroot"} // libseccomp 2.6.1
}

// hide makes calls that aren't listed, and that systemd doesn't know of as they
// are newer, or obsolete, seem not to be there.
func (f *filter) hide(layer *Layer) {
	known := map[string]bool{}
	for _, g := range f.groups {
		if g.name == "@known" {
			for _, call := range g.at(f.older) {
				known[call] = true
			}
		}
	}
	for _, call := range f.absent() {
		known[call] = false
	}
	for _, call := range f.exist {
		if _, listed := f.calls[call]; !listed && !known[call] {
			layer.Rules = append(layer.Rules, Rule{Call: call, Action: unsupported})
		}
	}
}

// fill makes the layer's rules out of the list, with an action for the calls that
// have none of their own.
func (f *filter) fill(layer *Layer, action Action) {
	for _, call := range slices.Sorted(maps.Keys(f.calls)) {
		a := f.calls[call]
		if a == "" {
			a = action
		}
		layer.Rules = append(layer.Rules, Rule{Call: call, Action: a})
	}
}

// Architectures is SystemCallArchitectures=: calls of all ABIs that are neither
// named nor the machine's own kill the process.
func Architectures(names []string) []Layer {
	if len(names) == 0 {
		return nil
	}
	layer := denying("SystemCallArchitectures")
	layer.Archs = append([]string{"native"}, names...)
	return []Layer{layer}
}
