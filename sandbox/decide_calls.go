package sandbox

import (
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"berth/sandbox/seccomp"
)

// filter decides the layers, in the order in which systemd loads its filters.
func (d *deciding) filter() {
	s := d.Settings
	add := func(on bool, layers func() []seccomp.Layer) {
		if on {
			d.Filter = append(d.Filter, layers()...)
		}
	}
	if s.RestrictAddressFamilies.restricts() {
		d.Filter = append(d.Filter, seccomp.AddressFamilies(s.RestrictAddressFamilies.Names, s.RestrictAddressFamilies.Allow)...)
	}
	add(s.MemoryDenyWriteExecute, seccomp.WriteExecute) // beside the prctl(2), which leaves mprotect(2) and shmat(2) more room
	add(s.RestrictRealtime, seccomp.Realtime)
	add(s.RestrictSUIDSGID, seccomp.SUIDSGID)
	if s.RestrictNamespaces.Set {
		allowed := s.RestrictNamespaces.Allowed
		if d.SystemdVersion < 258 && seccomp.Namespaces(allowed) != nil {
			allowed &^= unix.CLONE_NEWTIME // which it doesn't know, and so doesn't allow
		}
		d.Filter = append(d.Filter, seccomp.Namespaces(allowed)...)
	}
	add(s.ProtectKernelTunables, seccomp.Sysctl)
	add(s.ProtectKernelModules, seccomp.KernelModules)
	add(s.ProtectKernelLogs, seccomp.KernelLogs)
	add(s.ProtectClock, seccomp.Clock)
	add(s.PrivateDevices, seccomp.RawIO)
	if len(s.SystemCallArchitectures) > 0 {
		d.Filter = append(d.Filter, seccomp.Architectures(s.SystemCallArchitectures)...)
	}
	if s.LockPersonality {
		d.Filter = append(d.Filter, seccomp.LockPersonality(d.personality())...)
	}
	add(s.ProtectHostname == "yes", seccomp.Hostname)
	d.Filter = append(d.Filter, seccomp.LogCalls(entries(s.SystemCallLog), d.SystemdVersion)...)
	calls := seccomp.Calls(entries(s.SystemCallFilter), s.denied(), d.SystemdVersion)
	d.Filter = append(d.Filter, calls...)
	for _, call := range [...]string{"execve", "exit_group"} {
		if !passes(calls, call) {
			d.contradiction("SystemCallFilter", "denies %s, without which no program can run", call)
		}
	}
	d.impliedNoNewPrivileges(calls)
}

// personality is what the payload starts with.
func (d *deciding) personality() uint32 {
	if d.Settings.Personality != nil {
		return *d.Settings.Personality
	}
	return perLinux
}

// denied is what a call that SystemCallFilter denies gets.
func (s *Settings) denied() seccomp.Action {
	if s.SystemCallErrorNumber == 0 {
		return seccomp.Kill
	}
	return errnoAction(syscall.Errno(s.SystemCallErrorNumber))
}

func errnoAction(n syscall.Errno) seccomp.Action {
	if name := unix.ErrnoName(n); name != "" {
		return seccomp.Action(name)
	}
	return seccomp.Action(fmt.Sprint(int(n)))
}

func entries(words []FilterEntry) []seccomp.Entry {
	list := make([]seccomp.Entry, len(words))
	for i, w := range words {
		list[i] = seccomp.Entry{Deny: w.Deny, Name: w.Name, Action: seccomp.Action(w.Errno)}
	}
	return list
}

// passes tells whether layers let a call through, whatever its arguments.
func passes(layers []seccomp.Layer, call string) bool {
	return !slices.ContainsFunc(layers, func(l seccomp.Layer) bool {
		i := slices.IndexFunc(l.Rules, func(r seccomp.Rule) bool { return r.Call == call && len(r.Args) == 0 })
		if i < 0 {
			return l.Default != seccomp.Allow && l.Default != seccomp.Log
		}
		return l.Rules[i].Action != seccomp.Allow && l.Rules[i].Action != seccomp.Log
	})
}

// impliedNoNewPrivileges is systemd's for a payload that isn't root: before it
// learnt to keep the rights that loading a filter takes, it had to set the flag,
// and has to where the filter doesn't let it drop those rights afterwards. It is
// known of 252 that it hadn't learnt it and of 257 that it had.
func (d *deciding) impliedNoNewPrivileges(calls []seccomp.Layer) {
	const learnt = 257
	privileged := !d.Unprivileged || d.Process.Ambient&(1<<unix.CAP_SYS_ADMIN) != 0
	if privileged || len(d.Filter) == 0 {
		return
	}
	drops := passes(calls, "capget") && passes(calls, "capset") && passes(calls, "prctl")
	if d.SystemdVersion < learnt || !drops {
		d.Process.NoNewPrivileges = true
	}
}

// fileSystems takes a kernel that lets BPF programs decide.
func (d *deciding) fileSystems() {
	list := d.RestrictFileSystems
	if !list.restricts() {
		return
	}
	if !d.BPFLSM {
		d.unenforceable("RestrictFileSystems", "this kernel doesn't let berth's BPF program decide which files are opened")
		return
	}
	numbers, err := magics(list.Names)
	if err != nil {
		d.contradiction("RestrictFileSystems", "%v", err)
		return
	}
	d.FileSystems = &FileSystems{Allow: list.Allow, Magics: numbers}
}
