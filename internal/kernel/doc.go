// Package kernel wraps the system calls that berth is built from: mounts as
// file descriptors, path resolution that cannot leave a tree, user namespaces,
// capabilities and cgroups.
//
// Every wrapper takes descriptors rather than paths for anything inside a
// container's tree, opens with O_CLOEXEC, keeps its files alive over the call
// and returns an error that names the system call. A path in an error is there
// for the reader only.
//
//	tree, err := kernel.CloneTree(dir, "", 0)
//	…
//	err = kernel.SetAttr(tree, kernel.Attr{UserNS: ns, Set: unix.MOUNT_ATTR_NODEV})
//	err = kernel.Attach(tree, target)
//
// Limitations: Linux 6.1 or newer is assumed (openat2, mount_setattr with
// idmapped mounts, pidfds, cgroup v2). Functions that change the calling
// thread's namespaces or credentials say so; their caller holds the thread with
// runtime.LockOSThread.
package kernel
