package kernel

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Caps is a set of capabilities, bit n for capability number n.
type Caps uint64

// capNames has the kernel's names in the order of include/uapi/linux/capability.h.
var capNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// CapSet makes a set of capability numbers (unix.CAP_*).
func CapSet(numbers ...int) Caps {
	var c Caps
	for _, n := range numbers {
		c |= 1 << n
	}
	return c
}

// Names lists the set by the kernel's names, in order of their numbers.
func (c Caps) Names() []string {
	names := make([]string, 0, bits.OnesCount64(uint64(c)))
	for n := range 64 {
		if c&(1<<n) == 0 {
			continue
		}
		if n < len(capNames) {
			names = append(names, capNames[n])
		} else {
			names = append(names, "cap_"+strconv.Itoa(n))
		}
	}
	return names
}

// AllCaps lists the numbers of all capabilities that this kernel has.
func AllCaps() ([]uintptr, error) {
	data, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return nil, err
	}
	last, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fmt.Errorf("cannot read cap_last_cap: %w", err)
	}
	all := make([]uintptr, last+1)
	for n := range all {
		all[n] = uintptr(n)
	}
	return all, nil
}

// BoundCaps removes every capability from the calling thread's bounding set
// that is not in keep. What a later execve gains is bounded by it for good.
func BoundCaps(keep Caps) error {
	for n := range 64 {
		if keep&(1<<n) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0)
		if err == unix.EINVAL {
			return nil // past the last capability of this kernel
		}
		if err != nil {
			return fmt.Errorf("prctl PR_CAPBSET_DROP %d: %w", n, err)
		}
	}
	return nil
}

// InheritNoCaps empties the calling thread's inheritable set, and the kernel its
// ambient one with it, which the bounding set does not bound: capabilities(7).
func InheritNoCaps() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}
