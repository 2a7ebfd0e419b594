// Package nsinit is the container's side of a start: what runs between the
// clone that makes the namespaces and the exec of the payload, and the small
// PID 1 that stays.
//
// It is the same binary as berth, started under another name by package
// launcher, with a socket on descriptor 3 and a sealed description of its work
// (Setup) on descriptor 4. cmd/berth calls Main before anything else:
//
//	func main() {
//		nsinit.Main() // returns unless this process is berth's own child
//		…
//
// A start runs through three stages in one process. As SetupName it begins with
// a few calls of C, before Go starts: they hand over what only a process in the
// new namespaces can open, so that the launcher makes the mounts meanwhile. Then
// Go: bring up the loopback interface, enter the cgroup, pivot into the root that
// the launcher has built from outside, look the user up there, restrict itself
// and fork the payload. Between fork and exec runs payload.c, for no Go can: it
// becomes the user and sets limits, capabilities and filters. At last C, as
// InitName: reap children until the payload ends, and end as it did; it has no
// capabilities, no descriptors, a filter that leaves it the calls of its loop, no
// Go runtime and a few pages of memory. With Setup.Boot there is no third stage:
// the process becomes the payload itself, and a Watcher of the host's stands by.
//
// A command that is run in a container that is there already (ExecName) joins
// its namespaces in C, before Go starts threads, and becomes the command. What copies
// files (CopyName) joins only those of users and mounts, so that nobody in the
// container sees it or can stop it, and never executes anything.
//
// Everything here trusts the launcher and distrusts the root file system: what
// is read from it is read after the pivot, with bounded size and without
// waiting for anybody.
package nsinit
