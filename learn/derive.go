package learn

import (
	"fmt"
	"slices"
	"strings"

	"berth/sandbox/seccomp"
)

// Facts are what settings depend on beside the recording.
type Facts struct {
	SystemdVersion   int      // whose groups of system calls are meant; settings that are newer are left out
	PrivateNetwork   bool     // the container has a network of its own, with a loopback interface only
	HostUsers        bool     // it has no user namespace
	WorkingDirectory string   // the first process': it has to stay accessible
	Ambient          []string // capabilities that the container gives by AmbientCapabilities=
}

// Derive returns the tightest settings under which what was recorded still works.
func Derive(r Recording, f Facts) Profile {
	d := &deriving{Recording: r, facts: f}
	d.system()
	d.kernel()
	d.processes()
	d.privileges()
	d.calls()
	d.network()
	return Profile{
		Description: "learned from " + r.Name,
		Sandbox:     d.sandbox,
		Resources:   d.resources,
	}
}

// deriving is a profile in the making.
type deriving struct {
	Recording
	facts              Facts
	sandbox, resources []Assignment
}

// set adds an assignment.
func (d *deriving) set(name, comment string, values ...string) {
	d.sandbox = append(d.sandbox, Assignment{name, values, comment})
}

// on turns a setting on. The reason is that nothing speaks against it.
func (d *deriving) on(name string) { d.set(name, "", "yes") }

// unless turns a setting on, unless there is something that it would forbid.
func (d *deriving) unless(name string, against ...string) {
	against = union(against, d.Forbidden[name])
	if len(against) == 0 {
		d.on(name)
		return
	}
	d.set(name, "off: "+some(against), "no")
}

// called returns which of the calls were made, of any ABI.
func (d *deriving) called(names ...string) []string {
	var made []string
	for _, calls := range d.Calls {
		for _, name := range names {
			if slices.Contains(calls, name) {
				made = append(made, name)
			}
		}
	}
	return union(made)
}

// calledOf returns which calls of a group were made.
func (d *deriving) calledOf(group string) []string {
	return d.called(seccomp.Expand(group, d.facts.SystemdVersion)...)
}

// kernel protects what belongs to the kernel. These settings take capabilities
// away as well.
func (d *deriving) kernel() {
	against := func(setting string, reasons ...[]string) { d.unless(setting, slices.Concat(reasons...)...) }
	against("PrivateDevices", d.paths(isOtherDevice, Read, Write, Map, Execute), d.calledOf("@raw-io"), d.needed("CAP_MKNOD", "CAP_SYS_RAWIO"))
	against("ProtectKernelTunables", d.paths(isTunable, Write, Entries), d.paths(among("/proc/kallsyms", "/proc/kcore"), Read))
	against("ProtectKernelModules", d.paths(below("/usr/lib/modules"), Read, Map), d.calledOf("@module"), d.needed("CAP_SYS_MODULE"))
	against("ProtectKernelLogs", d.paths(among("/proc/kmsg", "/dev/kmsg"), Read, Write), d.called("syslog"), d.needed("CAP_SYSLOG"))
	against("ProtectControlGroups", d.paths(below("/sys/fs/cgroup"), Write, Entries))
	against("ProtectClock", d.paths(isClock, Read, Write), d.calledOf("@clock"), d.needed("CAP_SYS_TIME", "CAP_WAKE_ALARM"))
	against("ProtectHostname", d.called("sethostname", "setdomainname"))
}

// needed returns which of the capabilities mattered.
func (d *deriving) needed(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return len(d.Capabilities[name]) == 0 })
}

// processes protects other processes, and what all share.
func (d *deriving) processes() {
	d.on("PrivateTmp")
	d.on("PrivateMounts")
	if !d.facts.HostUsers {
		d.on("PrivateUsers")
	}
	if d.facts.SystemdVersion >= 248 {
		d.on("PrivateIPC")
	}
	d.on("RemoveIPC")
	if others := d.paths(anywhere, Others); len(others) == 0 {
		d.set("ProtectProc", "", "invisible")
	} else {
		d.set("ProtectProc", "it looks at processes of other users: "+some(others), "default")
	}
	if more := d.paths(isProcBeside, Read, Write, Entries); len(more) == 0 {
		d.set("ProcSubset", "", "pid")
	} else {
		d.set("ProcSubset", "it reads "+some(more), "all")
	}
}

// privileges takes away rights that weren't used.
func (d *deriving) privileges() {
	d.unless("NoNewPrivileges")
	d.unless("RestrictSUIDSGID")
	d.unless("RestrictRealtime")
	d.unless("LockPersonality")
	d.unless("MemoryDenyWriteExecute")
	switch {
	case len(d.Namespaces) == 0:
		d.on("RestrictNamespaces")
	case slices.Contains(d.Namespaces, "any"):
		d.set("RestrictNamespaces", "it enters namespaces, of kinds that can't be told", "no")
	default:
		d.set("RestrictNamespaces", "those that it makes or enters", strings.Join(d.Namespaces, " "))
	}
	d.capabilities()
}

// network is about sockets and addresses.
func (d *deriving) network() {
	switch unnamed := d.Forbidden["RestrictAddressFamilies"]; {
	case len(unnamed) > 0:
		// Nothing can allow what has no name.
	case len(d.Families) == 0:
		d.set("RestrictAddressFamilies", "it makes no sockets", "none")
	default:
		d.set("RestrictAddressFamilies", "", strings.Join(d.Families, " "))
	}
	internet := slices.Contains(d.Families, "AF_INET") || slices.Contains(d.Families, "AF_INET6")
	if d.facts.PrivateNetwork || len(d.Families) == 0 {
		d.on("PrivateNetwork")
	}
	deny := func(name, comment, value string) {
		d.resources = append(d.resources, Assignment{name, []string{value}, comment})
	}
	switch {
	case !internet:
		deny("IPAddressDeny", "it has no sockets of the internet's protocols", "any")
	case d.facts.PrivateNetwork:
		deny("IPAddressDeny", "its network has a loopback interface only", "any")
		deny("IPAddressAllow", "", "localhost")
	}
	d.ports(internet)
}

// ports allows binding to those ports that were bound to, unless the kernel chose
// one.
func (d *deriving) ports(internet bool) {
	if !internet || slices.ContainsFunc(d.Bound, func(b string) bool { return strings.HasSuffix(b, ":0") }) {
		return
	}
	allow := func(name, comment string, values ...string) {
		d.resources = append(d.resources, Assignment{name, values, comment})
	}
	const most = 16
	if len(d.Bound) > most {
		return
	}
	if len(d.Bound) > 0 {
		allow("SocketBindAllow", "the ports that it binds to", d.Bound...)
	}
	allow("SocketBindDeny", "", "any")
}

// some names the first few of a list.
func some(list []string) string {
	const few = 4
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:few], ", "), len(list)-few)
}
