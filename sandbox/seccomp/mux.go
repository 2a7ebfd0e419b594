package seccomp

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
		if n := socketCall(r.Call); n > 0 {
			rules = append(rules, Rule{Call: "socketcall", Args: []Compare{number(0, n)}, Action: r.Action})
		}
		if n, ok := ipcCall(r.Call); ok {
			version := Compare{Arg: 0, Op: Equal, Mask: 0xffff, Value: n} // its upper half is a version
			rules = append(rules, Rule{Call: "ipc", Args: []Compare{version}, Action: r.Action})
		}
	}
	return rules
}

// socketCall returns the number of a call to socketcall(2), of the kernel's
// linux/net.h, or 0 for other calls.
func socketCall(name string) uint64 {
	for i, call := range [...]string{"socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername",
		"socketpair", "send", "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg",
		"accept4", "recvmmsg", "sendmmsg"} {
		if call == name {
			return uint64(i) + 1
		}
	}
	return 0
}

// ipcCall returns the number of a call to ipc(2), of the kernel's linux/ipc.h.
func ipcCall(name string) (uint64, bool) {
	switch name {
	case "semop":
		return 1, true
	case "semget":
		return 2, true
	case "semctl":
		return 3, true
	case "semtimedop":
		return 4, true
	case "msgsnd":
		return 11, true
	case "msgrcv":
		return 12, true
	case "msgget":
		return 13, true
	case "msgctl":
		return 14, true
	case "shmat":
		return ipcShmat, true
	case "shmdt":
		return 22, true
	case "shmget":
		return 23, true
	case "shmctl":
		return 24, true
	}
	return 0, false
}
