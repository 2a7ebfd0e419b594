package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The functions of this file find out what the kernel can do by trying it. An
// error is why it can't: ENOSYS where the kernel, or a seccomp filter around
// berth, has no such call, EPERM where trying takes root.

// ProbeUserNS makes a user namespace.
func ProbeUserNS() error {
	ns, err := NewUserNS([]IDMap{{0, os.Getuid(), 1}}, []IDMap{{0, os.Getgid(), 1}})
	if err != nil {
		return err
	}
	return ns.Close()
}

// ProbeIDMap ID-maps a clone of the mount that dir is on as ns does, and lets go
// of it.
func ProbeIDMap(dir, ns *os.File) error {
	mnt, err := CloneTree(dir, "", 0)
	if err != nil {
		return err
	}
	defer mnt.Close()
	return SetAttr(mnt, Attr{UserNS: ns})
}

// ProbeFS begins to make an instance of a file system, which loads its module.
func ProbeFS(fstype string) error {
	fs, err := OpenFS(fstype)
	if err != nil {
		return err
	}
	return fs.Close()
}

// ProbeOverlayIDMap makes an overlay whose lower layer is the root directory
// mapped as ns does, and whose upper one is in memory. It leaves the calling
// thread in a mount namespace of its own: the thread must be thrown away.
func ProbeOverlayIDMap(ns *os.File) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare CLONE_NEWNS: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount MS_PRIVATE: %w", err)
	}
	// A place that every system has; only this thread sees it covered.
	const place = "/proc"
	root, err := OpenPath("/")
	if err != nil {
		return err
	}
	defer root.Close()
	at, err := OpenPath(place)
	if err != nil {
		return err
	}
	defer at.Close()
	tmpfs, err := NewFS("tmpfs", 0)
	if err != nil {
		return err
	}
	defer tmpfs.Close()
	if err := Attach(tmpfs, at); err != nil {
		return err
	}
	for _, name := range []string{"upper", "work"} {
		if err := unix.Mkdirat(int(tmpfs.Fd()), name, 0o700); err != nil {
			return fmt.Errorf("mkdirat: %w", err)
		}
	}
	lower, err := MkdirIn(tmpfs, "lower")
	if err != nil {
		return err
	}
	defer lower.Close()
	layer, err := CloneTree(root, "", 0)
	if err != nil {
		return err
	}
	defer layer.Close()
	if err := SetAttr(layer, Attr{UserNS: ns}); err != nil {
		return err
	}
	if err := Attach(layer, lower); err != nil {
		return err
	}
	mnt, err := NewFS("overlay", 0, Option{"lowerdir", place + "/lower"}, Option{"upperdir", place + "/upper"}, Option{"workdir", place + "/work"})
	if err != nil {
		return err
	}
	return mnt.Close()
}

// ProbeMountSetattr calls mount_setattr(2), Linux 5.12.
func ProbeMountSetattr() error {
	return hasCall(unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{}))
}

// ProbeOpenTreeAttr calls open_tree_attr(2), Linux 6.15, which changes an ID map
// that a mount already has.
func ProbeOpenTreeAttr() error {
	attr, empty := unix.MountAttr{}, [1]byte{}
	_, _, errno := unix.Syscall6(unix.SYS_OPEN_TREE_ATTR, ^uintptr(0), uintptr(unsafe.Pointer(&empty)), unix.AT_EMPTY_PATH,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	return hasCall(errno)
}

// ProbeStatmount calls statmount(2), Linux 6.8.
func ProbeStatmount() error {
	_, _, errno := unix.Syscall6(unix.SYS_STATMOUNT, 0, 0, 0, 0, 0, 0)
	return hasCall(errno)
}

// ProbeOpenat2 resolves a path as OpenIn does, Linux 5.6.
func ProbeOpenat2() error {
	root, err := OpenPath("/")
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := OpenIn(root, "/..", unix.O_PATH)
	if err != nil {
		return err
	}
	return f.Close()
}

// ProbePidfd opens a pidfd of this process, Linux 5.3.
func ProbePidfd() error {
	f, err := OpenPidfd(os.Getpid())
	if err != nil {
		return err
	}
	return f.Close()
}

// ProbeCloseRange calls close_range(2) with CLOSE_RANGE_CLOEXEC, Linux 5.11, for
// a descriptor that is not there.
func ProbeCloseRange() error {
	const none = 1<<31 - 1 // the highest number of a descriptor
	if err := unix.CloseRange(none, none, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close_range: %w", err)
	}
	return nil
}

// ProbeKeyrings asks for the session keyring.
func ProbeKeyrings() error {
	_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	if errors.Is(err, unix.ENOKEY) {
		return nil
	}
	return err
}

// LandlockABI returns the version of Landlock's interface. See
// landlock_create_ruleset(2).
func LandlockABI() (int, error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	return int(abi), nil
}

// lsmNames are the kernel's LSM_ID_* from include/uapi/linux/lsm.h, from 100.
var lsmNames = [...]string{
	"capability", "selinux", "smack", "tomoyo", "apparmor", "yama", "loadpin", "safesetid",
	"lockdown", "bpf", "landlock", "ima", "evm", "ipe",
}

// LSMs lists the Linux security modules that are active, in their order. See
// lsm_list_modules(2), Linux 6.8; before that, securityfs tells.
func LSMs() ([]string, error) {
	var ids [64]uint64
	size := uint32(unsafe.Sizeof(ids))
	n, _, errno := unix.Syscall(unix.SYS_LSM_LIST_MODULES, uintptr(unsafe.Pointer(&ids)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("lsm_list_modules: %w", errno)
	}
	const first = 100
	names := make([]string, 0, n)
	for _, id := range ids[:n] {
		if id >= first && id < first+uint64(len(lsmNames)) {
			names = append(names, lsmNames[id-first])
		} else {
			names = append(names, fmt.Sprintf("LSM %d", id))
		}
	}
	return names, nil
}

// SeccompNotify tells which parts of seccomp's user notification work. It
// leaves a filter that allows everything on the calling thread, and
// no_new_privs: the thread must be thrown away. See seccomp_unotify(2).
func SeccompNotify() (addFD, syncWakeUp bool, err error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return false, false, fmt.Errorf("prctl PR_SET_NO_NEW_PRIVS: %w", err)
	}
	filter := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return false, false, fmt.Errorf("seccomp SECCOMP_FILTER_FLAG_NEW_LISTENER: %w", errno)
	}
	defer unix.Close(int(fd))
	// struct seccomp_notif_addfd of include/uapi/linux/seccomp.h; there is no
	// notification 0, which is ENOENT where the call is known, else EINVAL.
	add := struct {
		id                              uint64
		flags, srcFD, newFD, newFDFlags uint32
	}{srcFD: uint32(fd)}
	_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_ADDFD, uintptr(unsafe.Pointer(&add)))
	addFD = errno == unix.ENOENT
	_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	return addFD, errno == 0, nil
}

// ProbeBPF loads a program that does nothing, of a type (unix.BPF_PROG_TYPE_*)
// and for a type of attachment (unix.BPF_CGROUP_*), attaches it nowhere, and
// lets go of it. See bpf(2).
func ProbeBPF(programType, attachType uint32) error {
	instructions := [...]uint64{0x1_0000_00b7, 0x95} // r0 = 1; exit
	license := [...]byte{'G', 'P', 'L', 0}
	var pinned runtime.Pinner // the kernel gets their addresses as numbers
	defer pinned.Unpin()
	pinned.Pin(&instructions)
	pinned.Pin(&license)
	attr := struct {
		programType, count    uint32
		instructions, license uint64
		_                     [44]byte // logging, flags, name, device
		attachType            uint32
	}{
		programType: programType, count: uint32(len(instructions)), attachType: attachType,
		instructions: uint64(uintptr(unsafe.Pointer(&instructions))), license: uint64(uintptr(unsafe.Pointer(&license))),
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return fmt.Errorf("bpf BPF_PROG_LOAD: %w", errno)
	}
	return unix.Close(int(fd))
}

// hasCall is nil for the errors of a call that is there and was given nonsense.
func hasCall(err error) error {
	switch err {
	case unix.EBADF, unix.EFAULT, unix.EINVAL, unix.ENOENT, unix.Errno(0):
		return nil
	}
	return err
}

// HasFilter tells whether a filter of system calls holds for the calling thread.
// See PR_GET_SECCOMP(2const).
func HasFilter() bool {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err == nil && mode > 0
}

// HasMDWE tells whether a process can forbid itself memory that is written and
// executed. See PR_GET_MDWE(2const), Linux 6.3.
func HasMDWE() bool {
	_, err := unix.PrctlRetInt(prGetMDWE, 0, 0, 0, 0)
	return err == nil
}
