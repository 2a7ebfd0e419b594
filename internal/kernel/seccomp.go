package kernel

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The operations of seccomp(2), from the kernel's linux/seccomp.h.
const (
	seccompSetModeFilter  = 1 // SECCOMP_SET_MODE_FILTER
	seccompGetActionAvail = 2 // SECCOMP_GET_ACTION_AVAIL
)

// setFilter filters the system calls of the calling thread for good. The program
// is an array of struct sock_filter in the machine's byte order.
func setFilter(program []byte) error {
	const size = 8 // of struct sock_filter
	if len(program)%size != 0 || len(program) == 0 || len(program)/size > 1<<16-1 {
		return fmt.Errorf("seccomp: internal error: %d bytes are no program", len(program))
	}
	filters := make([]unix.SockFilter, 0, len(program)/size)
	for p := program; len(p) > 0; p = p[size:] {
		filters = append(filters, unix.SockFilter{
			Code: binary.NativeEndian.Uint16(p), Jt: p[2], Jf: p[3], K: binary.NativeEndian.Uint32(p[4:]),
		})
	}
	fprog := unix.SockFprog{Len: uint16(len(filters)), Filter: &filters[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, seccompSetModeFilter, 0, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(filters)
	if errno != 0 {
		return fmt.Errorf("seccomp(SET_MODE_FILTER): %w", errno)
	}
	return nil
}

// TryFilter loads a program that allows every system call into a thread of its
// own, which ends with it. The error is the kernel's judgement.
func TryFilter(program []byte) error {
	result := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			result <- fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
			return
		}
		result <- setFilter(program)
	}()
	return <-result
}

// FilterAction asks the kernel whether filters may return an action,
// SECCOMP_RET_*. The error is EOPNOTSUPP if it doesn't know it.
func FilterAction(action uint32) error {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, seccompGetActionAvail, 0, uintptr(unsafe.Pointer(&action)))
	if errno != 0 {
		return fmt.Errorf("seccomp(GET_ACTION_AVAIL) of %#x: %w", action, errno)
	}
	return nil
}
