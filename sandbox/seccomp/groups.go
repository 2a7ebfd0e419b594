package seccomp

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// groupTable has the groups of system calls of systemd's versions.
//
//go:embed groups.txt
var groupTable string

// The versions of systemd that groups.txt knows. Of a version in between, it is
// not known which changes it has already.
var tabled = [...]int{252, 257, 262}

// Group is a set of system calls that SystemCallFilter= has a name for.
type Group struct {
	Name        string   // with its "@"
	Description string   // one line
	Members     []string // names of system calls, also of other machines, and of groups
}

// Groups returns the groups of a version of systemd, in its order, as
// "systemd-analyze syscall-filter" lists them. For a version that isn't known
// these are the groups of the nearest older one that is, or else of the oldest.
func Groups(version int) []Group {
	older, _ := neighbours(version)
	var groups []Group
	for _, g := range readGroups() {
		members := g.at(older)
		if len(members) > 0 {
			groups = append(groups, Group{g.name, g.description, members})
		}
	}
	return groups
}

// Expand returns the system calls of a group and of the groups in it, sorted, or
// nothing for a name that is no group of that version. See Groups for which
// version counts.
func Expand(group string, version int) []string {
	older, _ := neighbours(version)
	calls := expand(readGroups(), group, older)
	slices.Sort(calls)
	return slices.Compact(calls)
}

// neighbours returns the newest version of systemd that is known and not newer
// than version, and the oldest that is known and not older. They are the same for
// a version that is known, and beyond the ends.
func neighbours(version int) (older, newer int) {
	older, newer = tabled[0], tabled[len(tabled)-1]
	for _, v := range tabled {
		if v <= version {
			older = v
		}
	}
	for _, v := range slices.Backward(tabled[:]) {
		if v >= version {
			newer = v
		}
	}
	return older, newer
}

// tabledGroup is a group with the versions of each member.
type tabledGroup struct {
	name, description string
	members           []member
}

// member is one of a group in the versions from first to last.
type member struct {
	name        string
	first, last int
}

func (g tabledGroup) at(version int) []string {
	var names []string
	for _, m := range g.members {
		if m.first <= version && version <= m.last {
			names = append(names, m.name)
		}
	}
	return names
}

// readGroups reads groups.txt, when it is first asked for. Nobody changes what it
// returns.
var readGroups = sync.OnceValue(func() []tabledGroup {
	var groups []tabledGroup
	first, last := tabled[0], tabled[len(tabled)-1]
	for line := range strings.Lines(groupTable) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		if strings.HasPrefix(line, "@") {
			name, description, _ := strings.Cut(line, ": ")
			groups = append(groups, tabledGroup{name: name, description: description})
			first, last = tabled[0], tabled[len(tabled)-1]
			continue
		}
		g := &groups[len(groups)-1]
		for word := range strings.FieldsSeq(line) {
			if versions, ok := strings.CutSuffix(word, ":"); ok {
				first, last = readVersions(versions)
				continue
			}
			g.members = append(g.members, member{word, first, last})
		}
	}
	return groups
})

// readVersions reads "257-" or "-257".
func readVersions(s string) (first, last int) {
	first, last = tabled[0], tabled[len(tabled)-1]
	from, to, _ := strings.Cut(s, "-")
	if v, err := strconv.Atoi(from); err == nil {
		first = v
	}
	if v, err := strconv.Atoi(to); err == nil {
		last = v
	}
	return first, last
}

// expand returns the calls of a group and of those in it. It goes as deep as
// groups.txt does, which has no circles.
func expand(groups []tabledGroup, name string, version int) []string {
	var calls []string
	for _, g := range groups {
		if g.name != name {
			continue
		}
		for _, m := range g.at(version) {
			if strings.HasPrefix(m, "@") {
				calls = append(calls, expand(groups, m, version)...)
			} else {
				calls = append(calls, m)
			}
		}
	}
	return calls
}

// CheckCall returns an error for a word that SystemCallFilter= and SystemCallLog=
// don't take: it is neither a group nor a system call, be it of another machine.
func CheckCall(name string) error {
	if strings.HasPrefix(name, "@") {
		return checkGroup(name)
	}
	if hasNumber(name) {
		return nil
	}
	var known []string
	for _, v := range tabled {
		known = append(known, Expand("@known", v)...)
	}
	if slices.Contains(known, name) {
		return nil
	}
	return unknown("system call", name, known)
}

func checkGroup(name string) error {
	var known []string
	for _, g := range readGroups() {
		if g.name == name {
			return nil
		}
		known = append(known, g.name)
	}
	return unknown("group of system calls", name, known)
}
