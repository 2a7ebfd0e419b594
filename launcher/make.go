package launcher

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// makeTree makes one mount, and its mount point.
func (s *stage) makeTree(m Mount) error {
	writable := m
	if m.Type == "tmpfs" { // what is mounted on it needs its place; the rules make it read-only
		writable.Flags = slices.DeleteFunc(slices.Clone(m.Flags), func(f string) bool { return f == "ro" })
	}
	t := &tree{target: m.Target, base: m, sealed: slices.Contains(writable.Flags, "ro")}
	if err := s.makeMount(t, writable); err != nil {
		return err
	}
	if name, err := s.canonical(m.Target); err == nil || errors.Is(err, unix.ENOENT) {
		t.target = name
	}
	dir, err := kernel.IsDir(t.mnt)
	if err != nil {
		return err
	}
	s.makeTarget(t.target, dir)
	s.addTree(t)
	return nil
}

// makeMount makes the mount of a tree, detached.
func (s *stage) makeMount(t *tree, m Mount) error {
	if err := s.makeDetached(t, m); err != nil {
		return fmt.Errorf("cannot mount %s on %s: %w", m.Type, m.Target, err)
	}
	return nil
}

func (s *stage) makeDetached(t *tree, m Mount) (err error) {
	if s.plan.lifts(m.Lock) {
		return s.makeBare(t, m)
	}
	t.mnt, err = s.make(m)
	return err
}

// make makes one mount, detached.
func (s *stage) make(m Mount) (*os.File, error) {
	switch {
	case m.Directory != nil:
		return s.directory(m)
	case m.Credentials != nil:
		return credentialsFS()
	}
	switch m.Type {
	case "bind":
		return s.bind(m)
	case "overlay":
		return s.overlay(overlay{lower: m.Lower, upper: m.Upper, work: m.Work, ids: m.IDs, flags: m.Flags, hidden: m.Hidden, private: m.Private})
	case "tmpfs":
		return s.tmpfs(m)
	case "usr":
		return s.usr(m)
	case "dev":
		return s.dev(m)
	case "cgroup2":
		return cloneHost(kernel.CgroupRoot+s.cgroup, 0, attributes(m.Flags))
	case "console":
		return s.openConsole(m)
	case "devpts":
		mnt, err := s.fromInside(m)
		if err == nil {
			s.pts, err = kernel.OpenIn(mnt, "/", unix.O_PATH) // for the console
		}
		if err == nil {
			_, err = s.park(mnt) // which is cloned from it: before Linux 6.15 that takes an attached origin
		}
		return mnt, err
	case "proc", "mqueue":
		return s.fromInside(m)
	case "sysfs":
		if s.plan.Network == "host" {
			return kernel.NewFS("sysfs", int(attributes(m.Flags).Set), m.Options...)
		}
		return s.fromInside(m)
	}
	return nil, fmt.Errorf("internal error: mount type %q", m.Type)
}

// fromInside makes the mount of a file system that the container's first
// process has opened.
func (s *stage) fromInside(m Mount) (*os.File, error) {
	if len(s.contexts) == 0 {
		return nil, errors.New("internal error: no file system context from the container")
	}
	context := s.contexts[0]
	s.contexts = s.contexts[1:]
	defer context.Close()
	mnt, err := kernel.MountFS(context, m.Type, int(attributes(m.Flags).Set), s.hostOptions(m.Options)...)
	if err != nil || m.Type != "mqueue" {
		return mnt, err
	}
	// Its root directory was made with the IPC namespace, before there was a
	// user in it.
	return mnt, kernel.Chown(mnt, s.owner())
}

// hostOptions gives options the numbers of the host: the kernel takes an ID as
// the one who sets the option means it, and that is berth.
func (s *stage) hostOptions(options []kernel.Option) []kernel.Option {
	options = slices.Clone(options)
	for i, o := range options {
		if id, err := strconv.Atoi(o.Value); err == nil && o.Key == "gid" {
			options[i].Value = strconv.Itoa(int(s.plan.Users.Base) + id)
		}
	}
	return options
}

// cloneHost clones a mount of the host's and changes its attributes.
func cloneHost(source string, flags uint, a kernel.Attr) (*os.File, error) {
	dir, err := kernel.OpenSource(source)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return clone(dir, flags, a)
}

// cloneOwned is cloneHost of a bind's source, which must still belong to whom the
// plan maps.
func cloneOwned(m Mount, flags uint, a kernel.Attr) (*os.File, error) {
	dir, err := kernel.OpenSource(m.Source)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if m.IDs != nil && m.IDs.Map == "owner" {
		info, err := dir.Stat()
		if err != nil {
			return nil, err
		}
		st := info.Sys().(*syscall.Stat_t)
		if int(st.Uid) != m.IDs.UIDs[0].Container || int(st.Gid) != m.IDs.GIDs[0].Container {
			return nil, fmt.Errorf("%s has got another owner just now: try again", m.Source)
		}
	}
	return clone(dir, flags, a)
}

func clone(dir *os.File, flags uint, a kernel.Attr) (*os.File, error) {
	mnt, err := kernel.CloneTree(dir, "", flags)
	if err != nil {
		return nil, err
	}
	a.Recursive = flags&unix.AT_RECURSIVE != 0
	a.Propagation = unix.MS_PRIVATE // what the host mounts below it later is not the container's
	if err := kernel.SetAttr(mnt, a); err != nil {
		mnt.Close()
		if a.UserNS != nil && errors.Is(err, unix.EINVAL) {
			err = fmt.Errorf("the file system of %s (%s) can't be ID-mapped: %w", dir.Name(), kernel.FSName(dir), err)
		}
		return nil, err
	}
	return mnt, nil
}

func (s *stage) bind(m Mount) (*os.File, error) {
	a := attributes(m.Flags)
	var err error
	if a.UserNS, err = s.idmap(m.IDs); err != nil {
		return nil, err
	}
	var flags uint
	if m.Recursive {
		flags = unix.AT_RECURSIVE
	}
	mnt, err := cloneOwned(m, flags, a)
	if err != nil && a.UserNS != nil {
		return nil, fmt.Errorf("%w; idmap = \"no\" mounts it as it is", err)
	}
	return mnt, err
}

// idmap returns the user namespace whose maps a mount gets.
func (s *stage) idmap(ids *MountIDs) (*os.File, error) {
	if ids == nil {
		return nil, nil
	}
	if ids.Map == "identity" && s.plan.Users.MapRoot {
		return s.userns, nil
	}
	key := fmt.Sprint(ids.UIDs, ids.GIDs)
	if s.maps[key] == nil {
		ns, err := kernel.NewUserNS(ids.UIDs, ids.GIDs)
		if err != nil {
			return nil, err
		}
		s.maps[key] = ns
	}
	return s.maps[key], nil
}

// tmpfs belongs to the host's user namespace, so that the container's root can
// neither resize nor reconfigure it, and its files to the container's root.
func (s *stage) tmpfs(m Mount) (*os.File, error) {
	id := strconv.Itoa(int(s.plan.Users.Base))
	options := append([]kernel.Option{{Key: "uid", Value: id}, {Key: "gid", Value: id}}, m.Options...)
	return kernel.NewFS("tmpfs", int(attributes(m.Flags).Set), options...)
}
