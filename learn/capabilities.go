package learn

import (
	"maps"
	"slices"
	"strings"
)

// capabilities keeps those that mattered.
func (d *deriving) capabilities() {
	needed, comments := map[string]bool{}, []string{}
	if d.Capabilities == nil {
		comments = append(comments, "nobody could tell which capabilities mattered: these belong to system calls that it makes")
		for _, name := range d.guessed() {
			needed[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Capabilities)) {
		calls := slices.DeleteFunc(slices.Clone(d.Capabilities[name]), func(call string) bool { return isIdle(name, call) })
		if len(calls) > 0 {
			needed[name] = true
			comments = append(comments, name+": "+some(calls))
		}
	}
	names := slices.Sorted(maps.Keys(needed))
	if len(names) == 0 {
		comments = append(comments, "it needs none")
	}
	d.set("CapabilityBoundingSet", strings.Join(comments, "\n"), strings.Join(names, " "))
	ambient := slices.DeleteFunc(union(d.facts.Ambient), func(name string) bool { return !needed[name] })
	if len(ambient) > 0 {
		d.set("AmbientCapabilities", "", strings.Join(ambient, " "))
	}
}

// isIdle tells of checks that change nothing when they fail:
//
//   - CAP_SYS_ADMIN, which all that takes memory is asked for: whether it may have
//     the last few percent, mm/util.c, __vm_enough_memory.
//   - CAP_SYS_ADMIN for a filter of one's own: with NoNewPrivileges=, which what
//     learned has, nobody asks, kernel/seccomp.c.
//   - CAP_SYS_RESOURCE for the space on a disk that is reserved for root.
//   - CAP_FSETID, for keeping set-user-ID bits when a file is written: without it
//     they go, as they should.
func isIdle(capability, call string) bool {
	switch capability {
	case "CAP_SYS_ADMIN":
		return slices.Contains([]string{"brk", "mmap", "mmap2", "mremap", "mprotect", "execve", "execveat", "clone", "clone3",
			"fork", "vfork", "seccomp", "shmget", "shmat", "memfd_create", "madvise", "ftruncate", "fallocate"}, call)
	case "CAP_SYS_RESOURCE":
		return slices.Contains([]string{"write", "pwrite64", "writev", "pwritev", "fallocate", "fsync", "fdatasync", "ftruncate",
			"mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "symlink", "unlink"}, call)
	case "CAP_FSETID":
		return slices.Contains([]string{"write", "pwrite64", "writev", "pwritev", "pwritev2"}, call)
	}
	return false
}

// guessed are the capabilities that belong to the calls that were made. Those for
// files of other users can't be seen from calls.
func (d *deriving) guessed() []string {
	names := []string{"CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID"}
	for _, g := range []struct {
		capability string
		calls      []string
	}{
		{"CAP_CHOWN", []string{"chown", "lchown", "fchown", "fchownat", "chown32", "lchown32", "fchown32"}},
		{"CAP_SETUID", []string{"setuid", "setreuid", "setresuid", "setfsuid", "setuid32", "setreuid32", "setresuid32"}},
		{"CAP_SETGID", []string{"setgid", "setregid", "setresgid", "setfsgid", "setgroups", "setgid32", "setregid32", "setresgid32", "setgroups32"}},
		{"CAP_KILL", []string{"kill", "tkill", "tgkill", "rt_sigqueueinfo", "pidfd_send_signal"}},
		{"CAP_NET_BIND_SERVICE", []string{"bind", "socketcall"}},
		{"CAP_SYS_CHROOT", []string{"chroot"}},
		{"CAP_SYS_NICE", []string{"nice", "setpriority", "sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity", "ioprio_set", "mbind", "migrate_pages"}},
		{"CAP_IPC_LOCK", []string{"mlock", "mlock2", "mlockall", "shmctl", "memfd_create"}},
		{"CAP_IPC_OWNER", []string{"shmat", "semop", "semtimedop", "msgsnd", "msgrcv"}},
		{"CAP_MKNOD", []string{"mknod", "mknodat"}},
		{"CAP_SYS_PTRACE", []string{"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"}},
		{"CAP_SYS_ADMIN", []string{"mount", "umount2", "pivot_root", "unshare", "setns", "sethostname", "setdomainname", "fsopen", "move_mount", "mount_setattr", "bpf"}},
		{"CAP_SETPCAP", []string{"capset"}},
		{"CAP_SETFCAP", []string{"setxattr", "fsetxattr", "lsetxattr"}},
	} {
		if len(d.called(g.calls...)) > 0 {
			names = append(names, g.capability)
		}
	}
	families := d.Families
	if slices.Contains(families, "AF_PACKET") || slices.Contains(families, "AF_INET") && len(d.Forbidden["raw sockets"]) > 0 {
		names = append(names, "CAP_NET_RAW")
	}
	if slices.Contains(families, "AF_NETLINK") {
		names = append(names, "CAP_NET_ADMIN")
	}
	if len(d.called("prctl")) > 0 {
		names = append(names, "CAP_SETPCAP")
	}
	return union(names)
}
