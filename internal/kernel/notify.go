package kernel

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Notification is a system call that waits for an answer: struct seccomp_notif
// of the kernel's linux/seccomp.h. See seccomp_unotify(2).
type Notification struct {
	ID     uint64
	TID    uint32 // of the calling thread, in the numbering of who receives
	Flags  uint32
	Number int32
	Arch   uint32 // AUDIT_ARCH_*
	IP     uint64
	Args   [6]uint64
}

// notifyAnswer is struct seccomp_notif_resp.
type notifyAnswer struct {
	id    uint64
	value int64
	error int32 // negative errno
	flags uint32
}

// notifyAddFD is struct seccomp_notif_addfd.
type notifyAddFD struct {
	id      uint64
	flags   uint32
	source  uint32
	target  uint32
	fdFlags uint32
}

// WakeAnswered has whoever calls go on where the answer was given, which takes
// a tenth of the time. Linux 6.6 has it; others go on without.
func WakeAnswered(listener *os.File) {
	_ = unix.IoctlSetInt(int(listener.Fd()), unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	runtime.KeepAlive(listener)
}

// ReceiveNotification takes the next call. ENOENT: its caller has been killed
// meanwhile. The error is an errno.
func ReceiveNotification(listener FD, n *Notification) error {
	*n = Notification{} // the kernel refuses one that isn't empty
	return ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(n))
}

// AnswerValue ends a call with a result.
func AnswerValue(listener FD, id uint64, value int64) error {
	return answer(listener, notifyAnswer{id: id, value: value})
}

// AnswerErrno has a call fail.
func AnswerErrno(listener FD, id uint64, errno unix.Errno) error {
	return answer(listener, notifyAnswer{id: id, error: -int32(errno)})
}

// AnswerContinue lets the kernel carry a call out, with arguments that may have
// changed since they were looked at.
func AnswerContinue(listener FD, id uint64) error {
	return answer(listener, notifyAnswer{id: id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

// answer returns an errno: ENOENT where the caller is gone.
func answer(listener FD, a notifyAnswer) error {
	return ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a))
}

// AnswerFD ends a call with a copy of a descriptor in the caller's table as its
// result. flags are 0 or O_CLOEXEC. Linux 5.14 has it.
func AnswerFD(listener FD, id uint64, file *os.File, flags int) error {
	a := notifyAddFD{id: id, flags: unix.SECCOMP_ADDFD_FLAG_SEND, source: uint32(file.Fd()), fdFlags: uint32(flags)}
	err := ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&a))
	runtime.KeepAlive(file)
	return err
}

// Waits tells whether a call still waits for its answer: until then its
// caller's number is nobody else's.
func Waits(listener FD, id uint64) bool {
	return ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) == nil
}

// ioctl returns an errno as an error, or nil.
func ioctl(fd FD, request uint, argument unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}

// ReadMemory copies memory of another process, as far as it is there, and
// returns how much that was. A range must not leave its page: of one that does,
// nothing may be copied. The error is an errno: EFAULT where there is nothing. See
// process_vm_readv(2).
func ReadMemory(tid int, at uint64, to []byte) (int, error) {
	if len(to) == 0 {
		return 0, nil
	}
	local := [1]unix.Iovec{{Base: &to[0]}}
	local[0].SetLen(len(to))
	remote := [1]unix.RemoteIovec{{Base: uintptr(at), Len: len(to)}}
	return unix.ProcessVMReadv(tid, local[:], remote[:], 0)
}

// SameFile tells whether two descriptors of this process are of one open file.
// See kcmp(2), KCMP_FILE.
func SameFile(a, b *os.File) (bool, error) {
	pid := unix.Getpid()
	const kcmpFile = 0 // KCMP_FILE of linux/kcmp.h
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(pid), uintptr(pid), kcmpFile, a.Fd(), b.Fd(), 0)
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
	if errno != 0 {
		return false, fmt.Errorf("kcmp: %w", errno)
	}
	return order == 0, nil
}
