package sandbox

import "strings"

// paths decides the rules for paths. The lists are systemd's, of all versions
// together.
func (d *deciding) paths() {
	s := d.Settings
	switch s.ProtectSystem {
	case "yes":
		d.system()
	case "full":
		d.system("/etc")
	case "strict":
		d.rules("ProtectSystem", ReadOnly, "/")
		d.rules("ProtectSystem", ReadWrite, "/proc", "/sys", "/dev")
		d.optional("ProtectSystem", ReadWrite, "/home", "/root", "/run/user")
	}
	switch s.ProtectHome {
	case "yes":
		d.optional("ProtectHome", Inaccessible, "/home", "/root", "/run/user")
	case "read-only":
		d.optional("ProtectHome", ReadOnly, "/home", "/root", "/run/user")
	}
	d.kernel()
	if s.PrivateTmp != "no" {
		d.rules("PrivateTmp", ReadWrite, "/tmp", "/var/tmp")
	}
	d.directories()
	d.list("ReadWritePaths", s.ReadWritePaths, ReadWrite, "")
	d.list("ReadOnlyPaths", s.ReadOnlyPaths, ReadOnly, "")
	d.list("InaccessiblePaths", s.InaccessiblePaths, Inaccessible, "")
	d.list("ExecPaths", s.ExecPaths, "", MayExec)
	d.list("NoExecPaths", s.NoExecPaths, "", NoExec)
}

// system covers the directories of the operating system. What is a symlink to
// one below /usr nowadays was a directory where systemd 252 was built for that.
func (d *deciding) system(more ...string) {
	d.rules("ProtectSystem", ReadOnly, append([]string{"/usr"}, more...)...)
	d.optional("ProtectSystem", ReadOnly, "/boot", "/efi", "/lib", "/lib64", "/bin", "/sbin")
}

// kernel covers the kernel's interfaces. With ProcSubset=pid those below /proc
// aren't there.
func (d *deciding) kernel() {
	s := d.Settings
	if s.ProtectKernelTunables {
		const setting = "ProtectKernelTunables"
		d.optional(setting, ReadOnly, "/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq",
			"/proc/latency_stats", "/proc/mtrr", "/proc/scsi", "/proc/sys", "/proc/sysrq-trigger", "/proc/timer_stats")
		d.optional(setting, Inaccessible, "/proc/kallsyms", "/proc/kcore")
		d.rules(setting, ReadOnly, "/sys")
		d.optional(setting, ReadOnly, "/sys/fs/bpf", "/sys/kernel/debug", "/sys/kernel/tracing")
		d.optional(setting, ReadWrite, "/sys/fs/cgroup", "/sys/fs/selinux") // the first is for ProtectControlGroups
	}
	if s.ProtectKernelModules {
		d.optional("ProtectKernelModules", Inaccessible, "/lib/modules", "/usr/lib/modules")
	}
	if s.ProtectKernelLogs {
		d.optional("ProtectKernelLogs", Inaccessible, "/proc/kmsg", "/dev/kmsg")
	}
	switch s.ProtectControlGroups {
	case "yes", "strict":
		d.optional("ProtectControlGroups", ReadOnly, "/sys/fs/cgroup")
	case "private":
		d.optional("ProtectControlGroups", ReadWrite, "/sys/fs/cgroup")
	}
	if s.ProtectHostname == "yes" {
		d.optional("ProtectHostname", ReadOnly, "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname")
	}
	if s.PrivateDevices {
		d.devices()
	}
}

// devices lets nobody add or remove nodes. What is mounted below /dev is as
// without the setting.
func (d *deciding) devices() {
	rule := func(path string, access Access, exec Exec) {
		d.Paths = append(d.Paths, PathRule{Path: path, Access: access, Exec: exec, Optional: true, Setting: "PrivateDevices"})
	}
	rule("/dev", ReadOnly, NoExec)
	for _, below := range [...]string{"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages"} {
		rule(below, ReadWrite, MayExec)
	}
}

// directories may be written whatever holds around them.
func (d *deciding) directories() {
	for _, dir := range d.Directories {
		access := ReadWrite
		if dir.ReadOnly {
			access = ReadOnly
		}
		if parent := directoryParent(dir.Kind); dir.Kind != "Configuration" {
			d.optional(dir.Kind+"Directory", access, parent+"/"+dir.Name)
		}
	}
}

// directoryParent is where systemd has the directories of a kind.
func directoryParent(kind string) string {
	return map[string]string{"Runtime": "/run", "State": "/var/lib", "Cache": "/var/cache", "Logs": "/var/log", "Configuration": "/etc"}[kind]
}

func (d *deciding) rules(setting string, access Access, paths ...string) {
	for _, p := range paths {
		d.Paths = append(d.Paths, PathRule{Path: p, Access: access, Setting: setting})
	}
}

// optional adds rules for paths that may be missing.
func (d *deciding) optional(setting string, access Access, paths ...string) {
	for _, p := range paths {
		d.Paths = append(d.Paths, PathRule{Path: p, Access: access, Optional: true, Setting: setting})
	}
}

func (d *deciding) list(setting string, paths []Path, access Access, exec Exec) {
	for _, p := range paths {
		d.Paths = append(d.Paths, PathRule{Path: p.Path, Access: access, Exec: exec, Optional: p.Optional, Setting: setting})
	}
}

// within tells whether a path is top or below it.
func within(path, top string) bool {
	return top == "/" || path == top || strings.HasPrefix(path, top+"/")
}
