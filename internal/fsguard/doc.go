// Package fsguard lets the processes of a cgroup, and of those below it, open
// files on some types of file systems only: a BPF program at the security hook
// of each open asks the file's super block, and answers EPERM.
//
//	guard, err := fsguard.New(fsguard.Rule{Allow: true, Magics: []uint64{unix.TMPFS_MAGIC}}, fsguard.Layout{Dir: "/var/cache/berth"})
//	…
//	defer guard.Close()
//	err = guard.Exempt(child, fsguard.BeforeExec) // still needs its libraries
//	err = guard.Attach(cgroup)
//
// The program belongs to the cgroup: it stays as long as that does, whatever
// becomes of the process that attached it, and nobody takes it away who lacks
// CAP_BPF on the host.
//
// It takes Linux 6.0, the kernel's own BTF, and BPF among the active security
// modules (lsm= on the kernel's command line): Probe tells. Without the last, New
// and Attach succeed, to no effect.
//
// Limitations, all of which systemd's RestrictFileSystems= shares: only opening
// is judged. Files that were open before, or that another process passes on,
// stay usable; so does what takes no open, such as stat(2), readlink(2), or
// connect(2) to a socket. An overlay opens its layers' files in the name of the
// process, so both its type and theirs are judged. A magic number that two types
// share (ext2 to ext4) means both.
package fsguard
