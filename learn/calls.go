package learn

import (
	"maps"
	"slices"
	"strings"

	"berth/sandbox/seccomp"
)

// calls allows the system calls that were made, and the ABIs.
func (d *deriving) calls() {
	if foreign := d.foreign(); len(foreign) == 0 {
		d.set("SystemCallArchitectures", "", "native")
	} else {
		d.set("SystemCallArchitectures", "it makes system calls of other ABIs", strings.Join(append([]string{"native"}, foreign...), " "))
	}
	var needed []string
	for _, calls := range d.Calls {
		needed = union(needed, calls)
	}
	needed = slices.DeleteFunc(needed, func(call string) bool { return strings.Trim(call, "0123456789") == "" }) // of no name
	f := cover(needed, tabled(d.facts.SystemdVersion))
	comment := ""
	if len(f.names) > 0 {
		comment = "names are those of which it uses too little of any group"
	}
	d.set("SystemCallFilter", comment, f.lines()...)
	d.set("SystemCallErrorNumber", "", "EPERM")
}

// foreign lists the ABIs beside the native one.
func (d *deriving) foreign() []string {
	var names []string
	for _, abi := range slices.Sorted(maps.Keys(d.Calls)) {
		if len(d.Calls[abi]) > 0 && abi != "native" {
			names = append(names, abi)
		}
	}
	return names
}

// callFilter is a list of allowed calls.
type callFilter struct {
	groups  []string // allowed
	names   []string // allowed besides
	without []string // groups that are taken out of those
}

// lines are the values of SystemCallFilter=.
func (f callFilter) lines() []string {
	first := strings.Join(f.groups, " ")
	if first == "" {
		first = "@default"
	}
	lines := []string{first}
	if len(f.without) > 0 {
		lines = append(lines, "~"+strings.Join(f.without, " "))
	}
	if len(f.names) > 0 {
		lines = append(lines, strings.Join(f.names, " "))
	}
	return lines
}

// group is a set of calls, and of whose that a plain service has no use for.
type group struct {
	name       string
	calls      set
	privileged bool
}

type set map[string]bool

func setOf(list []string) set {
	s := make(set, len(list))
	for _, x := range list {
		s[x] = true
	}
	return s
}

// count returns how many of s are in t as well.
func (s set) count(t set) int {
	n := 0
	for x := range s {
		if t[x] {
			n++
		}
	}
	return n
}

func (s set) remove(t set) { maps.DeleteFunc(s, func(x string, _ bool) bool { return t[x] }) }

// systemService is the group for most services.
const systemService = "@system-service"

// tabled returns the groups of a version of systemd that are no unions of others,
// but for @system-service and @default, in the order of their names.
func tabled(version int) []group {
	var groups []group
	union := map[string]bool{}
	suspect := set{}
	all := seccomp.Groups(version)
	for _, g := range all {
		union[g.Name] = slices.ContainsFunc(g.Members, func(m string) bool { return strings.HasPrefix(m, "@") })
	}
	// Those that systemd-analyze security counts as exposure.
	for _, name := range []string{"@swap", "@obsolete", "@clock", "@cpu-emulation", "@debug", "@mount", "@module", "@raw-io",
		"@reboot", "@privileged", "@resources"} {
		maps.Copy(suspect, setOf(seccomp.Expand(name, version)))
	}
	for _, g := range all {
		if g.Name == "@known" || union[g.Name] && g.Name != systemService {
			continue
		}
		calls := setOf(seccomp.Expand(g.Name, version))
		groups = append(groups, group{g.Name, calls, calls.count(suspect) > 0})
	}
	slices.SortFunc(groups, func(a, b group) int { return strings.Compare(a.name, b.name) })
	return groups
}

// mostNames is how many names are bearable beside groups.
const mostNames = 12

// cover finds a filter that allows the calls that are needed: see the package
// comment.
func cover(needed []string, groups []group) callFilter {
	small := coverBySmall(needed, groups)
	if len(small.names) <= mostNames {
		return small
	}
	if service := coverByService(needed, groups); len(service.names) < len(small.names) {
		return service
	}
	return small
}

// coverBySmall adds group to group.
func coverBySmall(needed []string, groups []group) callFilter {
	var f callFilter
	left := setOf(needed)
	for _, g := range groups {
		if g.name == "@default" { // allowed with any other
			left.remove(g.calls)
		}
	}
	for _, privileged := range []bool{false, true} {
		for {
			best, most := group{}, 0
			for _, g := range groups {
				if g.name == systemService || g.name == "@default" || g.privileged != privileged {
					continue
				}
				n := left.count(g.calls)
				if privileged && 3*n < len(g.calls) {
					continue
				}
				if n > most || n == most && n > 0 && len(g.calls) < len(best.calls) {
					best, most = g, n
				}
			}
			if most == 0 {
				break
			}
			f.groups = append(f.groups, best.name)
			left.remove(best.calls)
		}
	}
	slices.Sort(f.groups)
	f.names = slices.Sorted(maps.Keys(left))
	return f
}

// coverByService takes the groups out of @system-service that aren't needed, and
// privileged ones that are hardly: then what is needed of those is named.
func coverByService(needed []string, groups []group) callFilter {
	f := callFilter{groups: []string{systemService}}
	wanted, left := setOf(needed), setOf(needed)
	var service, standard group
	for _, g := range groups {
		switch g.name {
		case systemService:
			service = g
		case "@default":
			standard = g
		}
	}
	wanted.remove(standard.calls)
	left.remove(standard.calls)
	left.remove(service.calls)
	for _, g := range groups {
		if g.name == systemService || g.calls.count(service.calls) == 0 || g.calls.count(standard.calls) > 0 {
			continue
		}
		n := g.calls.count(wanted)
		if n > 0 && (!g.privileged || 3*n >= len(g.calls)) {
			continue
		}
		f.without = append(f.without, g.name)
		for call := range g.calls {
			if wanted[call] {
				left[call] = true
			}
		}
	}
	f.names = slices.Sorted(maps.Keys(left))
	return f
}
