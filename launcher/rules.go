package launcher

import (
	"cmp"
	"slices"
	"strings"

	"berth/sandbox"
)

// Rules say what the paths of a container may be used for. The rule of the
// longest path wins, of several for one path the strictest. They become mounts
// that come into the container as part of the tree they lie in, and so are
// locked in place.

// within tells whether path is top or below it.
func within(path, top string) bool {
	return top == "/" || path == top || strings.HasPrefix(path, top+"/")
}

// use is what holds for a path.
type use struct {
	access sandbox.Access
	exec   sandbox.Exec
}

// strictness orders what rules for one path say.
var strictness = []sandbox.Access{"", sandbox.ReadWrite, sandbox.ReadOnly, sandbox.Inaccessible}

func stricter(a, b sandbox.Access) sandbox.Access {
	return strictness[max(slices.Index(strictness, a), slices.Index(strictness, b))]
}

// at decides what holds for a path. Nothing below an inaccessible path is
// anything else.
func at(rules []sandbox.PathRule, path string) use {
	var e use
	accessBy, execBy := -1, -1
	for _, r := range rules {
		if !within(path, r.Path) {
			continue
		}
		if r.Access == sandbox.Inaccessible {
			return use{access: sandbox.Inaccessible}
		}
		depth := len(r.Path)
		switch {
		case r.Access == "":
		case depth > accessBy:
			e.access, accessBy = r.Access, depth
		case depth == accessBy:
			e.access = stricter(e.access, r.Access)
		}
		switch {
		case r.Exec == "":
		case depth > execBy:
			e.exec, execBy = r.Exec, depth
		case depth == execBy && r.Exec == sandbox.NoExec:
			e.exec = r.Exec
		}
	}
	return e
}

// cover is one thing to put onto a path within a mount.
type cover struct {
	path string // absolute
	use
	quiet   bool // inaccessible, and looks empty rather than forbidden
	loosens bool // allows what holds above it doesn't: only as far as the mount did by itself
}

// covers lists what is put onto a mount's tree, outermost first: what rules say
// of paths below its top, where that differs from what holds above them. Below
// the targets of other mounts lies what can be seen when these are unmounted:
// there nothing is loosened.
func covers(rules []sandbox.PathRule, top string, targets []string) []cover {
	var list []cover
	above := []cover{{path: top, use: at(rules, top)}}
	for _, path := range rulePaths(rules, top) {
		for !within(path, above[len(above)-1].path) {
			above = above[:len(above)-1]
		}
		outer := above[len(above)-1].use
		c := cover{path: path, use: at(rules, path)}
		if slices.ContainsFunc(targets, func(t string) bool { return t != top && within(t, top) && within(path, t) }) {
			c.access = stricter(c.access, outer.access)
			if outer.exec == sandbox.NoExec {
				c.exec = sandbox.NoExec
			}
		}
		if c.same(outer) {
			continue
		}
		c.quiet = c.access == sandbox.Inaccessible && !slices.ContainsFunc(rules, func(r sandbox.PathRule) bool {
			return r.Setting != "" && r.Access == sandbox.Inaccessible && within(path, r.Path)
		})
		c.loosens = c.writable() && !outer.writable() || c.exec != sandbox.NoExec && outer.exec == sandbox.NoExec
		above = append(above, c)
		list = append(list, c)
	}
	return list
}

// same tells whether two come to the same: what nothing is said about may be
// written and executed.
func (e use) same(o use) bool {
	return (e.access == o.access || e.writable() && o.writable()) && (e.exec == sandbox.NoExec) == (o.exec == sandbox.NoExec)
}

func (e use) writable() bool { return e.access == "" || e.access == sandbox.ReadWrite }

// rulePaths are the paths strictly below top that rules are about, each once and
// after those that it lies below.
func rulePaths(rules []sandbox.PathRule, top string) []string {
	var paths []string
	for _, r := range rules {
		if r.Path != top && within(r.Path, top) {
			paths = append(paths, r.Path)
		}
	}
	slices.SortFunc(paths, func(a, b string) int {
		// "/a/b" directly behind "/a", before "/a-b".
		return cmp.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
	})
	return slices.Compact(paths)
}
