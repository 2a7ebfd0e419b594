package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Task is a thread, looked at by its directory in a /proc that shows it. A
// number names the same thread only for as long as something keeps it from
// ending: see Waits.
type Task struct {
	Proc FD  // /proc
	TID  int // in the numbering of Proc
}

// Open opens one of its links for nothing but its path: "root", "cwd", "fd/4".
func (t Task) Open(name string) (FD, error) {
	fd, err := unix.Openat(int(t.Proc), strconv.Itoa(t.TID)+"/"+name, unix.O_PATH|unix.O_CLOEXEC, 0)
	return FD(fd), err
}

// OpenNS opens one of its namespaces.
func (t Task) OpenNS(kind string) (*os.File, error) {
	name := strconv.Itoa(t.TID) + "/ns/" + kind
	fd, err := unix.Openat(int(t.Proc), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("openat %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Namespace is the inode number of one of its namespaces, by which it differs
// from others.
func (t Task) Namespace(kind string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Fstatat(int(t.Proc), strconv.Itoa(t.TID)+"/ns/"+kind, &st, 0)
	return st.Ino, err
}

// Descriptor copies one of its descriptors. See pidfd_getfd(2).
func (t Task) Descriptor(number int32) (*os.File, error) {
	pidfd, err := unix.PidfdOpen(t.TID, unix.PIDFD_THREAD) // Linux 6.9
	if err == unix.EINVAL {
		pidfd, err = unix.PidfdOpen(t.TID, 0) // a process' first thread has that as well
	}
	if err != nil {
		return nil, fmt.Errorf("pidfd_open %d: %w", t.TID, err)
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, int(number), 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_getfd %d: %w", number, err)
	}
	return os.NewFile(uintptr(fd), "descriptor:"+strconv.Itoa(int(number))), nil
}

// read reads a small file of its directory.
func (t Task) read(name string, size int) ([]byte, error) {
	fd, err := unix.Openat(int(t.Proc), strconv.Itoa(t.TID)+"/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("openat %d/%s: %w", t.TID, name, err)
	}
	defer unix.Close(fd)
	data := make([]byte, size)
	n, err := unix.Read(fd, data)
	if err != nil {
		return nil, fmt.Errorf("read %d/%s: %w", t.TID, name, err)
	}
	return data[:n], nil
}

// Command is its name, as ps(1) shows it; "" where it is gone.
func (t Task) Command() string {
	data, err := t.read("comm", 64)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(data), "\n")
}

// Status is what proc_pid_status(5) says of a task, as far as it is of use here.
// IDs are in the user namespace of who looks.
type Status struct {
	TGID         int
	FSUID, FSGID int // with which it opens files
	Groups       []int
	Effective    Caps // over its user namespace
}

// Status reads it.
func (t Task) Status() (Status, error) {
	data, err := t.read("status", 16384)
	if err != nil {
		return Status{}, err
	}
	var s Status
	found := 0
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case name == "Tgid" && len(fields) == 1:
			s.TGID, err = strconv.Atoi(fields[0])
		case name == "Uid" && len(fields) == 4:
			s.FSUID, err = strconv.Atoi(fields[3])
		case name == "Gid" && len(fields) == 4:
			s.FSGID, err = strconv.Atoi(fields[3])
		case name == "Groups":
			for _, field := range fields {
				group, groupErr := strconv.Atoi(field)
				s.Groups, err = append(s.Groups, group), errors.Join(err, groupErr)
			}
		case name == "CapEff" && len(fields) == 1:
			var caps uint64
			caps, err = strconv.ParseUint(fields[0], 16, 64)
			s.Effective = Caps(caps)
		default:
			continue
		}
		if err != nil {
			return Status{}, fmt.Errorf("cannot parse %d/status: %w", t.TID, err)
		}
		found++
	}
	if found != 5 {
		return Status{}, fmt.Errorf("cannot parse %d/status", t.TID)
	}
	return s, nil
}

// Effective are its effective capabilities over its user namespace. See
// capget(2); Task.Proc doesn't matter.
func (t Task) Effective() (Caps, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3, Pid: int32(t.TID)}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, fmt.Errorf("capget: %w", err)
	}
	return Caps(data[0].Effective) | Caps(data[1].Effective)<<32, nil
}

// IDMaps are the maps of its user namespace, to the numbers of who looks.
func (t Task) IDMaps() (uids, gids []IDMap, err error) {
	if uids, err = t.idMap("uid_map"); err != nil {
		return nil, nil, err
	}
	gids, err = t.idMap("gid_map")
	return uids, gids, err
}

func (t Task) idMap(name string) ([]IDMap, error) {
	data, err := t.read(name, 16384)
	if err != nil {
		return nil, err
	}
	var maps []IDMap
	for line := range strings.Lines(string(data)) {
		var m IDMap
		if _, err := fmt.Sscan(line, &m.Container, &m.Host, &m.Size); err != nil {
			return nil, fmt.Errorf("cannot parse %d/%s: %w", t.TID, name, err)
		}
		maps = append(maps, m)
	}
	return maps, nil
}

// OpenFilesAs has the calling thread open files as another user, without the
// capabilities of root that are about files. The groups stay: the thread has to end.
// See setfsuid(2), credentials(7).
func OpenFilesAs(s Status) error {
	groups := make([]uint32, len(s.Groups)+1)
	for i, group := range s.Groups {
		groups[i] = uint32(group)
	}
	// Package syscall's functions would change all threads.
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(s.Groups)), uintptr(unsafe.Pointer(&groups[0])), 0); errno != 0 {
		return fmt.Errorf("setgroups: %w", errno)
	}
	if err := setFSID("setfsgid", unix.SYS_SETFSGID, s.FSGID); err != nil {
		return err
	}
	return SetFSUID(s.FSUID)
}

// SetFSUID has the calling thread open files as a user; as root, with its
// capabilities about files again. See setfsuid(2).
func SetFSUID(uid int) error { return setFSID("setfsuid", unix.SYS_SETFSUID, uid) }

func setFSID(name string, call uintptr, id int) error {
	_, _, _ = unix.RawSyscall(call, uintptr(id), 0, 0)            // it returns what was before
	now, _, _ := unix.RawSyscall(call, uintptr(^uint32(0)), 0, 0) // and this changes nothing
	if int(now) != id {
		return fmt.Errorf("%s %d: %w", name, id, unix.EPERM)
	}
	return nil
}

// OwnerOf is the inode number of the user namespace that owns a namespace. See
// ioctl_ns(2).
func OwnerOf(ns *os.File) (uint64, error) {
	owner, err := unix.IoctlRetInt(int(ns.Fd()), unix.NS_GET_USERNS)
	runtime.KeepAlive(ns)
	if err != nil {
		return 0, fmt.Errorf("ioctl NS_GET_USERNS: %w", err)
	}
	f := os.NewFile(uintptr(owner), "user namespace")
	defer f.Close()
	return inode(f)
}

// Governs tells whether a capability over a user namespace is one over another
// namespace: the user namespace owns that, or one does that is below it. See
// user_namespaces(7), ioctl_ns(2).
func Governs(user, ns *os.File) (bool, error) {
	defer runtime.KeepAlive(ns)
	want, err := inode(user)
	if err != nil {
		return false, err
	}
	owner, err := unix.IoctlRetInt(int(ns.Fd()), unix.NS_GET_USERNS)
	for err == nil {
		f := os.NewFile(uintptr(owner), "user namespace")
		is, statErr := inode(f)
		if statErr != nil || is == want {
			f.Close()
			return statErr == nil, statErr
		}
		owner, err = unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_PARENT)
		f.Close()
	}
	if err == unix.EPERM { // there is none above that
		return false, nil
	}
	return false, fmt.Errorf("ioctl NS_GET_USERNS: %w", err)
}

func inode(f *os.File) (uint64, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	runtime.KeepAlive(f)
	return st.Ino, err
}
