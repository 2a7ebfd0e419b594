package seccomp

import (
	"golang.org/x/sys/unix"
)

// What the settings deny with, as systemd does.
const (
	permission  Action = "EPERM"
	unsupported Action = "ENOSYS" // for calls whose arguments a filter can't see: programs fall back on an older call
)

// low32 is the mask for an argument that the kernel takes as an int: it ignores
// the upper half of the register.
const low32 = 0xffffffff

// denying is a layer that allows all but what its rules say.
func denying(name string, rules ...Rule) Layer {
	return Layer{Name: name, Default: Allow, Unknown: Allow, Foreign: Kill, Rules: rules}
}

// flag is the condition that all bits of a mask are set in an argument.
func flag(arg uint, mask uint64) Compare {
	return Compare{Arg: arg, Op: Equal, Mask: mask, Value: mask}
}

// number is the condition that an int argument has a value.
func number(arg uint, value uint64) Compare {
	return Compare{Arg: arg, Op: Equal, Mask: low32, Value: value}
}

// Namespaces is RestrictNamespaces=: of the CLONE_NEW* flags only those allowed
// may be used to make or to enter a namespace. A filter can't see the flags of
// clone3(2), which therefore isn't there at all, nor the kind of namespace that
// setns(2) takes when it is told none, which is denied.
func Namespaces(allowed uint64) []Layer {
	kinds := []uint64{unix.CLONE_NEWCGROUP, unix.CLONE_NEWIPC, unix.CLONE_NEWNET, unix.CLONE_NEWNS,
		unix.CLONE_NEWPID, unix.CLONE_NEWUSER, unix.CLONE_NEWUTS, unix.CLONE_NEWTIME}
	var all uint64
	for _, f := range kinds {
		all |= f
	}
	if allowed&all == all {
		return nil
	}
	rules := []Rule{{Call: "clone3", Action: unsupported}}
	if allowed&all == 0 {
		rules = append(rules, Rule{Call: "setns", Action: permission})
	} else {
		rules = append(rules, Rule{Call: "setns", Args: []Compare{number(1, 0)}, Action: permission})
	}
	for _, f := range kinds {
		if allowed&f != 0 {
			continue
		}
		rules = append(rules,
			Rule{Call: "unshare", Args: []Compare{flag(0, f)}, Action: permission},
			Rule{Call: "clone", Args: []Compare{flag(0, f)}, Action: permission})
		if allowed&all != 0 {
			rules = append(rules, Rule{Call: "setns", Args: []Compare{flag(1, f)}, Action: permission})
		}
	}
	return []Layer{denying("RestrictNamespaces", rules...)}
}

// Realtime is RestrictRealtime=: only the scheduling policies other, batch and
// idle may be set. A filter can't see the policy that sched_setattr(2) sets, which
// therefore isn't there; systemd leaves it open.
func Realtime() []Layer {
	const call, policy = "sched_setscheduler", 1
	rules := []Rule{
		{Call: call, Args: []Compare{number(policy, unix.SCHED_FIFO)}, Action: permission},
		{Call: call, Args: []Compare{number(policy, unix.SCHED_RR)}, Action: permission},
		{Call: call, Args: []Compare{number(policy, 4)}, Action: permission}, // SCHED_ISO, which Linux doesn't have
		{Call: call, Args: []Compare{{Arg: policy, Op: Greater, Value: unix.SCHED_IDLE}}, Action: permission},
		{Call: "sched_setattr", Action: unsupported},
	}
	return []Layer{denying("RestrictRealtime", rules...)}
}

// SUIDSGID is RestrictSUIDSGID=: no file or directory may be given the set-user-ID
// or set-group-ID bit. A filter can't see the mode that openat2(2) makes files
// with, which therefore isn't there.
func SUIDSGID() []Layer {
	const tmpfile = unix.O_TMPFILE &^ unix.O_DIRECTORY // systemd leaves unnamed files open, which linkat(2) can name
	rules := []Rule{{Call: "openat2", Action: unsupported}}
	for _, bit := range []uint64{unix.S_ISUID, unix.S_ISGID} {
		for _, call := range []struct {
			name string
			mode uint // its argument
		}{
			{"chmod", 1}, {"fchmod", 1}, {"fchmodat", 2}, {"fchmodat2", 2}, {"mkdir", 1}, {"mkdirat", 2},
			{"mknod", 1}, {"mknodat", 2}, {"creat", 1},
		} {
			rules = append(rules, Rule{Call: call.name, Args: []Compare{flag(call.mode, bit)}, Action: permission})
		}
		for _, making := range []uint64{unix.O_CREAT, tmpfile} {
			rules = append(rules,
				Rule{Call: "open", Args: []Compare{flag(1, making), flag(2, bit)}, Action: permission},
				Rule{Call: "openat", Args: []Compare{flag(2, making), flag(3, bit)}, Action: permission})
		}
	}
	return []Layer{denying("RestrictSUIDSGID", rules...)}
}

// LockPersonality is the setting of that name: personality(2) may only be set to
// p, and not be asked for.
func LockPersonality(p uint32) []Layer {
	return []Layer{denying("LockPersonality",
		Rule{Call: "personality", Args: []Compare{{Arg: 0, Op: NotEqual, Value: uint64(p)}}, Action: permission})}
}
