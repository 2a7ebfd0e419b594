package launcher

import (
	"errors"

	"berth/config"
	"berth/internal/kernel"
	"berth/mountguard"
	"berth/sandbox"
	"berth/sandbox/seccomp"

	"golang.org/x/sys/unix"
)

// Lock is how the kernel holds a mount against the container's root.
type Lock string

const (
	LockNone  Lock = "none"
	LockFlags Lock = "flags"           // it stays read-only, nosuid, nodev and noexec as it is, and so do its copies
	LockPlace Lock = "place"           // it can't be unmounted
	LockBoth  Lock = "flags and place" //
)

// HoldsFlags tells whether the flags of a mount are locked.
func (l Lock) HoldsFlags() bool { return l == LockFlags || l == LockBoth }

// HoldsPlace tells whether a mount is locked in place.
func (l Lock) HoldsPlace() bool { return l == LockPlace || l == LockBoth }

// locked is a lock of these parts.
func locked(flags, place bool) Lock {
	switch {
	case flags && place:
		return LockBoth
	case flags:
		return LockFlags
	case place:
		return LockPlace
	}
	return LockNone
}

// guard decides how the initial mounts are kept, and which calls it takes to
// look at for that.
func (d *draft) guard() {
	given := d.MountGuard
	p := &d.plan.Guard
	*p = mountguard.Policy{
		Enabled:  given.Enabled,
		Remounts: given.Remounts == config.Allow || d.plan.Users.Host,
		Unmounts: given.Unmounts == config.Allow || d.plan.Users.Host,
		KeepProc: d.decision.Proc != sandbox.ProcOptions{},
	}
	if !p.Enabled {
		return
	}
	if why := d.host.NoNotify; why != "" {
		const key = "mountguard.enabled"
		d.unenforceable(config.Error{Pos: d.Pos(key), Key: key, Msg: why})
		p.Enabled = false
		return
	}
	var err error
	if d.plan.Traps, err = seccomp.Reachable(d.plan.Filter, mountguard.Traps(*p)); err != nil {
		d.fail("mountguard", "%v", err)
	}
}

// lock decides how a mount is held. /proc and /sys stay whatever the file says:
// what hides parts of them has to. Of the others the flags stay where a setting
// has promised them, and where they keep the host's own files as they are.
func (d *draft) lock(m Mount) Lock {
	if d.plan.Users.Host {
		return LockNone
	}
	p, kernels := d.plan.Guard, m.Type == "proc" || m.Type == "sysfs"
	hosts := m.Type == "usr" || m.Type == "bind" && m.Source == resolvConf
	return locked(kernels || hosts || m.Setting != "" || !p.Remounts, kernels || !p.Unmounts)
}

// rootLock is the lock of "/", which nobody can unmount. What volatile = "state"
// makes read-only was not asked for by read_only.
func (d *draft) rootLock() Lock {
	if d.plan.Users.Host {
		return LockNone
	}
	return locked(!d.plan.Guard.Remounts || d.Root.Volatile == config.VolatileState, true)
}

// cannotNotify says why nobody could be asked about a container's system calls.
func cannotNotify() string {
	if err := kernel.FilterAction(unix.SECCOMP_RET_USER_NOTIF); err != nil {
		return "this kernel has no user notifications of seccomp"
	}
	if !kernel.HasFilter() {
		return ""
	}
	err := aside(func() error {
		_, _, err := kernel.SeccompNotify()
		return err
	})
	switch {
	case errors.Is(err, unix.EBUSY):
		return "something around berth listens for system calls already, and a process can have one listener only"
	case err != nil:
		return err.Error()
	}
	return ""
}
