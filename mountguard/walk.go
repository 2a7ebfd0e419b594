package mountguard

import (
	"fmt"
	"strconv"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// walk follows paths on a thread that has the caller's root directory.
type walk struct{ *request }

// newWalk gives the calling thread, which must not be used for anything else
// afterwards, the caller's root directory.
func newWalk(r *request) (walk, error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return walk{}, fmt.Errorf("unshare CLONE_FS: %w", err)
	}
	root, err := r.task.Open("root")
	if err != nil {
		return walk{}, fmt.Errorf("cannot open the caller's root directory: %w", err)
	}
	defer root.Close()
	if err := unix.Fchdir(int(root)); err != nil {
		return walk{}, fmt.Errorf("fchdir: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return walk{}, fmt.Errorf("chroot: %w", err)
	}
	return walk{r}, r.asCaller()
}

// asCaller gives the thread the caller's access to files, unless the caller has
// root's.
func (r *request) asCaller() error {
	status, err := r.task.Status()
	if err != nil {
		return err
	}
	if status.Effective&kernel.CapSet(unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH) != 0 {
		return nil
	}
	return kernel.OpenFilesAs(status)
}

func (w walk) resolve(p Path) (kernel.FD, error) {
	if p.Name == "" && !p.Empty {
		return kernel.NoFD, unix.ENOENT
	}
	base, err := w.base(p)
	if err != nil || p.Name == "" {
		return base, err
	}
	fd, err := kernel.Resolve(base, p.Name, p.flags(), 0)
	if err != unix.ENOENT || !hasSelf(p.Name) {
		base.Close()
		return fd, err
	}
	return w.steps(base, p)
}

// hasSelf tells whether a path may go through what in /proc depends on who
// looks.
func hasSelf(name string) bool { return strings.Contains(name, "self") }

// steps follows a path from a directory, which it closes, one name after the
// other. What leads through /proc/self is looked up in the host's /proc, by the
// caller's number.
func (w walk) steps(at kernel.FD, p Path) (kernel.FD, error) {
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
		next, err := w.step(at, name)
		if err != nil {
			at.Close()
			return kernel.NoFD, err
		}
		if isSelf(at, name) {
			ofHost = true
		} else if linkTo, ok := readlink(next); ok && (len(names) > 0 || !p.NoFollow) {
			next.Close()
			if next, err = w.follow(at, name, linkTo, &names, &links); err != nil {
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

// step opens a name, without following it.
func (w walk) step(at kernel.FD, name string) (kernel.FD, error) {
	if !isSelf(at, name) {
		return kernel.Resolve(at, name, unix.O_NOFOLLOW, 0)
	}
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
func (w walk) follow(at kernel.FD, name, linkTo string, names *[]string, links *int) (kernel.FD, error) {
	if isProc(at) { // the words say nothing
		return kernel.Resolve(at, name, 0, 0)
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
