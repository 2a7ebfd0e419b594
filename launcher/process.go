package launcher

import (
	"maps"
	"slices"

	"berth/config"
	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// initProgram is what boot runs when the root has it under the standard name;
// see init(1).
const initProgram = "/sbin/init"

// defaultCapabilities is what systemd's portable profile "default" leaves. Like
// all capabilities in a container they count inside its namespaces only.
var defaultCapabilities = kernel.CapSet(
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_FSETID,
	unix.CAP_IPC_LOCK, unix.CAP_IPC_OWNER, unix.CAP_KILL, unix.CAP_MKNOD, unix.CAP_NET_ADMIN,
	unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_BROADCAST, unix.CAP_SETGID, unix.CAP_SETPCAP, unix.CAP_SETUID,
	unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_SYS_NICE, unix.CAP_SYS_RESOURCE,
)

// bootCapabilities is what an init and the services of a whole system expect,
// as systemd-nspawn gives them.
var bootCapabilities = defaultCapabilities | kernel.CapSet(
	unix.CAP_AUDIT_CONTROL, unix.CAP_AUDIT_WRITE, unix.CAP_LEASE, unix.CAP_LINUX_IMMUTABLE,
	unix.CAP_NET_RAW, unix.CAP_SETFCAP, unix.CAP_SYS_BOOT, unix.CAP_SYS_PTRACE, unix.CAP_SYS_TTY_CONFIG,
)

// networkCapabilities would reach the host's network in mode host. They are
// worthless there, since the network namespace is not the container's, and
// taken away so that programs don't think otherwise.
var networkCapabilities = kernel.CapSet(unix.CAP_NET_ADMIN, unix.CAP_NET_BROADCAST, unix.CAP_NET_RAW)

// environment is the payload's, before what the container's own user database
// adds; a later entry wins.
func environment(c *config.Container, terminal bool, term string) []string {
	env := map[string]string{"container": "berth"}
	if terminal || c.Process.Boot {
		env["TERM"] = "xterm-256color"
		if term != "" {
			env["TERM"] = term
		}
	}
	maps.Copy(env, c.Process.Environment)
	list := make([]string, 0, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		list = append(list, key+"="+env[key])
	}
	return list
}

const infinity = unix.RLIM_INFINITY

// defaultRlimits are the kernel's own defaults for a first process, with
// systemd's limit for open files, so that a container does not inherit those of
// whoever typed the command.
func defaultRlimits() []Rlimit {
	return []Rlimit{
		{"RLIMIT_CORE", 0, infinity, unix.RLIMIT_CORE},
		{"RLIMIT_CPU", infinity, infinity, unix.RLIMIT_CPU},
		{"RLIMIT_DATA", infinity, infinity, unix.RLIMIT_DATA},
		{"RLIMIT_FSIZE", infinity, infinity, unix.RLIMIT_FSIZE},
		{"RLIMIT_MEMLOCK", 8 << 20, 8 << 20, unix.RLIMIT_MEMLOCK},
		{"RLIMIT_NOFILE", 1024, 512 << 10, unix.RLIMIT_NOFILE},
		{"RLIMIT_STACK", 8 << 20, infinity, unix.RLIMIT_STACK},
	}
}

// setRlimits gives a child its limits before it runs anything of the
// container's. Without CAP_SYS_RESOURCE a hard limit can't be raised, and the
// one that is there stays.
func setRlimits(pid int, limits []Rlimit) error {
	for _, l := range limits {
		want := unix.Rlimit{Cur: l.Soft, Max: l.Hard}
		err := unix.Prlimit(pid, l.resource, &want, nil)
		if err == unix.EPERM {
			var have unix.Rlimit
			if err = unix.Prlimit(pid, l.resource, nil, &have); err == nil {
				want.Max = min(want.Max, have.Max)
				want.Cur = min(want.Cur, want.Max)
				err = unix.Prlimit(pid, l.resource, &want, nil)
			}
		}
		if err != nil {
			return cannot("set "+l.Name, err)
		}
	}
	return nil
}
