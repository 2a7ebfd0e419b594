package trace

import (
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data, of linux/seccomp.h.
const (
	dataNumber = 0
	dataArg0   = 16 // its lower half, in little endian
)

// NotifyFilter is the seccomp filter that Listen's processes have to have: it asks
// for every system call, but for what hands its own listener over: sendmsg(2) to
// the descriptor launcher. It is to be loaded with
// SECCOMP_FILTER_FLAG_NEW_LISTENER as the last thing before the exec, and the
// listener to be sent right away.
func NotifyFilter(launcher uint32) []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	equal := func(value uint32, otherwise uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: otherwise}
	}
	result := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	// Another ABI may have another call of that number: that one isn't told, and
	// nothing is allowed that would not be.
	return []unix.SockFilter{
		load(dataNumber), equal(unix.SYS_SENDMSG, 3),
		load(dataArg0), equal(launcher, 1),
		result(unix.SECCOMP_RET_ALLOW),
		result(unix.SECCOMP_RET_USER_NOTIF),
	}
}
