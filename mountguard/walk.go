package mountguard

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// walk follows paths on a thread that has the caller's root directory and the
// access to files of the caller's user. What the caller's capabilities allow beyond
// that is decided name by name.
type walk struct {
	*request
	fsuid      int
	overrides  bool // the caller has CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH
	uids, gids []kernel.IDMap
}

// newWalk prepares the calling thread, which must not be used for anything else
// afterwards.
func newWalk(r *request) (*walk, error) {
	status, err := r.task.Status()
	if err != nil {
		return nil, err
	}
	w := &walk{request: r, fsuid: status.FSUID}
	w.overrides = status.Effective&kernel.CapSet(unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH) != 0
	if w.uids, w.gids, err = r.task.IDMaps(); err != nil {
		return nil, err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return nil, fmt.Errorf("unshare CLONE_FS: %w", err)
	}
	root, err := r.task.Open("root")
	if err != nil {
		return nil, fmt.Errorf("cannot open the caller's root directory: %w", err)
	}
	defer root.Close()
	if err := unix.Fchdir(int(root)); err != nil {
		return nil, fmt.Errorf("fchdir: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return nil, fmt.Errorf("chroot: %w", err)
	}
	return w, kernel.OpenFilesAs(status)
}

// asRoot opens something with the access that the thread has had.
func (w *walk) asRoot(open func() (kernel.FD, error)) (kernel.FD, error) {
	if err := kernel.SetFSUID(0); err != nil {
		return kernel.NoFD, errors.New(err.Error()) // no errno for the caller
	}
	fd, err := open()
	if back := kernel.SetFSUID(w.fsuid); back != nil {
		fd.Close()
		return kernel.NoFD, errors.New(back.Error())
	}
	return fd, err
}

func (w *walk) resolve(p Path) (kernel.FD, error) {
	if p.Name == "" && !p.Empty {
		return kernel.NoFD, unix.ENOENT
	}
	base, err := w.asRoot(func() (kernel.FD, error) { return w.base(p) }) // it is the caller's already
	if err != nil || p.Name == "" {
		return base, err
	}
	fd, err := kernel.Resolve(base, p.Name, p.flags(), 0)
	if err == unix.ENOENT || err == unix.EACCES {
		return w.steps(base, p)
	}
	base.Close()
	return fd, err
}

// steps follows a path from a directory, which it closes, one name after the
// other. What leads through /proc/self is looked up in the host's /proc, by the
// caller's number.
func (w *walk) steps(at kernel.FD, p Path) (kernel.FD, error) {
	names, links, ofHost := strings.Split(p.Name, "/"), 0, false
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if name == "" || name == "." {
			continue
		}
		if ofHost && name == ".." { // not in the container
			at.Close()
			return kernel.NoFD, unix.EACCES
		}
		next, err := w.step(at, name, ofHost)
		if err != nil {
			at.Close()
			return kernel.NoFD, err
		}
		if isSelf(at, name) {
			ofHost = true
		} else if linkTo, ok := readlink(next); ok && (len(names) > 0 || !p.NoFollow) {
			next.Close()
			if next, err = w.follow(at, name, linkTo, ofHost, &names, &links); err != nil {
				at.Close()
				return kernel.NoFD, err
			}
			ofHost = false
		}
		at.Close()
		at = next
	}
	return at, nil
}

// step opens a name, without following it. ofHost: in the caller's directory of
// the host's /proc, where the caller could look in its own.
func (w *walk) step(at kernel.FD, name string, ofHost bool) (kernel.FD, error) {
	if isSelf(at, name) {
		return w.own(name)
	}
	return w.openAt(at, name, unix.O_NOFOLLOW, ofHost)
}

// openAt opens a name in a directory, as far as the caller could.
func (w *walk) openAt(at kernel.FD, name string, flags int, ofHost bool) (kernel.FD, error) {
	open := func() (kernel.FD, error) { return kernel.Resolve(at, name, flags, 0) }
	fd, err := open()
	if err == unix.EACCES && (ofHost || w.mayOverride(at)) {
		return w.asRoot(open)
	}
	return fd, err
}

// mayOverride: a capability of a user namespace's is one over the files of users
// and groups that it has. See user_namespaces(7).
func (w *walk) mayOverride(dir kernel.FD) bool {
	var st unix.Stat_t
	return w.overrides && unix.Fstat(int(dir), &st) == nil && has(w.uids, st.Uid) && has(w.gids, st.Gid)
}

// has tells whether one of the IDs of a map is this one outside.
func has(maps []kernel.IDMap, id uint32) bool {
	for _, m := range maps {
		if int(id) >= m.Host && int(id)-m.Host < m.Size {
			return true
		}
	}
	return false
}

// own is what the caller would find as /proc/self or /proc/thread-self.
func (w *walk) own(name string) (kernel.FD, error) {
	status, err := w.task.Status()
	if err != nil {
		return kernel.NoFD, unix.ENOENT
	}
	own := strconv.Itoa(status.TGID)
	if name == "thread-self" {
		own += "/task/" + strconv.Itoa(w.task.TID)
	}
	return kernel.Resolve(w.task.Proc, own, 0, 0)
}

// follow follows a symlink. Where that is a matter of words it puts them before
// the names that are left, and returns where to go on from.
func (w *walk) follow(at kernel.FD, name, linkTo string, ofHost bool, names *[]string, links *int) (kernel.FD, error) {
	if isProc(at) { // the words say nothing
		return w.openAt(at, name, 0, ofHost)
	}
	if *links++; *links > maxSymlinks {
		return kernel.NoFD, unix.ELOOP
	}
	*names = append(strings.Split(linkTo, "/"), *names...)
	from := "."
	if strings.HasPrefix(linkTo, "/") {
		from = "/" // of this thread: the caller's
	}
	return kernel.Resolve(at, from, 0, 0)
}

// maxSymlinks is how many the kernel follows in one path. See
// path_resolution(7).
const maxSymlinks = 40

func isSelf(dir kernel.FD, name string) bool {
	return (name == "self" || name == "thread-self") && isProc(dir)
}

func isProc(dir kernel.FD) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(int(dir), &st) == nil && st.Type == unix.PROC_SUPER_MAGIC
}

// readlink tells whether a descriptor is one of a symlink, and what that says.
func readlink(fd kernel.FD) (string, bool) {
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(fd), "", text)
	if err != nil {
		return "", false
	}
	return string(text[:n]), true
}
