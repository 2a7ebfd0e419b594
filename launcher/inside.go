package launcher

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// inside is a thread in the container's mount namespace. It has the host's rights, and
// nothing of the container's runs on it.
type inside struct {
	proc *os.File // the host's /proc
	root *os.File // the container's root directory
}

// inside has f called on such a thread.
func (b *binder) inside(f func(inside) error) error {
	proc, err := kernel.OpenPath("/proc")
	if err != nil {
		return err
	}
	defer proc.Close()
	kernel.OnThread(func() {
		if err = enterMounts(b.namespace); err != nil {
			return
		}
		in := inside{proc: proc}
		if in.root, err = kernel.OpenPath("/"); err != nil {
			return
		}
		defer in.root.Close()
		err = f(in)
	})
	return err
}

// place opens what is to be mounted on, and makes it where it is missing, as the
// container's root user would. canonical is its path without symlinks.
func (in inside) place(target string, dir bool, users Users) (f *os.File, canonical string, err error) {
	owner := kernel.Owner{UID: int(users.Base), GID: int(users.Base)}
	f, canonical, err = kernel.Place{Root: in.root, Dir: dir, Owner: owner, Trust: users.trusts}.Open(target)
	var link *kernel.UntrustedLinkError
	switch {
	case errors.As(err, &link):
		return nil, "", fmt.Errorf("in the container, %w, who may make it lead anywhere", link)
	case errors.Is(err, unix.EROFS):
		return nil, "", fmt.Errorf("%s is not there, in what is read-only in the container", target)
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		return nil, "", fmt.Errorf("%s can't be found in the container, or not be made by its root user: make it there (%w)", target, err)
	case errors.Is(err, unix.ENOTDIR):
		return nil, "", fmt.Errorf("%s passes through something that is not a directory", target)
	case err != nil:
		return nil, "", err
	}
	if err := fits(f, target, dir); err != nil {
		f.Close()
		return nil, "", err
	}
	return f, canonical, nil
}

// fits refuses what something of the other kind is mounted on, and what is of the
// kernel's own file systems, wherever the container shows these.
func fits(place *os.File, target string, dir bool) error {
	isDir, err := kernel.IsDir(place)
	if err != nil {
		return err
	}
	if isDir != dir {
		return fmt.Errorf("%s is %s in the container, and what is mounted there is %s", target, kindOf(isDir), kindOf(dir))
	}
	switch name := kernel.FSName(place); name {
	case "proc", "sysfs", "cgroup2":
		return fmt.Errorf("%s leads to a %s, where nothing can be mounted", target, name)
	}
	return nil
}

// trusts tells whether the symlinks of a user may be followed in the container: those
// of users outside, and of its root, but not of other users, who could have root
// mount where they like.
func (u Users) trusts(uid uint32) bool {
	return uid == u.Base || uid < u.Base || uid-u.Base >= u.Size
}

// mounts lists the mounts of the namespace.
func (in inside) mounts() ([]kernel.MountInfo, error) {
	file, err := kernel.OpenIn(in.proc, "thread-self/mountinfo", unix.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("cannot list the container's mounts: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("cannot list the container's mounts: %w", err)
	}
	return kernel.ParseMounts(string(data))
}

// detach unmounts a mount with all on it, by its root directory.
func (in inside) detach(mnt *os.File) error {
	if err := unix.Fchdir(int(in.proc.Fd())); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	path := "thread-self/fd/" + strconv.Itoa(int(mnt.Fd()))
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount2: %w", err)
	}
	return nil
}

// unmount unmounts a mount by its path, if that leads to this mount.
func (in inside) unmount(m kernel.MountInfo, lazy bool) error {
	parent, err := kernel.OpenPlain(in.root, path.Join(".", path.Dir(m.Target)))
	if err != nil {
		return err
	}
	defer parent.Close()
	name := path.Base(m.Target)
	mnt, err := kernel.OpenPlain(parent, name)
	if err != nil {
		return err
	}
	id, top, _, err := kernel.FileMount(kernel.FD(mnt.Fd()), false)
	mnt.Close() // else it would be in use
	if err != nil {
		return err
	}
	if id != m.ID || !top {
		return errors.New("something else is mounted over it in the container")
	}
	// A mount point can't be renamed, whatever becomes of the directories above it.
	if err := unix.Fchdir(int(parent.Fd())); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	err = unix.Unmount(name, flags)
	if errors.Is(err, unix.EBUSY) {
		return errInUse
	}
	if err != nil {
		return fmt.Errorf("umount2: %w", err)
	}
	return nil
}
