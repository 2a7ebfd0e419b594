package launcher

import (
	"os"
	"path"
	"strconv"

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
// comes from a more privileged namespace the kernel locks its flags, and all but
// the top of what comes as one tree in place (mount_namespaces(7), "Restrictions on
// mount namespaces").
//
// All methods run on the one locked thread that entered the namespace.
type stage struct {
	plan     *Plan
	child    int        // the container's first process
	userns   *os.File   // the container's
	contexts []*os.File // from its first process, in the order of Setup.OpenFS
	cgroup   string     // the scope's, below kernel.CgroupRoot

	private, root, pts *os.File
	source             *os.File            // what the root is made of
	trees              []*tree             // the root's and the other mounts', in the order of the plan
	waiting            []*tree             // those that are to be attached, in that order
	shared             bool                // the root has been put where it propagates
	rules              []sandbox.PathRule  // the plan's, with canonical paths
	missing            map[string]bool     // those of rules for which there is nothing, unless below another mount
	absent             []sandbox.PathRule  // for what is not there, where a mount may be added later
	area               *os.File            // where mounts are parked: private, but while a view is made
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
	s.area = s.private
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
			s.addTree(&tree{target: m.Target, base: m})
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
	s.waiting = attachOrder(s.trees)
	return s.attachMade()
}

// afterCgroup mounts the scope's cgroup, once systemd has made it, and what has
// waited for that.
func (s *stage) afterCgroup() error {
	for _, t := range s.waiting {
		if t.mnt != nil {
			continue
		}
		if err := s.makeMount(t, t.base); err != nil {
			return err
		}
	}
	if err := s.attachMade(); err != nil {
		return err
	}
	return s.giveOwnFlags()
}

// owner is the container's root user on the host.
func (s *stage) owner() kernel.Owner {
	return kernel.Owner{UID: int(s.plan.Users.Base), GID: int(s.plan.Users.Base)}
}

// place makes a new directory in an area, the private tmpfs or one on it, for a
// mount that has to be attached somewhere but is not, or not yet, the container's.
func (s *stage) place(area *os.File) (*os.File, string, error) {
	s.made++
	name := strconv.Itoa(s.made)
	dir, err := kernel.MkdirIn(area, name)
	return dir, path.Join(stageDir, name), err
}

// park attaches a mount to a new place, and returns its path in the private tmpfs.
func (s *stage) park(mnt *os.File) (string, error) { return s.parkIn(s.area, mnt) }

func (s *stage) parkIn(area, mnt *os.File) (string, error) {
	at, name, err := s.place(area)
	if err != nil {
		return "", err
	}
	defer at.Close()
	return name, kernel.Attach(mnt, at)
}

// settle lets go of what only the building needed. What is left serves the views
// and mounts that are added to the running container.
func (s *stage) settle() {
	s.closeMaps()
	s.undo.close()
	for _, f := range append(s.contexts, s.source, s.pts, s.root) {
		if f != nil {
			f.Close()
		}
	}
	s.contexts, s.source, s.pts, s.root = nil, nil, nil, nil
}

// closeMaps lets go of user namespaces. The mounts have what they need of them.
func (s *stage) closeMaps() {
	for key, f := range s.maps {
		f.Close()
		delete(s.maps, key)
	}
}

// close lets go of everything.
func (s *stage) close() {
	s.settle()
	s.masks.close()
	for _, f := range []*os.File{s.userns, s.private} {
		if f != nil {
			f.Close()
		}
	}
}
