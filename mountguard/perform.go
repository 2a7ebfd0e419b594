package mountguard

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// perform carries a call out for its caller. Whatever it needs is in descriptors
// and copies by now.
func (w *walk) perform(v Verdict, s situation) {
	defer s.close()
	var err error
	switch w.call.Operation {
	case Move:
		err = w.move(s)
	case Unmount:
		err = w.unmount(s)
	case Reconfigure:
		err = w.setFlags(s)
	case NewMount:
		err = w.mountView()
	case OpenFS:
		w.finish(v, w.openView())
		return
	case MakeMount:
		w.finish(v, w.makeView(s))
		return
	default:
		err = errors.New("internal error: nothing to perform")
	}
	s.close() // before the answer: what is held open can't be unmounted
	if err != nil {
		w.refuse(v, err)
		return
	}
	if kernel.AnswerValue(w.listener.fd, w.n.ID, 0) == nil {
		w.counts.add(w.call.Name, Perform)
	}
}

// finish counts a call that has been answered with a descriptor, or has failed.
func (r *request) finish(v Verdict, err error) {
	if err != nil {
		r.refuse(v, err)
		return
	}
	r.counts.add(r.call.Name, Perform)
}

// refuse answers with the kernel's errno. What isn't one is an error of the
// guard's.
func (r *request) refuse(v Verdict, err error) {
	var errno unix.Errno
	if !errors.As(err, &errno) || errno == 0 {
		r.fail(err)
		return
	}
	if errno == unix.ENOENT && !kernel.Waits(r.listener.fd, r.n.ID) {
		return // the caller is gone
	}
	if kernel.AnswerErrno(r.listener.fd, r.n.ID, errno) == nil {
		r.counts.add(r.call.Name, Perform) // as far as it went: the errno is the kernel's
	}
}

// mayMount tells whether the caller could mount in its mount namespace, which
// comes back: CAP_SYS_ADMIN over the user namespace that owns it. others are
// namespaces over which it has to have that as well.
func (r *request) mayMount(others ...*os.File) (*os.File, error) {
	status, err := r.task.Status()
	if err != nil {
		return nil, err
	}
	if status.Effective&kernel.CapSet(unix.CAP_SYS_ADMIN) == 0 {
		return nil, unix.EPERM
	}
	user, err := r.task.OpenNS("user")
	if err != nil {
		return nil, err
	}
	defer user.Close()
	mounts, err := r.task.OpenNS("mnt")
	if err != nil {
		return nil, err
	}
	for _, ns := range append(others, mounts) {
		governs, err := kernel.Governs(user, ns)
		if err == nil && !governs {
			err = unix.EPERM
		}
		if err != nil {
			mounts.Close()
			return nil, err
		}
	}
	if !kernel.Waits(r.listener.fd, r.n.ID) {
		mounts.Close()
		return nil, unix.ENOENT // all of this may have been another's
	}
	return mounts, nil
}

// enter moves the thread into the caller's mount namespace, if the caller may
// mount there.
func (r *request) enter() error {
	mounts, err := r.mayMount()
	if err != nil {
		return err
	}
	defer mounts.Close()
	return kernel.JoinMountNS(mounts)
}

// move moves a mount that is not an initial one: the source has been judged as
// this very descriptor.
func (w *walk) move(s situation) error {
	if s.source == kernel.NoFD || s.target == kernel.NoFD {
		return w.missing()
	}
	if err := w.enter(); err != nil {
		return err
	}
	flags := unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_EMPTY_PATH
	if w.call.beneath() {
		flags |= moveBeneath
	}
	err := unix.MoveMount(int(s.source), "", int(s.target), "", flags)
	if err == nil && s.Made {
		w.made.drop(s.Source.ID)
	}
	return err
}

// unmount unmounts a view with its masks. The kernel looks once more whether it
// is locked itself.
func (w *walk) unmount(s situation) error {
	if err := w.enter(); err != nil {
		return err
	}
	if err := unix.Fchdir(int(s.target)); err != nil {
		return err
	}
	return unix.Unmount(".", unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
}

// missing is the errno for a path that leads nowhere.
func (w *walk) missing() error {
	paths := []Path{w.call.Target}
	if w.call.Operation == Move {
		paths = []Path{w.call.Source, w.call.Target}
	}
	for _, p := range paths {
		fd, err := w.resolve(p)
		if err != nil {
			return err
		}
		fd.Close()
	}
	return unix.EAGAIN // it has appeared just now
}

// setFlags sets the flags of one mount as a remount would that is called with
// MS_BIND. What the kernel has locked it refuses.
func (w *walk) setFlags(s situation) error {
	if s.target == kernel.NoFD {
		return w.missing()
	}
	if err := w.enter(); err != nil {
		return err
	}
	attr := remountAttr(w.call.Flags)
	return unix.MountSetattr(int(s.target), "", unix.AT_EMPTY_PATH, &attr)
}

// remountFlags are what mount(2) takes and what mount_setattr(2) calls it.
var remountFlags = [...]struct{ ms, attr uint64 }{
	{unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY}, {unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID},
	{unix.MS_NODEV, unix.MOUNT_ATTR_NODEV}, {unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
	{unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW}, {unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
}

// remountAttr: flags that aren't given are cleared, but for those about times,
// which stay if none is given. See mount(2), "Remounting an existing mount".
func remountAttr(flags uint64) unix.MountAttr {
	var a unix.MountAttr
	times := uint64(unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME | unix.MS_STRICTATIME)
	for _, f := range remountFlags {
		switch {
		case flags&f.ms != 0:
			a.Attr_set |= f.attr
		case f.ms&times == 0 || flags&times != 0:
			a.Attr_clr |= f.attr
		}
	}
	if flags&times == 0 {
		return a
	}
	a.Attr_clr |= unix.MOUNT_ATTR__ATIME
	switch {
	case flags&unix.MS_STRICTATIME != 0:
		a.Attr_set |= unix.MOUNT_ATTR_STRICTATIME
	case flags&unix.MS_NOATIME != 0:
		a.Attr_set |= unix.MOUNT_ATTR_NOATIME
	}
	return a
}

// mountView mounts a procfs or sysfs for the caller.
func (w *walk) mountView() error {
	target, err := w.resolve(w.call.Target)
	if err != nil {
		return err
	}
	defer target.Close()
	options, err := w.options()
	if err != nil {
		return err
	}
	context, err := w.open(w.call.FS)
	if err != nil {
		return err
	}
	defer context.Close()
	if err := kernel.CreateFS(context, options); err != nil {
		return err
	}
	tree, err := w.makeTree(w.call.FS, context, newAttributes(w.call.Flags))
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := w.enter(); err != nil {
		return err
	}
	const flags = unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_EMPTY_PATH
	return unix.MoveMount(int(tree.Fd()), "", int(target), "", flags)
}

// newAttributes are what mount(2) takes for a new mount.
func newAttributes(flags uint64) uint64 {
	var attributes uint64
	for _, f := range remountFlags {
		if flags&f.ms != 0 {
			attributes |= f.attr
		}
	}
	return attributes
}

// options takes the data of mount(2) apart, as the kernel does. The kernel would
// take them as the guard's, who has other groups and other rights to files: so only
// those are passed on that have nothing to do with these, or can be translated.
func (w *walk) options() ([]kernel.Option, error) {
	list := []kernel.Option{{Key: "source", Value: w.call.FS}}
	for _, o := range strings.Split(w.call.Data, ",") {
		key, value, _ := strings.Cut(o, "=")
		switch {
		case key == "":
			continue
		case w.call.FS == "proc" && (key == "hidepid" || key == "subset"):
		case w.call.FS == "proc" && key == "gid":
			gid, err := strconv.ParseUint(value, 0, 31)
			if err != nil {
				return nil, unix.EINVAL
			}
			if value = hostGID(w.gids, int(gid)); value == "" {
				return nil, unix.EINVAL
			}
		default:
			return nil, unix.EINVAL
		}
		list = append(list, kernel.Option{Key: key, Value: value})
	}
	return list, nil
}

// hostGID is the number of a group outside; "" if it isn't one.
func hostGID(maps []kernel.IDMap, gid int) string {
	for _, m := range maps {
		if gid >= m.Container && gid-m.Container < m.Size {
			return strconv.Itoa(m.Host + gid - m.Container)
		}
	}
	return ""
}

// open opens a context for the caller's namespaces, over which it has to have
// what mounting takes.
func (r *request) open(fs string) (*os.File, error) {
	kind := "pid"
	if fs == "sysfs" {
		kind = "net"
	}
	ns, err := r.task.OpenNS(kind)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	mounts, err := r.mayMount(ns)
	if err != nil {
		return nil, err
	}
	mounts.Close()
	return r.views.Open(fs, ns)
}

// openView gives the caller a context, and remembers it.
func (r *request) openView() error {
	context, err := r.open(r.call.FS)
	if err != nil {
		return err
	}
	flags := 0
	if r.call.Flags&unix.FSOPEN_CLOEXEC != 0 {
		flags = unix.O_CLOEXEC
	}
	r.contexts.add(context) // before it is the caller's, who may use it at once
	err = kernel.AnswerFD(r.listener.fd, r.n.ID, context, flags)
	if err != nil {
		r.contexts.drop(context)
	}
	return err
}

// makeView gives the caller the mount of a context that it has got here.
//
// No descriptor that is there for its path only can be put into another's table
// (Linux 6.18, seccomp_notify_addfd). The caller gets one of the mount's root
// directory, which serves as well for move_mount(2) and mount_setattr(2), and the
// mount lives by the guard's.
func (r *request) makeView(s situation) error {
	mounts, err := r.mayMount()
	if err != nil {
		return err
	}
	mounts.Close()
	tree, err := r.makeTree(s.context.Name(), s.context, r.n.Args[2])
	if err != nil {
		return err
	}
	root, err := kernel.OpenIn(tree, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		tree.Close()
		return err
	}
	defer root.Close()
	flags := 0
	if r.call.Flags&unix.FSMOUNT_CLOEXEC != 0 {
		flags = unix.O_CLOEXEC
	}
	id, _, _, err := kernel.FileMount(kernel.FD(root.Fd()), r.unique)
	if err != nil {
		tree.Close()
		return err
	}
	r.made.add(id, tree)
	err = kernel.AnswerFD(r.listener.fd, r.n.ID, root, flags)
	if err != nil {
		r.made.drop(id)
	}
	return err
}

// mountAttributes are what fsmount(2) takes.
const mountAttributes = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC |
	unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME | unix.MOUNT_ATTR_NOSYMFOLLOW

// makeTree makes the mount of a context. Attributes that the caller asks for are
// not locked: it may take them back.
func (r *request) makeTree(fs string, context *os.File, attributes uint64) (*os.File, error) {
	if attributes&^mountAttributes != 0 {
		return nil, unix.EINVAL
	}
	tree, err := r.views.Mount(fs, context)
	if err != nil || attributes == 0 {
		return tree, err
	}
	attr := unix.MountAttr{Attr_set: attributes &^ unix.MOUNT_ATTR__ATIME, Attr_clr: 0}
	if attributes&unix.MOUNT_ATTR__ATIME != 0 {
		attr.Attr_set, attr.Attr_clr = attributes, unix.MOUNT_ATTR__ATIME
	}
	if err := unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH, &attr); err != nil {
		tree.Close()
		return nil, err
	}
	return tree, nil
}
