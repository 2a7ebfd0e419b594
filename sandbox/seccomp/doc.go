// Package seccomp makes filters of system calls: from rules to the BPF program
// that the kernel runs, for every ABI that the kernel accepts.
//
// A setting of systemd.exec(5) comes to layers, layers to programs:
//
//	layers := seccomp.Namespaces(0)
//	layers = append(layers, seccomp.Calls([]seccomp.Entry{{Name: "@system-service"}}, "EPERM", 257)...)
//	programs, err := seccomp.Cache{Dir: "/var/cache/berth/filters"}.Load(layers)
//
// The layers are in the order in which systemd loads its filters, because of
// equally strict answers the kernel takes that of the last filter. Everything up
// to the programs is computed from its arguments alone; Cache reads and writes
// files, and Validate asks the kernel.
//
// libseccomp compiles what it can: for each ABI the actions of the system calls
// that it knows. Conditions on arguments, calls that are newer than the libseccomp
// which berth was built with, and on x86 those that are also multiplexed through
// socketcall(2) and ipc(2), are in a part of berth's own before it. Each call is
// in one of the two.
//
// # Limitations
//
// A filter sees numbers, and no memory. What io_uring does on behalf of a process
// goes past filters: sockets of other families, or files with the set-user-ID bit,
// need io_uring_setup(2) to be denied as well.
//
// Without a filter of allowed calls, a call that is newer than berth is allowed.
//
// Only x86-64, with x32 and x86, and arm64, with arm, are known.
package seccomp
