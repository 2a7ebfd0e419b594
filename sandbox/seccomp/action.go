package seccomp

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// The values that a filter returns, from the kernel's linux/seccomp.h. See
// seccomp(2), "filter return values": a smaller value is stricter, read as a
// signed number.
const (
	retKill   = 0x80000000 // SECCOMP_RET_KILL_PROCESS
	retErrno  = 0x00050000 // SECCOMP_RET_ERRNO, with the errno below
	retNotify = 0x7fc00000 // SECCOMP_RET_USER_NOTIF
	retLog    = 0x7ffc0000 // SECCOMP_RET_LOG
	retAllow  = 0x7fff0000 // SECCOMP_RET_ALLOW

	retData = 0x0000ffff // SECCOMP_RET_DATA

	maxErrno = 4095 // the kernel makes this of greater ones
)

// ret returns what a filter returns to the kernel for an action.
func (a Action) ret() (uint32, error) {
	switch a {
	case Allow:
		return retAllow, nil
	case Kill:
		return retKill, nil
	case Log:
		return retLog, nil
	case Notify:
		return retNotify, nil
	}
	errno, ok := errnoOf(string(a))
	if !ok {
		return 0, fmt.Errorf("unknown action %q", a)
	}
	return retErrno | errno, nil
}

// errnoOf returns the number of an errno, given by its name or as a number.
func errnoOf(name string) (uint32, bool) {
	if n, err := strconv.ParseUint(name, 10, 16); err == nil {
		return uint32(n), n <= maxErrno
	}
	switch name {
	case "": // unix.ErrnoName has it for numbers without a name
		return 0, false
	// Names that it gives to no number, as they are second ones:
	case "EWOULDBLOCK":
		return uint32(unix.EAGAIN), true
	case "EDEADLOCK":
		return uint32(unix.EDEADLK), true
	case "ENOTSUP":
		return uint32(unix.EOPNOTSUPP), true
	}
	const last = unix.EHWPOISON // 133
	for n := unix.Errno(1); n <= last; n++ {
		if unix.ErrnoName(n) == name {
			return uint32(n), true
		}
	}
	return 0, false
}

// stricter tells whether the kernel prefers the value a of one filter to b of
// another, whatever their order. Of two errnos neither is stricter.
func stricter(a, b uint32) bool {
	return int32(a&^retData) < int32(b&^retData)
}
