package mountguard

import (
	"path"
	"slices"
	"strings"
)

// Mount is a mount as far as the policy looks at it.
type Mount struct {
	ID     uint64 // in its namespace; never used again where the kernel has such IDs (Linux 6.8)
	Parent uint64
	Device uint64 // of its file system, as makedev(3) has it
	Root   string // what of the file system is mounted: a path in it
}

// Initial is a mount that a container was started with, or was given later.
type Initial struct {
	Mount
	Path   string // in the container
	Locked Attr   // what the kernel has locked
	Fixed  bool   // the kernel has locked it in place: it can be neither unmounted nor moved
	Host   bool   // its superblock is the host's: nobody in the container can reconfigure it
	// Common: file systems that are mounted in the container later have the
	// superblock of this one, as of cgroup2 or mqueue. What is on its device need
	// not be a copy of it.
	Common bool
}

// Place is a mount that a call's path leads to.
type Place struct {
	Mount
	Top bool   // the path leads to the mount's root directory
	On  *Mount // what it is mounted on: where Table.Copies says that it matters
	// Point is where on On: a path in its file system. "" is taken for where an
	// initial mount would be.
	Point string
}

// Table has the initial mounts of one container. It is never changed: With and
// Without make another one.
type Table struct {
	initial  []*Initial
	byID     map[uint64]*Initial
	byDevice map[uint64][]*Initial // those that are not Common
}

// NewTable makes a table of mounts. Of two with one ID the later counts.
func NewTable(initial []Initial) *Table {
	t := &Table{byID: map[uint64]*Initial{}, byDevice: map[uint64][]*Initial{}}
	for _, i := range initial {
		t.byID[i.ID] = &i
	}
	for _, i := range initial {
		i := t.byID[i.ID]
		if slices.Contains(t.initial, i) {
			continue
		}
		t.initial = append(t.initial, i)
		if !i.Common {
			t.byDevice[i.Device] = append(t.byDevice[i.Device], i)
		}
	}
	return t
}

// With returns a table that has another mount as well, in place of one with its
// ID.
func (t *Table) With(i Initial) *Table { return NewTable(append(t.list(), i)) }

// Without returns a table that lacks the mount with an ID.
func (t *Table) Without(id uint64) *Table {
	return NewTable(slices.DeleteFunc(t.list(), func(i Initial) bool { return i.ID == id }))
}

func (t *Table) list() []Initial {
	var list []Initial
	for _, i := range t.initial {
		list = append(list, *i)
	}
	return list
}

// Initial tells whether a mount of the container's own namespace is one.
func (t *Table) Initial(id uint64) bool { return t.byID[id] != nil }

// Copies tells whether mounts of a file system may be copies of initial mounts:
// of those a Place needs On.
func (t *Table) Copies(device uint64) bool { return len(t.byDevice[device]) > 0 }

// exact returns the initial mount that a mount is, or nil. Where the kernel uses
// IDs again, a mount of the container's may have that of one that is gone.
func (t *Table) exact(m Mount) *Initial {
	if i := t.byID[m.ID]; i != nil && i.Device == m.Device && i.Root == m.Root {
		return i
	}
	return nil
}

// original returns the initial mount that a mount is, or is a copy of. Nothing
// shows what it was copied from: where it may have been several, what comes back
// has only the locks that all of them have.
func (t *Table) original(m Mount) *Initial {
	if i := t.exact(m); i != nil {
		return i
	}
	var found *Initial
	for _, i := range t.byDevice[m.Device] {
		switch {
		case !within(m.Root, i.Root):
		case found == nil:
			one := *i
			found = &one
		default:
			found.Locked &= i.Locked
			found.Host = found.Host && i.Host
			if i.Root == m.Root {
				found.Path = i.Path
			}
		}
	}
	return found
}

// mask returns the mask or read-only part of /proc or /sys that a place is a copy
// of, if it is still where it was copied with what it hides. A copy elsewhere is
// the container's.
func (t *Table) mask(at *Place) *Initial {
	if at.On == nil {
		return nil
	}
	for _, i := range t.byDevice[at.Device] {
		on := t.byID[i.Parent]
		if !i.Fixed || !inView(i.Path) || on == nil || i.Root != at.Root || on.Device != at.On.Device || on.Root != at.On.Root {
			continue
		}
		if at.Point == "" || at.Point == path.Join(on.Root, strings.TrimPrefix(i.Path, on.Path)) {
			return i
		}
	}
	return nil
}

// dropped returns the initial mount that a place is or is a copy of, or one below,
// if a change would take locked attributes from it.
func (t *Table) dropped(at *Place, drops Attr, recursive bool) *Initial {
	i := t.original(at.Mount)
	if i == nil || i.Locked&drops != 0 {
		return i
	}
	if top := t.exact(at.Mount); recursive && at.Top && top != nil {
		for _, below := range t.initial {
			if below.Locked&drops != 0 && t.staysBelow(below, top) {
				return below
			}
		}
	}
	return nil
}

// staysBelow tells whether an initial mount is on another one, directly or not,
// for as long as that is there: neither it nor one between them can be unmounted.
func (t *Table) staysBelow(i, top *Initial) bool {
	for range t.initial { // no more steps than there are mounts
		if !i.Fixed {
			return false
		}
		if i = t.byID[i.Parent]; i == nil || i == top {
			return i != nil
		}
	}
	return false
}

// on returns an initial mount that is mounted on a mount of the container's own,
// or nil.
func (t *Table) on(m Mount) *Initial {
	for _, i := range t.initial {
		if i.Parent == m.ID {
			return i
		}
	}
	return nil
}

// inView tells whether a path is below the container's /proc or /sys.
func inView(path string) bool {
	return strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/")
}

// within tells whether a path is top or below it.
func within(path, top string) bool {
	return top == "/" || path == top || strings.HasPrefix(path, top+"/")
}

// masks tells whether a device is that of something that hides parts of /proc or
// /sys.
func (t *Table) masks(device uint64) bool {
	return slices.ContainsFunc(t.byDevice[device], func(i *Initial) bool { return i.Fixed && inView(i.Path) })
}
