package launcher

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// oldestKernel is the oldest that berth is tested with: Debian 12's.
const oldestKernel = "6.1"

// kernel looks at system calls, security modules and the like.
func (d *doctor) kernel() {
	d.subject = "kernel"
	d.release()
	d.tried("user namespaces", kernel.ProbeUserNS(), "no container can be made: see user.max_user_namespaces, and kernel.apparmor_restrict_unprivileged_userns where there is AppArmor")
	d.tried("mount_setattr", kernel.ProbeMountSetattr(), "no container can be made")
	d.tried("openat2", kernel.ProbeOpenat2(), "no container can be made: paths can't be kept inside its root")
	d.tried("pidfd", kernel.ProbePidfd(), "no container can be made: processes can't be told apart for sure")
	d.tried("close_range", kernel.ProbeCloseRange(), "no container can be made: a program could get the host's files")
	d.tried("open_tree_attr", kernel.ProbeOpenTreeAttr(), "a mount that is ID-mapped already can't be mapped anew; Linux 6.15 has it, nothing depends on it yet")
	d.tried("statmount", kernel.ProbeStatmount(), "mounts are read from /proc; Linux 6.8 has it, nothing depends on it yet")
	d.tried("overlayfs", kernel.ProbeFS("overlay"), "no container on the host's own tree, and none with volatile = \"overlay\": load the module overlay")
	d.tried("fuse", kernel.ProbeFS("fuse"), "nothing depends on it yet")
	d.tried("keyrings", kernel.ProbeKeyrings(), "a container has none of its own to protect either")
	d.seccomp()
	d.bpfPrograms()
	d.securityModules()
}

func (d *doctor) release() {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		d.row("release", VerdictUnknown, "%v", err)
		return
	}
	release := unix.ByteSliceToString(name.Release[:])
	if releaseBefore(release, oldestKernel) {
		d.row("release", VerdictLimited, "%s: berth is tested with %s and newer", release, oldestKernel)
		return
	}
	d.row("release", VerdictYes, "%s", release)
}

// releaseBefore compares the first two numbers: "6.1.0-13-amd64" is not before
// "6.1".
func releaseBefore(a, b string) bool {
	return slices.Compare(releaseNumbers(a), releaseNumbers(b)) < 0
}

func releaseNumbers(release string) []int {
	numbers := make([]int, 2)
	for i := range numbers {
		part, rest, _ := strings.Cut(release, ".")
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		numbers[i], _ = strconv.Atoi(digits) // none is 0
		release = rest
	}
	return numbers
}

// seccomp looks at what a supervisor of system calls needs.
func (d *doctor) seccomp() {
	var addFD, syncWakeUp bool
	err := aside(func() (err error) {
		addFD, syncWakeUp, err = kernel.SeccompNotify()
		return err
	})
	if errors.Is(err, unix.EBUSY) {
		d.row("seccomp notification", VerdictNo, "something around berth listens already, and a process can have one listener only: no mount guard, so that mountguard.enabled has to be false")
		return
	}
	d.tried("seccomp notification", err, "no mount guard: mountguard.enabled has to be false")
	if err != nil {
		return
	}
	d.has("seccomp notification: add a descriptor", addFD, "the mount guard can't hand a nested container its /proc and /sys: Linux 5.9 has it")
	d.has("seccomp notification: synchronous wake-up", syncWakeUp, "Linux 6.6 has it; each notification costs a few times more without")
}

// has notes something that is there or not.
func (d *doctor) has(name string, there bool, without string) {
	if there {
		d.row(name, VerdictYes, "")
		return
	}
	d.row(name, VerdictNo, "%s", without)
}

// bpfPrograms loads what systemd would attach to a scope's cgroup.
func (d *doctor) bpfPrograms() {
	for _, p := range []struct {
		name         string
		kind, attach uint32
		settings     string
	}{
		{"BPF for devices", unix.BPF_PROG_TYPE_CGROUP_DEVICE, unix.BPF_CGROUP_DEVICE, "DevicePolicy and DeviceAllow"},
		{"BPF for packets", unix.BPF_PROG_TYPE_CGROUP_SKB, unix.BPF_CGROUP_INET_INGRESS, "IPAddressAllow, IPAddressDeny and RestrictNetworkInterfaces"},
		{"BPF for sockets", unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, unix.BPF_CGROUP_INET4_BIND, "SocketBindAllow and SocketBindDeny"},
	} {
		err := kernel.ProbeBPF(p.kind, p.attach)
		d.tried(p.name, err, p.settings+" can't be enforced: the kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF")
		if err != nil && !d.needsRoot(err) && d.bpf == nil {
			d.bpf = err
		}
	}
}

func (d *doctor) securityModules() {
	modules, err := kernel.LSMs()
	if errors.Is(err, unix.ENOSYS) {
		if list := readLine("/sys/kernel/security/lsm"); list != "" {
			modules, err = strings.Split(list, ","), nil
		}
	}
	if err != nil {
		d.row("security modules", VerdictUnknown, "%v, and securityfs is not mounted", err)
	} else {
		d.row("security modules", VerdictYes, "%s", strings.Join(modules, ", "))
	}
	if abi, err := kernel.LandlockABI(); err != nil {
		d.row("Landlock", VerdictNo, "nothing depends on it yet: boot with landlock in lsm= (%v)", err)
	} else {
		d.row("Landlock", VerdictYes, "ABI %d", abi)
	}
}

// idmaps maps a clone of each file system that matters.
func (d *doctor) idmaps() {
	d.subject = "ID-mapped mounts"
	ids := []kernel.IDMap{{Container: 0, Host: 1 << 30, Size: 65536}}
	if !d.root {
		d.row("all", VerdictUnknown, "needs root")
		return
	}
	ns, err := kernel.NewUserNS(ids, ids)
	if err != nil {
		d.row("all", VerdictNo, "%v", err)
		return
	}
	defer ns.Close()
	for _, fs := range d.fileSystems() {
		d.idmap(fs, ns)
	}
	err = aside(func() error { return kernel.ProbeOverlayIDMap(ns) })
	d.tried("layers of an overlay", err, "no container on the host's own tree: give root.directory, or volatile = \"yes\"")
}

func (d *doctor) idmap(fs fileSystem, ns *os.File) {
	at := "at " + strings.Join(fs.places, ", ")
	const without = "it can hold no root, and a bind mount of it needs idmap = \"no\""
	dir, err := kernel.OpenPath(fs.places[0])
	if err != nil {
		d.row(fs.kind, VerdictUnknown, "%s: %v", at, err)
		return
	}
	defer dir.Close()
	err = kernel.ProbeIDMap(dir, ns)
	switch {
	case err == nil:
		d.row(fs.kind, VerdictYes, "%s", at)
	case errors.Is(err, unix.EINVAL):
		d.row(fs.kind, VerdictNo, "%s: this kernel can't map this file system: %s", at, without)
	default:
		d.row(fs.kind, VerdictNo, "%s: %s (%v)", at, without, err)
	}
}

// fileSystem is one file system and where it was met.
type fileSystem struct {
	device, kind string
	places       []string
}

// fileSystems lists those that hold what containers mostly are made of, and one
// of every further type that is mounted.
func (d *doctor) fileSystems() []fileSystem {
	var list []fileSystem
	for _, place := range []string{"/", "/var/lib/machines", "/home", "/srv", "/tmp", "/run"} {
		real, err := filepath.EvalSymlinks(place)
		if err != nil {
			continue // not there
		}
		m := holding(d.mountList, real)
		i := slices.IndexFunc(list, func(fs fileSystem) bool { return fs.device == m.Device })
		if i < 0 {
			i = len(list)
			list = append(list, fileSystem{device: m.Device, kind: m.Type})
		}
		list[i].places = append(list[i].places, place)
	}
	for _, m := range d.mountList {
		seen := slices.ContainsFunc(list, func(fs fileSystem) bool { return fs.kind == m.Type })
		covered := holding(d.mountList, m.Target).Device != m.Device
		if !seen && !covered && worthMapping(m.Type) {
			list = append(list, fileSystem{m.Device, m.Type, []string{m.Target}})
		}
	}
	return list
}

// holding is the mount that a clean path without symlinks is on: the deepest
// one above it, and of these the last.
func holding(mounts []kernel.MountInfo, path string) kernel.MountInfo {
	var found kernel.MountInfo
	for _, m := range mounts {
		above := m.Target == "/" || path == m.Target || strings.HasPrefix(path, m.Target+"/")
		if above && len(m.Target) >= len(found.Target) {
			found = m
		}
	}
	return found
}

// worthMapping leaves out the kernel's own interfaces, and file systems of
// which a dead server would keep everybody waiting.
func worthMapping(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "mqueue", "securityfs", "debugfs", "tracefs",
		"configfs", "pstore", "bpf", "hugetlbfs", "binfmt_misc", "efivarfs", "rpc_pipefs", "nsfs", "fusectl", "selinuxfs",
		"autofs", "nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "afs", "fuse":
		return false
	}
	return !strings.HasPrefix(fstype, "fuse.")
}
