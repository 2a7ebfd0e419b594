package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// operations are what can be tried, each on one path.
func operations() map[string]func(path string) error {
	return map[string]func(string) error{
		// A change of the mount at path, with all its other flags kept.
		"remount-rw":     dropByRemount(unix.ST_RDONLY),
		"remount-suid":   dropByRemount(unix.ST_NOSUID),
		"remount-dev":    dropByRemount(unix.ST_NODEV),
		"remount-exec":   dropByRemount(unix.ST_NOEXEC),
		"remount-ro":     remountReadOnly,
		"remount-super":  func(path string) error { return unix.Mount("", path, "", unix.MS_REMOUNT, "") },
		"remount-resize": func(path string) error { return unix.Mount("", path, "", unix.MS_REMOUNT, "size=1g") },
		"setattr-rw":     func(path string) error { return setattr(unix.AT_FDCWD, path, unix.MOUNT_ATTR_RDONLY, 0) },
		"setattr-all-rw": func(path string) error {
			return setattr(unix.AT_FDCWD, path, unix.MOUNT_ATTR_RDONLY, unix.AT_RECURSIVE)
		},
		"setattr-suid": func(path string) error { return setattr(unix.AT_FDCWD, path, unix.MOUNT_ATTR_NOSUID, 0) },
		"setattr-dev":  func(path string) error { return setattr(unix.AT_FDCWD, path, unix.MOUNT_ATTR_NODEV, 0) },

		// A copy of the tree at path, made writable.
		"bind-rw":   bindCopy(dropByRemount(unix.ST_RDONLY)),
		"bind-suid": bindCopy(dropByRemount(unix.ST_NOSUID)),
		"bind-dev":  bindCopy(dropByRemount(unix.ST_NODEV)),
		"clone-rw":  cloneCopy(unix.OPEN_TREE_CLONE | unix.AT_RECURSIVE),
		"bind-alone": func(path string) error {
			return atTemporary(func(dir string) error { return unix.Mount(path, dir, "", unix.MS_BIND, "") })
		},
		"bind": func(path string) error {
			return atTemporary(func(dir string) error { return unix.Mount(path, dir, "", unix.MS_BIND|unix.MS_REC, "") })
		},
		"umount": func(path string) error { return unix.Unmount(path, 0) },
		"detach": func(path string) error { return unix.Unmount(path, unix.MNT_DETACH) },
		"move": func(path string) error {
			return atTemporary(func(dir string) error { return unix.Mount(path, dir, "", unix.MS_MOVE, "") })
		},
		"shared":       func(path string) error { return unix.Mount("", path, "", unix.MS_SHARED, "") },
		"mount-proc":   newMount("proc"),
		"mount-sysfs":  newMount("sysfs"),
		"mount-tmpfs":  newMount("tmpfs"),
		"mount-devtmp": newMount("devtmpfs"),

		// Files.
		"create":      create,
		"write":       func(path string) error { return open(path, unix.O_WRONLY) },
		"read":        func(path string) error { return open(path, unix.O_RDONLY) },
		"mknod-block": func(path string) error { return mknod(path, unix.S_IFBLK|0o600) },
		"mknod-char":  func(path string) error { return mknod(path, unix.S_IFCHR|0o600) },
		"chroot":      unix.Chroot,
	}
}

// dropByRemount remounts with all flags that the mount has, but one.
func dropByRemount(flag int64) func(string) error {
	return func(path string) error {
		var st unix.Statfs_t
		if err := unix.Statfs(path, &st); err != nil {
			return err
		}
		return unix.Mount("", path, "", remountFlags(st.Flags&^flag), "")
	}
}

func remountReadOnly(path string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return err
	}
	return unix.Mount("", path, "", remountFlags(st.Flags|unix.ST_RDONLY), "")
}

// remountFlags turns what statfs(2) tells of a mount into what mount(2) takes.
func remountFlags(st int64) uintptr {
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND)
	for _, f := range []struct {
		st int64
		ms uintptr
	}{
		{unix.ST_RDONLY, unix.MS_RDONLY}, {unix.ST_NOSUID, unix.MS_NOSUID}, {unix.ST_NODEV, unix.MS_NODEV},
		{unix.ST_NOEXEC, unix.MS_NOEXEC}, {unix.ST_NOATIME, unix.MS_NOATIME}, {unix.ST_RELATIME, unix.MS_RELATIME},
		{unix.ST_NODIRATIME, unix.MS_NODIRATIME},
	} {
		if st&f.st != 0 {
			flags |= f.ms
		}
	}
	return flags
}

func setattr(dir int, path string, clear uint64, flags uint) error {
	return unix.MountSetattr(dir, path, flags, &unix.MountAttr{Attr_clr: clear})
}

// atTemporary calls f with a new directory, and undoes a mount on it.
func atTemporary(f func(dir string) error) error {
	dir, err := os.MkdirTemp("/tmp", "")
	if err != nil {
		return err
	}
	if err := f(dir); err != nil {
		return err
	}
	return unix.Unmount(dir, unix.MNT_DETACH)
}

// bindCopy changes a recursive bind mount of path.
func bindCopy(change func(string) error) func(string) error {
	return func(path string) error {
		return atTemporary(func(dir string) error {
			if err := unix.Mount(path, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
				return err
			}
			err := change(dir)
			if err != nil {
				_ = unix.Unmount(dir, unix.MNT_DETACH)
			}
			return err
		})
	}
}

// cloneCopy makes a detached copy writable.
func cloneCopy(flags uint) func(string) error {
	return func(path string) error {
		fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return setattr(fd, "", unix.MOUNT_ATTR_RDONLY, unix.AT_EMPTY_PATH)
	}
}

func newMount(fstype string) func(string) error {
	return func(string) error {
		return atTemporary(func(dir string) error { return unix.Mount(fstype, dir, fstype, 0, "") })
	}
}

func create(dir string) error {
	name := filepath.Join(dir, "made-by-attack")
	if err := open(name, unix.O_CREAT|unix.O_WRONLY); err != nil {
		return err
	}
	return unix.Unlink(name)
}

func open(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// mknod makes the node of a device that any machine has (memory, loop) in dir,
// and opens it.
func mknod(dir string, mode uint32) error {
	name, device := filepath.Join(dir, "device-by-attack"), unix.Mkdev(1, 1)
	if mode&unix.S_IFMT == unix.S_IFBLK {
		device = unix.Mkdev(7, 0)
	}
	if err := unix.Mknod(name, mode, int(device)); err != nil {
		return err
	}
	defer unix.Unlink(name)
	return open(name, unix.O_RDONLY)
}
