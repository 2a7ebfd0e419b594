package launcher

import (
	"fmt"
	"slices"
	"strconv"

	"berth/internal/kernel"
	"berth/internal/trace"
	"berth/learn"
	"berth/sandbox/seccomp"

	"golang.org/x/sys/unix"
)

// recording says in the words of the settings what was traced, files aside.
func (n *callNames) recording(r trace.Record) learn.Recording {
	out := learn.Recording{Calls: map[string][]string{}, Refused: map[string][]string{}, Forbidden: map[string][]string{}, Lost: r.Lost}
	for _, c := range r.Calls {
		abi, name := n.abis[c.ABI], n.name(c.Call)
		if c.Refused {
			out.Refused[abi] = append(out.Refused[abi], name)
			continue
		}
		out.Calls[abi] = append(out.Calls[abi], name)
		switch name { // what matters is in memory, where a filter can't see it
		case "openat2":
			forbid(&out, "RestrictSUIDSGID", name)
		case "sched_setattr":
			forbid(&out, "RestrictRealtime", name)
		}
	}
	for _, a := range r.Arguments {
		n.argument(&out, a)
	}
	if r.GainedRights {
		out.Forbidden["NoNewPrivileges"] = []string{"it executed a program that has more rights than its caller"}
	}
	if r.ChecksKnown {
		out.Capabilities = map[string][]string{}
	}
	for _, c := range r.Checks {
		name := upper(kernel.CapSet(c.Capability).Names())[0]
		out.Capabilities[name] = append(out.Capabilities[name], n.name(c.Call))
	}
	for _, a := range r.Addresses {
		out.Bound = append(out.Bound, boundTo(a))
	}
	return learn.Merge(out) // which sorts
}

// name is a call's, or its number where it has none.
func (n *callNames) name(c trace.Call) string {
	if name, ok := n.names[c]; ok {
		return name
	}
	return strconv.Itoa(c.Number)
}

// boundTo is an address in the words of SocketBindAllow=.
func boundTo(a trace.Address) string {
	if a.Family == unix.AF_INET {
		return fmt.Sprintf("ipv4:%d", a.Port)
	}
	return fmt.Sprintf("ipv6:%d", a.Port)
}

// argument says what an argument comes to.
func (n *callNames) argument(r *learn.Recording, a trace.Argument) {
	name, value := n.name(a.Call), a.Values[0]
	switch name {
	case "open", "openat":
		if value != 0 && a.Values[1] != 0 {
			forbid(r, "RestrictSUIDSGID", name+" with a set-user-ID or set-group-ID bit")
		}
	case "creat", "mkdir", "mkdirat", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "fchmodat2":
		if value != 0 {
			forbid(r, "RestrictSUIDSGID", name+" with a set-user-ID or set-group-ID bit")
		}
	case "mmap", "mmap2":
		if value == unix.PROT_WRITE|unix.PROT_EXEC {
			forbid(r, "MemoryDenyWriteExecute", name+" of memory that is writable and executable")
		}
	case "mprotect", "pkey_mprotect", "shmat":
		if value != 0 {
			forbid(r, "MemoryDenyWriteExecute", name+" that makes memory executable")
		}
	case "socket", "socketpair", "socketcall":
		family(r, int(uint32(value)))
		if name != "socketcall" && a.Values[1] == unix.SOCK_RAW {
			forbid(r, "raw sockets", name)
		}
	case "clone", "clone3", "unshare":
		namespacesOf(r, value)
	case "setns":
		if value == 0 {
			r.Namespaces = append(r.Namespaces, "any")
		}
		namespacesOf(r, value)
	case "personality":
		if value != 0 {
			forbid(r, "LockPersonality", fmt.Sprintf("personality(%#x)", value))
		}
	case "sched_setscheduler":
		if !slices.Contains([]uint64{unix.SCHED_NORMAL, unix.SCHED_BATCH, unix.SCHED_IDLE}, value) {
			forbid(r, "RestrictRealtime", fmt.Sprintf("%s with policy %d", name, value))
		}
	}
}

func forbid(r *learn.Recording, setting, what string) {
	r.Forbidden[setting] = append(r.Forbidden[setting], what)
}

// family adds an address family. One without a name here makes the setting
// impossible: nothing could allow it.
func family(r *learn.Recording, number int) {
	if name, ok := seccomp.FamilyName(number); ok {
		r.Families = append(r.Families, name)
		return
	}
	forbid(r, "RestrictAddressFamilies", fmt.Sprintf("a socket of the family %d", number))
}

// namespacesOf adds the kinds of namespaces, in the words of RestrictNamespaces=.
func namespacesOf(r *learn.Recording, flags uint64) {
	for _, kind := range []struct {
		flag uint64
		name string
	}{
		{unix.CLONE_NEWCGROUP, "cgroup"}, {unix.CLONE_NEWIPC, "ipc"}, {unix.CLONE_NEWNET, "net"}, {unix.CLONE_NEWNS, "mnt"},
		{unix.CLONE_NEWPID, "pid"}, {unix.CLONE_NEWUSER, "user"}, {unix.CLONE_NEWUTS, "uts"}, {unix.CLONE_NEWTIME, "time"},
	} {
		if flags&kind.flag != 0 {
			r.Namespaces = append(r.Namespaces, kind.name)
		}
	}
}
