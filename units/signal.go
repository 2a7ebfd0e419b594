package units

import (
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The real-time signals that the C library leaves to programs; systemd counts
// SIGRTMIN+n from the first of these.
const (
	realtimeMin = 34
	realtimeMax = 64
)

// ParseSignal reads a signal as a unit file has it: SIGTERM, TERM, 15,
// SIGRTMIN+3 or RTMAX-1.
func ParseSignal(s string) (syscall.Signal, error) {
	err := mustBe("a signal such as SIGTERM, SIGRTMIN+3 or 15", s)
	if n, e := strconv.Atoi(s); e == nil {
		if n < 1 || n > realtimeMax {
			return 0, err
		}
		return syscall.Signal(n), nil
	}
	name := strings.TrimPrefix(s, "SIG")
	if n := unix.SignalNum("SIG" + name); n != 0 {
		return n, nil
	}
	base, offset, sign := realtimeMin, "", 1
	switch {
	case name == "RTMIN":
		return realtimeMin, nil
	case name == "RTMAX":
		return realtimeMax, nil
	case strings.HasPrefix(name, "RTMIN+"):
		offset = name[len("RTMIN+"):]
	case strings.HasPrefix(name, "RTMAX-"):
		base, offset, sign = realtimeMax, name[len("RTMAX-"):], -1
	}
	n, e := strconv.ParseUint(offset, 10, 8)
	if e != nil || n > realtimeMax-realtimeMin {
		return 0, err
	}
	return syscall.Signal(base + sign*int(n)), nil
}

func signalName(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return name
	}
	if n >= realtimeMin && n <= realtimeMax {
		return "SIGRTMIN+" + strconv.Itoa(n-realtimeMin)
	}
	return strconv.Itoa(n)
}
