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
// action: SystemCallErrorNumber=, Kill without it.
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
	f := filter{allowing: !entries[0].Deny, calls: map[string]Action{}, groups: readGroups(), version: version}
	if f.allowing {
		f.add(Entry{Name: "@default"})
	}
	for _, e := range entries {
		f.add(e)
	}
	layer := denying("SystemCallFilter")
	if !f.allowing {
		f.fill(&layer, denied)
	} else {
		if version >= 257 { // whose service manager writes after it has loaded the filter
			f.calls["write"] = ""
		}
		layer.Default, layer.Unknown = denied, denied
		f.fill(&layer, Allow)
		f.hide(&layer)
	}
	if !f.allowing && len(layer.Rules) == 0 {
		return nil
	}
	return []Layer{layer}
}

// LogCalls is SystemCallLog=: the calls are logged, and allowed as far as this
// layer goes. See Calls for the order of the words.
func LogCalls(entries []Entry, version int) []Layer {
	if len(entries) == 0 {
		return nil
	}
	f := filter{allowing: !entries[0].Deny, calls: map[string]Action{}, groups: readGroups(), version: version}
	for _, e := range entries {
		e.Action = ""
		f.add(e)
	}
	layer := denying("SystemCallLog")
	if f.allowing { // what is listed is logged
		f.fill(&layer, Log)
		if len(layer.Rules) == 0 {
			return nil
		}
	} else {
		layer.Default, layer.Unknown = Log, Log
		f.fill(&layer, Allow)
	}
	return []Layer{layer}
}

// filter is the list of system calls that the words of a setting come to.
type filter struct {
	allowing bool              // it lists what is allowed
	calls    map[string]Action // the list; "" is the action of the list
	groups   []tabledGroup
	version  int
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
// knows.
func (f *filter) named(e Entry) []string {
	calls := []string{e.Name}
	if strings.HasPrefix(e.Name, "@") {
		older, newer := neighbours(f.version)
		if e.Deny {
			calls = expandAny(f.groups, e.Name, older, newer)
		} else {
			calls = both(expand(f.groups, e.Name, older), expand(f.groups, e.Name, newer))
		}
	}
	return slices.DeleteFunc(calls, func(call string) bool { return !hasNumber(call) })
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

// hide makes a layer that lists what is allowed like systemd's 257 and later:
// calls that systemd doesn't know of, as they are newer, aren't there to programs.
// systemd 252 denies them like all others.
//
// systemd knows only what its libseccomp knows too. What libseccomp lacked when
// that version came to Debian, 2.6.0 for 257 and 2.6.1 for 262, is hidden even if
// it is listed, so that berth allows nothing that systemd denies.
func (f *filter) hide(layer *Layer) {
	older, _ := neighbours(f.version)
	absent := map[int][]string{
		252: {"uretprobe"},
		257: {"file_getattr", "file_setattr"},
		262: {"fchroot"},
	}[older]
	hidden := layer.Default
	if older >= 257 {
		layer.Unknown, hidden = unsupported, unsupported
	}
	layer.Rules = slices.DeleteFunc(layer.Rules, func(r Rule) bool { return slices.Contains(absent, r.Call) })
	if older < 257 {
		return
	}
	known := expand(f.groups, "@known", older)
	for _, call := range allCalls() {
		_, listed := f.calls[call]
		if slices.Contains(absent, call) || !listed && !slices.Contains(known, call) {
			layer.Rules = append(layer.Rules, Rule{Call: call, Action: hidden})
		}
	}
}

// expandAny returns the calls that a group has in any of the versions.
func expandAny(groups []tabledGroup, name string, versions ...int) []string {
	var calls []string
	for _, v := range versions {
		calls = append(calls, expand(groups, name, v)...)
	}
	slices.Sort(calls)
	return slices.Compact(calls)
}

// both returns what is in a and in b.
func both(a, b []string) []string {
	return slices.DeleteFunc(a, func(s string) bool { return !slices.Contains(b, s) })
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
