package seccomp

// KernelModules is the system calls' part of ProtectKernelModules=.
func KernelModules() []Layer {
	return denyGroup("ProtectKernelModules", "@module")
}

// KernelLogs is the system calls' part of ProtectKernelLogs=.
func KernelLogs() []Layer {
	return []Layer{denying("ProtectKernelLogs", Rule{Call: "syslog", Action: permission})}
}

// Clock is the system calls' part of ProtectClock=.
func Clock() []Layer {
	return denyGroup("ProtectClock", "@clock")
}

// Hostname is the system calls' part of ProtectHostname=yes.
func Hostname() []Layer {
	return []Layer{denying("ProtectHostname",
		Rule{Call: "sethostname", Action: permission},
		Rule{Call: "setdomainname", Action: permission})}
}

// RawIO is the system calls' part of PrivateDevices=.
func RawIO() []Layer {
	return denyGroup("PrivateDevices", "@raw-io")
}

// Sysctl is the system calls' part of ProtectKernelTunables=: the call that was
// there before /proc/sys, which Linux 5.5 removed.
func Sysctl() []Layer {
	return []Layer{denying("ProtectKernelTunables", Rule{Call: "_sysctl", Action: permission})}
}

// denyGroup denies what any version of systemd has in a group.
func denyGroup(setting, group string) []Layer {
	var rules []Rule
	for _, call := range expandAny(readGroups(), group, tabled[:]...) {
		if hasNumber(call) {
			rules = append(rules, Rule{Call: call, Action: permission})
		}
	}
	return []Layer{denying(setting, rules...)}
}
