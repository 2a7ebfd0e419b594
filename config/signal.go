package config

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"berth/internal/nearest"
)

// The real-time signals as the C library numbers them, and so systemd: the
// kernel's first two, 32 and 33, are its own.
const (
	lastStandard = 31
	sigRTMin     = 34
	sigRTMax     = 64
)

// Signal returns the number of a signal: "SIGTERM", "TERM", "SIGRTMIN+3",
// "RTMAX-1" or "15", as kill(1) takes them.
func Signal(name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil {
		if known := signalName(n); known == "" || strconv.Itoa(n) != name {
			return 0, fmt.Errorf("%s is no signal", quote(name))
		}
		return n, nil
	}
	full := "SIG" + strings.TrimPrefix(name, "SIG")
	if n, ok := realTime(full); ok {
		return n, nil
	}
	if n := unix.SignalNum(full); n != 0 {
		return int(n), nil
	}
	if near, ok := nearest.Word(full, signalNames()); ok && !strings.HasPrefix(full, "SIGRT") {
		return 0, fmt.Errorf("%s is no signal, did you mean %q?", quote(name), near)
	}
	return 0, fmt.Errorf("%s is no signal", quote(name))
}

// realTime reads SIGRTMIN, SIGRTMIN+n, SIGRTMAX and SIGRTMAX-n.
func realTime(name string) (int, bool) {
	base, sign, rest := sigRTMin, "+", strings.TrimPrefix(name, "SIGRTMIN")
	if rest == name {
		base, sign, rest = sigRTMax, "-", strings.TrimPrefix(name, "SIGRTMAX")
	}
	if rest == name {
		return 0, false
	}
	if rest == "" {
		return base, true
	}
	digits, ok := strings.CutPrefix(rest, sign)
	n, err := strconv.ParseUint(digits, 10, 8)
	if !ok || err != nil || n > sigRTMax-sigRTMin {
		return 0, false
	}
	if sign == "-" {
		return base - int(n), true
	}
	return base + int(n), true
}

// signalName returns the full name of a signal, "" if there is none with that
// number. Real-time signals count from SIGRTMIN.
func signalName(n int) string {
	switch {
	case n == sigRTMin:
		return "SIGRTMIN"
	case n > sigRTMin && n <= sigRTMax:
		return fmt.Sprintf("SIGRTMIN+%d", n-sigRTMin)
	case n > 0 && n <= lastStandard:
		return unix.SignalName(syscall.Signal(n))
	default:
		return ""
	}
}

func signalNames() []string {
	names := make([]string, 0, lastStandard)
	for n := 1; n <= lastStandard; n++ {
		names = append(names, signalName(n))
	}
	return names
}
