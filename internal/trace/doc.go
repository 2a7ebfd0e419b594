// Package trace records what the processes of a cgroup ask of the kernel: system
// calls and the arguments that matter, capabilities that were needed, and what
// was done to which files.
//
//	r, err := trace.Start(trace.Options{Cgroup: "/sys/fs/cgroup/…/berth-web.scope", Watches: watches})
//	if err != nil { … }
//	… the payload runs …
//	seen, err := r.Stop()
//
// Start attaches BPF programs to tracepoints of the kernel: the entry and the end
// of system calls, fork, exec, and checks of capabilities. They count nothing and
// stop nothing: each remembers what it hasn't seen before. Recording begins with
// the first program that is executed in the cgroup and is not the one that its
// parent runs, so that what berth does on the way there, and its own PID 1, are
// left out. It follows the processes through fork and exec, wherever they go.
//
// What was done counts when it succeeded. What never came back counts too: a
// call in which a process was killed.
//
// Listen does the same by seccomp notification, for kernels without BPF. It costs
// each system call a detour of some microseconds, and sees no capabilities.
//
// Limitations. BPF takes CAP_BPF and CAP_PERFMON in the first user namespace and
// BTF (/sys/kernel/btf/vmlinux); Linux 5.12 is the oldest with all of it.
// Capabilities have a tracepoint since Linux 6.15. A path is put together from
// what the process said and the directory that it began with: symlinks in it are
// not followed. One longer than 1023 bytes is counted as lost.
package trace
