package launcher

import (
	"fmt"
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
		{"RLIMIT_CORE", 0, infinity},
		{"RLIMIT_CPU", infinity, infinity},
		{"RLIMIT_DATA", infinity, infinity},
		{"RLIMIT_FSIZE", infinity, infinity},
		{"RLIMIT_MEMLOCK", 8 << 20, 8 << 20},
		{"RLIMIT_NOFILE", 1024, 512 << 10},
		{"RLIMIT_STACK", 8 << 20, infinity},
	}
}

// rlimitNumbers are the kernel's numbers of resources.
var rlimitNumbers = map[string]int{
	"RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_DATA": unix.RLIMIT_DATA,
	"RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK,
	"RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_STACK": unix.RLIMIT_STACK,
}

// setRlimits gives a child its limits before it runs anything of the
// container's.
func setRlimits(pid int, limits []Rlimit) error {
	for _, l := range limits {
		number, known := rlimitNumbers[l.Name]
		if !known {
			return fmt.Errorf("internal error: no number for %s", l.Name)
		}
		if err := kernel.SetRlimit(pid, number, l.Soft, l.Hard); err != nil {
			return cannot("set "+l.Name, err)
		}
	}
	return nil
}
