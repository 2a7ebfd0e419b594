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
func defaultRlimits() []kernel.Rlimit {
	return []kernel.Rlimit{
		{Name: "RLIMIT_CORE", Soft: 0, Hard: infinity},
		{Name: "RLIMIT_CPU", Soft: infinity, Hard: infinity},
		{Name: "RLIMIT_DATA", Soft: infinity, Hard: infinity},
		{Name: "RLIMIT_FSIZE", Soft: infinity, Hard: infinity},
		{Name: "RLIMIT_MEMLOCK", Soft: 8 << 20, Hard: 8 << 20},
		{Name: "RLIMIT_NOFILE", Soft: 1024, Hard: 512 << 10},
		{Name: "RLIMIT_STACK", Soft: 8 << 20, Hard: infinity},
	}
}
