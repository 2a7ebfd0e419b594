package seccomp

// KernelModules is the system calls' part of ProtectKernelModules=: the group
// @module, which all versions of systemd agree about.
func KernelModules() []Layer {
	return forbidding("ProtectKernelModules", "delete_module", "finit_module", "init_module")
}

// KernelLogs is the system calls' part of ProtectKernelLogs=.
func KernelLogs() []Layer {
	return forbidding("ProtectKernelLogs", "syslog")
}

// Clock is the system calls' part of ProtectClock=: the group @clock.
func Clock() []Layer {
	return forbidding("ProtectClock", "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64",
		"settimeofday")
}

// Hostname is the system calls' part of ProtectHostname=yes.
func Hostname() []Layer {
	return forbidding("ProtectHostname", "sethostname", "setdomainname")
}

// RawIO is the system calls' part of PrivateDevices=: the group @raw-io.
func RawIO() []Layer {
	return forbidding("PrivateDevices", "ioperm", "iopl", "pciconfig_iobase", "pciconfig_read", "pciconfig_write")
}

// Sysctl is the system calls' part of ProtectKernelTunables=: the call that was
// there before /proc/sys, which Linux 5.5 removed.
func Sysctl() []Layer {
	return forbidding("ProtectKernelTunables", "_sysctl")
}

// forbidding makes the layer of a setting that denies calls altogether.
func forbidding(setting string, calls ...string) []Layer {
	layer := denying(setting)
	for _, call := range calls {
		layer.Rules = append(layer.Rules, Rule{Call: call, Action: permission})
	}
	return []Layer{layer}
}
