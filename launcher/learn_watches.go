package launcher

import (
	"berth/internal/trace"
	"berth/sandbox/seccomp"

	"golang.org/x/sys/unix"
)

// callNames are the names of the system calls of this machine.
type callNames struct {
	numbers []seccomp.Numbers // the native ABI first
	names   map[trace.Call]string
	abis    map[trace.ABI]string // "native" for that
}

// readNames reads them all.
func readNames() (*callNames, error) {
	numbers, err := seccomp.LocalNumbers()
	if err != nil {
		return nil, err
	}
	n := &callNames{numbers: numbers, names: map[trace.Call]string{}, abis: map[trace.ABI]string{}}
	for i, table := range numbers {
		abi := abiOf(i, table.ABI)
		n.abis[abi] = table.ABI
		if i == 0 {
			n.abis[abi] = "native"
		}
		for name, number := range table.Calls {
			n.names[trace.Call{ABI: abi, Number: int(number)}] = name
		}
	}
	return n, nil
}

// abiOf tells which of the tracer's ABIs it is.
func abiOf(place int, name string) trace.ABI {
	switch {
	case place == 0:
		return trace.Native
	case name == "x32":
		return trace.X32
	}
	return trace.Compat
}

// watches are what the arguments of system calls tell, for each ABI.
func (n *callNames) watches() []trace.Watch {
	var all []trace.Watch
	for i, table := range n.numbers {
		for _, w := range append(pathWatches(), argumentWatches()...) {
			number, ok := table.Calls[w.call]
			if !ok {
				continue
			}
			w.Call = trace.Call{ABI: abiOf(i, table.ABI), Number: int(number)}
			all = append(all, w.Watch)
		}
	}
	return all
}

// namedWatch is a watch of a call that has a number in some ABI only.
type namedWatch struct {
	call string
	trace.Watch
}

// openFlags are those of open(2) that tell what may become of the file.
const openFlags = unix.O_ACCMODE | unix.O_CREAT | tmpfile

// tmpfile is the bit that makes O_TMPFILE more than O_DIRECTORY.
const tmpfile = unix.O_TMPFILE &^ unix.O_DIRECTORY

// pathWatches tell what is done to which files.
func pathWatches() []namedWatch {
	var all []namedWatch
	add := func(w trace.Watch, calls ...string) {
		for _, call := range calls {
			all = append(all, namedWatch{call, w})
		}
	}
	at := func(path, dir int, a trace.Access) trace.Watch {
		return trace.Watch{Kind: trace.PathAt, A: path, B: dir, Flags: -1, Access: a}
	}
	plain := func(path int, a trace.Access) trace.Watch {
		return trace.Watch{Kind: trace.Path, A: path, Flags: -1, Access: a}
	}
	open := [2]uint64{openFlags}
	add(trace.Watch{Kind: trace.Path, A: 0, Flags: 1, Masks: open, Access: trace.Open}, "open")
	add(trace.Watch{Kind: trace.PathAt, A: 1, B: 0, Flags: 2, Masks: open, Access: trace.Open}, "openat")
	add(trace.Watch{Kind: trace.PathAt, A: 1, B: 0, Flags: 2, Pointer: true, Masks: open, Access: trace.Open}, "openat2")
	add(plain(0, trace.Open), "chdir")
	add(plain(0, trace.Entry), "creat", "mkdir", "mknod", "rmdir", "unlink", "rename")
	add(plain(1, trace.Entry), "symlink", "link", "rename")
	add(at(1, 0, trace.Entry), "mkdirat", "mknodat", "unlinkat", "renameat", "renameat2")
	add(at(3, 2, trace.Entry), "linkat", "renameat", "renameat2")
	add(at(2, 1, trace.Entry), "symlinkat")
	add(plain(0, trace.Alter), "chmod", "chown", "lchown", "chown32", "lchown32", "truncate", "truncate64", "utime", "utimes",
		"setxattr", "lsetxattr", "removexattr", "lremovexattr")
	add(at(1, 0, trace.Alter), "fchmodat", "fchmodat2", "fchownat", "utimensat", "utimensat_time64", "futimesat")
	add(trace.Watch{Kind: trace.File, B: 0, Flags: -1, Access: trace.Alter},
		"fchmod", "fchown", "fchown32", "fsetxattr", "fremovexattr")
	add(trace.Watch{Kind: trace.File, B: 4, Flags: 2, Masks: [2]uint64{unix.PROT_EXEC}, Require: unix.PROT_EXEC, Access: trace.Map},
		"mmap", "mmap2")
	return all
}

// setID are the bits of a mode that RestrictSUIDSGID= is about.
const setID = unix.S_ISUID | unix.S_ISGID

// shmExec is SHM_EXEC of shmat(2).
const shmExec = 0o100000

// watchedNamespaces are the flags for namespaces, but CLONE_NEWTIME: of clone(2) that
// is part of a signal's number.
const watchedNamespaces = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
	unix.CLONE_NEWUSER | unix.CLONE_NEWUTS

// argumentWatches tell what other settings look at.
func argumentWatches() []namedWatch {
	const all = ^uint64(0)
	values := func(call string, a int, maskA uint64, b int, maskB uint64) namedWatch {
		return namedWatch{call, trace.Watch{Kind: trace.Values, A: a, B: b, Masks: [2]uint64{maskA, maskB}}}
	}
	memory := func(call string, a int, mask uint64) namedWatch {
		return namedWatch{call, trace.Watch{Kind: trace.Memory, A: a, Masks: [2]uint64{mask, 0}}}
	}
	return []namedWatch{
		// When a file is made there is a mode.
		values("open", 2, setID, 1, unix.O_CREAT|tmpfile), values("openat", 3, setID, 2, unix.O_CREAT|tmpfile),
		values("creat", 1, setID, 0, 0), values("mkdir", 1, setID, 0, 0), values("mkdirat", 2, setID, 0, 0),
		values("mknod", 1, setID, 0, 0), values("mknodat", 2, setID, 0, 0),
		values("chmod", 1, setID, 0, 0), values("fchmod", 1, setID, 0, 0),
		values("fchmodat", 2, setID, 0, 0), values("fchmodat2", 2, setID, 0, 0),
		values("mmap", 2, unix.PROT_WRITE|unix.PROT_EXEC, 0, 0), values("mmap2", 2, unix.PROT_WRITE|unix.PROT_EXEC, 0, 0),
		values("mprotect", 2, unix.PROT_EXEC, 0, 0), values("pkey_mprotect", 2, unix.PROT_EXEC, 0, 0),
		values("shmat", 2, shmExec, 0, 0),
		values("socket", 0, all, 1, 0xf), values("socketpair", 0, all, 1, 0xf),
		memory("socketcall", 1, all),
		{"bind", trace.Watch{Kind: trace.Bound, A: 1, Flags: -1, Access: trace.Entry}},
		values("clone", 0, watchedNamespaces, 0, 0), memory("clone3", 0, watchedNamespaces|unix.CLONE_NEWTIME),
		values("unshare", 0, watchedNamespaces|unix.CLONE_NEWTIME, 0, 0), values("setns", 1, all, 0, 0),
		values("personality", 0, 0xffffffff, 0, 0),
		values("sched_setscheduler", 1, 0xff, 0, 0),
	}
}
