package launcher

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"syscall"

	"berth/internal/kernel"
	"berth/sandbox"

	"golang.org/x/sys/unix"
)

// Where things stand in the stage. The host's own directory of the same name
// stays as it is: all of this exists in one mount namespace only.
const (
	stageDir  = "/run/berth"            // a private tmpfs: what the container must not receive
	sharedDir = stageDir + "/container" // a shared tmpfs: what is mounted below it propagates into the container
	stageRoot = sharedDir + "/root"     // where the container finds its root
)

// stage builds a container's mounts in a mount namespace that the host's user
// namespace owns. The container's own mount namespace is cloned from it when
// the shared tmpfs is there and nothing else, so that its copy of that tmpfs is
// a slave. What is then mounted on the shared tmpfs propagates, and because it
// comes from a more privileged namespace the kernel locks its flags
// (mount_namespaces(7), "Restrictions on mount namespaces").
//
// All methods run on the one locked thread that entered the namespace.
type stage struct {
	plan     *Plan
	userns   *os.File   // the container's
	contexts []*os.File // from its first process, in the order of Setup.OpenFS
	cgroup   string     // the scope's, below kernel.CgroupRoot

	private, root, pts *os.File
	source             *os.File            // what the root is made of
	trees              []*tree             // the root's and the other mounts', in the order of the plan
	rules              []sandbox.PathRule  // the plan's, with canonical paths
	missing            map[string]bool     // those of rules for which there is nothing, unless below another mount
	masks              masks               //
	maps               map[string]*os.File // user namespaces for ID maps
	made               int                 // names in private
	terminal           *terminal           // when there is a console
	directories        []madeDirectory     // to be given to the payload
	undo               undo                // of what was made for them
	user               *kernel.Owner       // the payload's, once it is looked up
}

// newStage puts the two tmpfs up. The container's first process is cloned next.
func newStage(p *Plan) (*stage, error) {
	s := &stage{plan: p, maps: map[string]*os.File{}, missing: map[string]bool{}}
	at, err := kernel.OpenPath(stageDir)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	if s.private, err = s.smallTmpfs(at); err != nil {
		return nil, err
	}
	// A recursive bind of /run must not take the stage along.
	if err := kernel.SetAttr(s.private, kernel.Attr{Propagation: unix.MS_UNBINDABLE}); err != nil {
		return nil, err
	}
	at, err = kernel.MkdirIn(s.private, path.Base(sharedDir))
	if err != nil {
		return nil, err
	}
	defer at.Close()
	shared, err := s.smallTmpfs(at)
	if err != nil {
		return nil, err
	}
	defer shared.Close()
	return s, kernel.SetAttr(shared, kernel.Attr{Propagation: unix.MS_SHARED})
}

// smallTmpfs mounts a tmpfs that holds mount points only.
func (s *stage) smallTmpfs(at *os.File) (*os.File, error) {
	const attrs = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	mnt, err := kernel.NewFS("tmpfs", attrs, kernel.Option{Key: "mode", Value: "755"}, kernel.Option{Key: "size", Value: "1m"})
	if err != nil {
		return nil, err
	}
	if err := kernel.Attach(mnt, at); err != nil {
		mnt.Close()
		return nil, err
	}
	return mnt, nil
}

// build makes the root and every mount but those that need the scope's cgroup;
// afterCgroup makes these. All are made and restricted before the first
// propagates: what is locked in place in the container has to be there by then.
func (s *stage) build() error {
	if err := s.makeRoot(); err != nil {
		return err
	}
	for _, m := range s.plan.Mounts {
		if m.Type == "cgroup2" {
			s.trees = append(s.trees, &tree{target: m.Target, base: m})
			continue
		}
		if err := s.makeTree(m); err != nil {
			return err
		}
	}
	if err := s.giveDirectories(); err != nil {
		return err
	}
	if err := s.giveCredentials(); err != nil {
		return err
	}
	if err := s.followRules(); err != nil {
		return err
	}
	for _, t := range s.trees {
		if t.mnt == nil {
			continue
		}
		if err := s.attach(t); err != nil {
			return err
		}
	}
	return nil
}

// afterCgroup mounts the scope's cgroup, once systemd has made it.
func (s *stage) afterCgroup() (err error) {
	for _, t := range s.trees {
		if t.mnt != nil {
			continue
		}
		if t.mnt, err = s.make(t.base); err != nil {
			return fmt.Errorf("cannot mount %s on %s: %w", t.base.Type, t.target, err)
		}
		if err := s.attach(t); err != nil {
			return err
		}
	}
	return nil
}

// makeTree makes one mount, and its mount point.
func (s *stage) makeTree(m Mount) error {
	writable := m
	if m.Type == "tmpfs" { // what is mounted on it needs its place; the rules make it read-only
		writable.Flags = slices.DeleteFunc(slices.Clone(m.Flags), func(f string) bool { return f == "ro" })
	}
	mnt, err := s.make(writable)
	if err != nil {
		return fmt.Errorf("cannot mount %s on %s: %w", m.Type, m.Target, err)
	}
	t := &tree{target: m.Target, mnt: mnt, base: m, sealed: slices.Contains(writable.Flags, "ro")}
	if name, err := s.canonical(m.Target); err == nil || errors.Is(err, unix.ENOENT) {
		t.target = name
	}
	dir, err := kernel.IsDir(mnt)
	if err != nil {
		return err
	}
	s.makeTarget(t.target, dir)
	s.trees = append(s.trees, t)
	return nil
}

// attach restricts a tree and puts it into the container.
func (s *stage) attach(t *tree) error {
	if t == s.trees[0] {
		return s.attachRoot(t)
	}
	defer t.mnt.Close()
	m := t.base
	if at(s.rules, t.target).access == sandbox.Inaccessible {
		return nil // what lies below it is masked
	}
	if err := s.applyRules(t); err != nil {
		return err
	}
	target, err := s.target(t.target, t.mnt)
	if m.Optional && err != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot mount %s on %s: %w", m.Type, m.Target, err)
	}
	defer target.Close()
	return kernel.Attach(t.mnt, target)
}

// target opens the place of a mount inside the container's root and makes it
// where it is missing, as the container's root user would. It is where rules were
// made for: symlinks have been followed, and a new one is refused.
func (s *stage) target(name string, mnt *os.File) (*os.File, error) {
	dir, err := kernel.IsDir(mnt)
	if err != nil {
		return nil, err
	}
	open := kernel.CreateIn
	if dir {
		open = kernel.MkdirIn
	}
	var target *os.File
	err = kernel.As(s.owner(), func() (err error) {
		target, err = open(s.root, name)
		return err
	})
	switch {
	case errors.Is(err, unix.EROFS):
		return nil, fmt.Errorf("%s is not there, in what is read-only: make it in the root file system", name)
	case errors.Is(err, unix.EACCES):
		return nil, fmt.Errorf("%s is not in the root file system, and its root user may not make it: make it there (%w)", name, err)
	case errors.Is(err, unix.ENOTDIR):
		return nil, fmt.Errorf("%s passes through something that is not a directory", name)
	case err != nil:
		return nil, err
	}
	target.Close()
	if target, err = kernel.OpenPlain(s.root, path.Join(".", name)); err != nil {
		return nil, fmt.Errorf("%s has changed just now: %w", name, err)
	}
	if isDir, err := kernel.IsDir(target); err != nil || isDir != dir {
		target.Close()
		return nil, errors.Join(err, fmt.Errorf("%s is %s in the root file system, and what is mounted there is %s", name, kindOf(isDir), kindOf(dir)))
	}
	return target, nil
}

func kindOf(dir bool) string {
	if dir {
		return "a directory"
	}
	return "not a directory"
}

// owner is the container's root user on the host.
func (s *stage) owner() kernel.Owner {
	return kernel.Owner{UID: int(s.plan.Users.Base), GID: int(s.plan.Users.Base)}
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

// place makes a new directory of the private tmpfs, for a mount that has to
// be attached somewhere but is not, or not yet, the container's.
func (s *stage) place() (*os.File, string, error) {
	s.made++
	name := strconv.Itoa(s.made)
	dir, err := kernel.MkdirIn(s.private, name)
	return dir, path.Join(stageDir, name), err
}

// park attaches a mount to a new place and returns its path.
func (s *stage) park(mnt *os.File) (string, error) {
	at, name, err := s.place()
	if err != nil {
		return "", err
	}
	defer at.Close()
	return name, kernel.Attach(mnt, at)
}

// close lets go of what only the building needed.
func (s *stage) close() {
	for _, f := range s.maps {
		f.Close()
	}
	s.masks.close()
	s.undo.close()
	for _, f := range append(s.contexts, s.source, s.pts, s.userns, s.root, s.private) {
		if f != nil {
			f.Close()
		}
	}
}
