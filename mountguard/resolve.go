package mountguard

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// situation is what a call meets, with what its paths lead to.
type situation struct {
	Situation
	target, source kernel.FD
	context        *os.File
}

func (s *situation) close() {
	s.target.Close()
	s.source.Close()
	s.target, s.source = kernel.NoFD, kernel.NoFD
}

// resolver follows a path of a call's as its caller would.
type resolver interface {
	// resolve returns a descriptor of what a path leads to, errSlow if that would
	// take waiting, or the errno with which the kernel will refuse the call too.
	resolve(p Path) (kernel.FD, error)
}

// errSlow: another resolver has to do it.
var errSlow = errors.New("this may take time")

// look finds out what the policy has to know about a call.
func (r *request) look(by resolver) (s situation, err error) {
	s.target, s.source = kernel.NoFD, kernel.NoFD
	if needsOwn(r.call.Operation) {
		ns, err := r.task.Namespace("mnt")
		if err != nil {
			return s, err
		}
		s.Own = ns == r.own
	}
	switch r.call.Operation {
	case Unmount, Remount, Reconfigure, SetAttr, CloneAttr:
		s.target, s.Target, err = r.place(by, r.call.Target)
		if err == nil && r.call.Operation == Unmount && s.Target != nil && s.Target.Top {
			s.View, err = r.isView(s.target, s.Target)
		}
	case Move:
		detached := r.call.Source.Empty && r.call.Source.Name == ""
		if !s.Own && !detached {
			return s, nil
		}
		if s.source, s.Source, err = r.place(by, r.call.Source); err != nil {
			return s, err
		}
		s.Made = detached && s.Source != nil && r.made.has(s.Source.ID)
		if !s.Own && !s.Made {
			return s, nil
		}
		s.target, s.Target, err = r.place(by, r.call.Target)
	case MakeMount:
		s.context, err = r.contexts.find(r.task, r.call.FD)
		s.Context = s.context != nil
	}
	return s, err
}

func needsOwn(o Operation) bool { return o == Move || o == Pivot || o == Reconfigure }

// place finds out what mount a path leads to; none where the kernel will not
// find anything either.
func (r *request) place(by resolver, p Path) (kernel.FD, *Place, error) {
	if p == (Path{}) { // Decode has left it out: nothing depends on it
		return kernel.NoFD, nil, nil
	}
	fd, err := by.resolve(p)
	if leadsNowhere(err) {
		return kernel.NoFD, nil, nil
	}
	if err != nil {
		return kernel.NoFD, nil, err
	}
	at, err := r.mountOf(fd)
	if err != nil {
		fd.Close()
		return kernel.NoFD, nil, err
	}
	return fd, at, nil
}

// leadsNowhere: others than these, of which EMFILE is one, are the guard's own.
func leadsNowhere(err error) bool {
	switch err {
	case unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.ELOOP, unix.ENAMETOOLONG, unix.EBADF, unix.EINVAL, unix.EPERM, unix.ENOTCONN, unix.EIO, unix.ESTALE:
		return true
	}
	return false
}

// mountOf tells what mount a descriptor is on. Only of what may be a copy of an
// initial mount more is asked than its ID.
func (r *request) mountOf(fd kernel.FD) (*Place, error) {
	id, top, device, err := kernel.FileMount(fd, r.unique)
	if err != nil {
		return nil, fmt.Errorf("statx: %w", err)
	}
	at := &Place{Mount: Mount{ID: id, Device: device}, Top: top}
	t := r.table.Load()
	initial, known := t.mount(id)
	switch {
	case known && (r.unique || initial.Device == device):
		at.Mount = initial
		return at, nil
	case !known && !t.Copies(device):
		return at, nil
	case id == 0:
		return nil, errors.New("statx: its file system hides an initial mount's ID")
	case r.unique:
		return at, r.stat(at)
	}
	return at, r.search(at)
}

// mount returns an initial mount by its ID.
func (t *Table) mount(id uint64) (Mount, bool) {
	if i := t.byID[id]; i != nil {
		return i.Mount, true
	}
	return Mount{}, false
}

// stat asks for a mount in the caller's namespace. What isn't there is a
// detached one, or another namespace's: nothing that stays in place.
func (r *request) stat(at *Place) error {
	ns, err := r.task.OpenNS("mnt")
	if err != nil {
		return err
	}
	defer ns.Close()
	namespace, err := kernel.MountNamespaceID(ns)
	if err != nil {
		return err
	}
	st, err := kernel.StatMount(namespace, at.ID)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	at.Parent, at.Device, at.Root = st.Parent, st.Device, st.Root
	if on, err := kernel.StatMount(namespace, st.Parent); err == nil {
		at.on(Mount{ID: on.ID, Parent: on.Parent, Device: on.Device, Root: on.Root}, on.Point, st.Point)
	}
	return nil
}

// search is stat for kernels without statmount(2).
func (r *request) search(at *Place) error {
	mounts, err := kernel.MountsOf(r.task.TID)
	if err != nil {
		return err
	}
	found := map[uint64]kernel.MountInfo{}
	for _, m := range mounts {
		found[m.ID] = m
	}
	m, ok := found[at.ID]
	if !ok {
		return nil
	}
	at.Parent, at.Device, at.Root = m.Parent, m.Number(), m.Root
	if on, ok := found[m.Parent]; ok {
		at.on(Mount{ID: on.ID, Parent: on.Parent, Device: on.Number(), Root: on.Root}, on.Target, m.Target)
	}
	return nil
}

// on says what a place is mounted on, and where, by the paths of both.
func (at *Place) on(on Mount, itsPoint, point string) {
	at.On = &on
	if itsPoint != "" && within(point, itsPoint) {
		at.Point = path.Join(on.Root, strings.TrimPrefix(point, itsPoint))
	}
}

// base opens what a path begins at.
func (r *request) base(p Path) (kernel.FD, error) {
	switch {
	case strings.HasPrefix(p.Name, "/"):
		return r.task.Open("root")
	case p.Dir == unix.AT_FDCWD:
		return r.task.Open("cwd")
	case p.Dir < 0:
		return kernel.NoFD, unix.EBADF
	}
	fd, err := r.task.Open("fd/" + strconv.Itoa(int(p.Dir)))
	if err == unix.ENOENT {
		err = unix.EBADF
	}
	return fd, err
}

// cached follows paths as far as that takes no waiting. It passes on what leads
// out of where a path begins, since it stays in the host's root directory.
type cached struct{ *request }

func (c cached) resolve(p Path) (kernel.FD, error) {
	if p.Name == "" && !p.Empty {
		return kernel.NoFD, unix.ENOENT
	}
	base, err := c.base(p)
	if err != nil || p.Name == "" {
		return base, err
	}
	defer base.Close()
	within := uint64(unix.RESOLVE_BENEATH)
	if p.Name[0] == '/' {
		within = unix.RESOLVE_IN_ROOT
	}
	fd, err := kernel.Resolve(base, p.Name, p.flags(), within|kernel.ResolveCached|unix.RESOLVE_NO_MAGICLINKS)
	switch err {
	case unix.EAGAIN, unix.EXDEV, unix.ELOOP, unix.ENOENT: // ENOENT: it may lead through /proc/self, as /dev/fd does
		return kernel.NoFD, errSlow
	}
	return fd, err
}

func (p Path) flags() int {
	if p.NoFollow {
		return unix.O_NOFOLLOW
	}
	return 0
}

// isView tells whether a mount is a procfs or sysfs, with masks on it and nothing
// else. It is asked of what isn't an initial one.
func (r *request) isView(fd kernel.FD, at *Place) (bool, error) {
	var st unix.Statfs_t
	t := r.table.Load()
	if t.Initial(at.ID) || unix.Fstatfs(int(fd), &st) != nil {
		return false, nil
	}
	if st.Type != unix.PROC_SUPER_MAGIC && st.Type != unix.SYSFS_MAGIC {
		return false, nil
	}
	below, err := r.below(at.ID)
	if err != nil {
		return false, err
	}
	for _, device := range below {
		if device != at.Device && !t.masks(device) {
			return false, nil
		}
	}
	return len(below) > 0, nil
}

// below lists the devices of the mounts on a mount of the caller's namespace.
func (r *request) below(id uint64) ([]uint64, error) {
	if !r.unique {
		return r.belowByOldID(id)
	}
	ns, err := r.task.OpenNS("mnt")
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	namespace, err := kernel.MountNamespaceID(ns)
	if err != nil {
		return nil, err
	}
	ids, err := kernel.ListMounts(namespace, id)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var devices []uint64
	for _, id := range ids {
		if st, err := kernel.StatMount(namespace, id); err == nil {
			devices = append(devices, st.Device)
		}
	}
	return devices, nil
}

func (r *request) belowByOldID(id uint64) ([]uint64, error) {
	mounts, err := kernel.MountsOf(r.task.TID)
	if err != nil {
		return nil, err
	}
	on := map[uint64]bool{id: true}
	var devices []uint64
	for _, m := range mounts { // one comes after what it is on
		if on[m.Parent] {
			on[m.ID] = true
			devices = append(devices, m.Number())
		}
	}
	return devices, nil
}
