// Package mountguard looks after a container's initial mounts: those that it was
// started with, or was given from outside later.
//
// That nobody inside can weaken them is the kernel's doing. They come into the
// container's mount namespace from one of the host's, by which their flags get
// locked, and some of them in place; a copy has the same locks. See
// mount_namespaces(7). What there is to do beside that is this package's:
//
//   - to refuse with an errno that says what is the matter, and to tell of it;
//   - to refuse what the kernel has no lock for: moving an initial mount, and
//     pivot_root(2) in the container's own mount namespace;
//   - to mount procfs and sysfs for containers inside the container, which the
//     kernel refuses while parts of the ones there are hidden;
//   - to set the flags of one mount by mount(2) without MS_BIND, where the
//     superblock is the host's.
//
// Calls that change mounts stop at a seccomp filter and wait for the guard's
// answer. Decode copies a call's arguments, the guard finds out what its paths lead
// to, and a Policy judges, without a look at anything but its arguments:
//
//	call, err := mountguard.Decode(arch, number, args, memory)
//	if err != nil {
//		return mountguard.Undecoded(err)
//	}
//	// {Refuse EPERM keep-flags "/data"} for mount -o remount,bind,rw /data
//	return policy.Judge(table, call, mountguard.Situation{Own: true, Target: place})
//
// # Limitations
//
// A call that the kernel is left to carry out may find other arguments in memory
// than were judged. That changes what it does within the kernel's locks, not the
// locks: a refusal can be lost that way, with the errno and the entry in the
// journal that belong to it, and nothing else.
//
// Of a mount nothing shows what it is a copy of. One that may be a copy of several
// initial mounts is left to the kernel's locks where these differ.
//
// It knows x86-64 with x32 and i386, and arm64 with arm.
package mountguard
