package seccomp

import "slices"

// multiplexed returns the rules for the calls of sockets and of System V IPC as
// socketcall(2) and ipc(2) make them on x86. Those with arguments have none: these
// two take the arguments from memory, or in another order.
func multiplexed(l Layer, a abi) []Rule {
	if a.name != "x86" {
		return nil
	}
	otherwise, err := l.Default.ret()
	if err != nil {
		return nil // the caller has seen it
	}
	var rules []Rule
	for _, r := range l.Rules {
		ret, err := r.Action.ret()
		if err != nil || len(r.Args) > 0 || !stricter(ret, otherwise) {
			continue
		}
		if n := viaSocketcall(r.Call); n > 0 {
			rules = append(rules, Rule{Call: "socketcall", Args: []Compare{number(0, n)}, Action: r.Action})
		}
		if n := viaIPC(r.Call); n > 0 {
			version := Compare{Arg: 0, Op: Equal, Mask: 0xffff, Value: n} // its upper half is a version
			rules = append(rules, Rule{Call: "ipc", Args: []Compare{version}, Action: r.Action})
		}
	}
	return rules
}

// viaSocketcall returns the number of a call to socketcall(2), of the kernel's
// linux/net.h, or 0 for other calls.
func viaSocketcall(name string) uint64 {
	return 1 + uint64(slices.Index([]string{"socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername",
		"socketpair", "send", "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg",
		"accept4", "recvmmsg", "sendmmsg"}, name))
}

// viaIPC returns the number of a call to ipc(2), of the kernel's linux/ipc.h, or 0
// for other calls.
func viaIPC(name string) uint64 {
	return map[string]uint64{
		"semop": 1, "semget": 2, "semctl": 3, "semtimedop": 4, "msgsnd": 11, "msgrcv": 12, "msgget": 13, "msgctl": 14,
		"shmat": ipcShmat, "shmdt": 22, "shmget": 23, "shmctl": 24,
	}[name]
}
