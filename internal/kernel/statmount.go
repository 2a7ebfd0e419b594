package kernel

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MountStat is a mount by its ID. See statmount(2).
type MountStat struct {
	ID     uint64 // never used again
	OldID  uint32 // as in mountinfo; used again
	Parent uint64
	Device uint64 // of the file system, as makedev(3) has it
	Root   string // what of the file system is mounted
	Point  string // where it is mounted, below the root of its namespace; "" where that can't be told
}

// mountRequest is struct mnt_id_req of the kernel's linux/mount.h, as Linux 6.11
// has it.
type mountRequest struct {
	size      uint32
	spare     uint32
	id, param uint64
	namespace uint64
}

// statmountHead is struct statmount without the strings behind it, as far as it
// is of use here. The kernel's is 512 bytes long.
type statmountHead struct {
	size, _              uint32
	mask                 uint64
	major, minor         uint32
	_                    uint64
	_, _                 uint32
	id, parent           uint64
	oldID, oldParent     uint32
	attr, propagation    uint64
	peers, master, slave uint64
	root, point          uint32
	_                    [512 - 112]byte
}

// The strings begin where the kernel's structure ends.
const _ = -uint(unsafe.Sizeof(statmountHead{}) ^ 512)

const (
	statmountSBBasic  = 0x1  // STATMOUNT_SB_BASIC
	statmountMntBasic = 0x2  // STATMOUNT_MNT_BASIC
	statmountMntRoot  = 0x8  // STATMOUNT_MNT_ROOT
	statmountMntPoint = 0x10 // STATMOUNT_MNT_POINT
)

// MountNamespaceID is the number by which statmount(2) knows a mount namespace.
// Linux 6.11 has it.
func MountNamespaceID(ns *os.File) (uint64, error) {
	var id uint64
	err := ioctl(FD(ns.Fd()), unix.NS_GET_MNTNS_ID, unsafe.Pointer(&id))
	runtime.KeepAlive(ns)
	if err != nil {
		return 0, fmt.Errorf("ioctl NS_GET_MNTNS_ID: %w", err)
	}
	return id, nil
}

// StatMount looks at a mount of a mount namespace.
func StatMount(namespace, id uint64) (MountStat, error) {
	var buffer struct {
		statmountHead
		text [3 * unix.PathMax]byte
	}
	const needed = statmountSBBasic | statmountMntBasic | statmountMntRoot
	request := mountRequest{id: id, param: needed | statmountMntPoint, namespace: namespace}
	request.size = uint32(unsafe.Sizeof(request))
	_, _, errno := unix.Syscall6(unix.SYS_STATMOUNT, uintptr(unsafe.Pointer(&request)), uintptr(unsafe.Pointer(&buffer)), unsafe.Sizeof(buffer), 0, 0, 0)
	if errno != 0 {
		return MountStat{}, fmt.Errorf("statmount: %w", errno)
	}
	if buffer.mask&needed != needed {
		return MountStat{}, fmt.Errorf("statmount: %w", unix.ENODATA)
	}
	text := func(at uint32) string {
		s, _, _ := bytes.Cut(buffer.text[min(int(at), len(buffer.text)):], []byte{0})
		return string(s)
	}
	st := MountStat{
		ID: buffer.id, OldID: buffer.oldID, Parent: buffer.parent,
		Device: unix.Mkdev(buffer.major, buffer.minor), Root: text(buffer.root),
	}
	if buffer.mask&statmountMntPoint != 0 {
		st.Point = text(buffer.point)
	}
	return st, nil
}

// AllMounts stands for the root mount of a mount namespace, in ListMounts.
const AllMounts = ^uint64(0) // LSMT_ROOT

// ListMounts lists the IDs of all mounts of a mount namespace that are on one of
// it, directly or not. See listmount(2).
func ListMounts(namespace, on uint64) ([]uint64, error) {
	request := mountRequest{id: on, namespace: namespace}
	request.size = uint32(unsafe.Sizeof(request))
	var all []uint64
	for {
		var ids [256]uint64
		n, _, errno := unix.Syscall6(unix.SYS_LISTMOUNT, uintptr(unsafe.Pointer(&request)), uintptr(unsafe.Pointer(&ids)), uintptr(len(ids)), 0, 0, 0)
		if errno != 0 {
			return nil, fmt.Errorf("listmount: %w", errno)
		}
		all = append(all, ids[:n]...)
		if int(n) < len(ids) {
			return all, nil
		}
		request.param = ids[n-1]
	}
}

// FileMount tells which mount a file lies on, whether the file is the root of
// it, and the device of its file system. unique asks for the ID that is never
// used again, of Linux 6.8. Nothing is waited for. id is 0 where the file system, of
// FUSE, keeps it from everybody but its owner. The error is an errno. See statx(2).
func FileMount(fd FD, unique bool) (id uint64, top bool, device uint64, err error) {
	mask := unix.STATX_MNT_ID
	if unique {
		mask = unix.STATX_MNT_ID_UNIQUE
	}
	var st unix.Statx_t
	const flags = unix.AT_EMPTY_PATH | unix.AT_STATX_DONT_SYNC
	err = unix.Statx(int(fd), "", flags, mask, &st)
	if err == unix.EACCES {
		st, mask = unix.Statx_t{}, 0 // fuse_update_get_attr in the kernel's fs/fuse/dir.c
		err = unix.Statx(int(fd), "", flags, mask, &st)
		st.Mnt_id = 0
	}
	if err == nil && st.Mask&uint32(mask) != uint32(mask) {
		err = unix.ENODATA
	}
	return st.Mnt_id, st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, unix.Mkdev(st.Dev_major, st.Dev_minor), err
}
