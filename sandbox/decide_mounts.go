package sandbox

import (
	"cmp"
	"slices"
	"strings"
)

// systemd's limits for the tmpfs of a service: of TemporaryFileSystem= and
// PrivateTmp=disconnected, and of what stays next to empty.
const (
	nestedLimits = "size=10%,nr_inodes=400k"
	emptyLimits  = "size=4m,nr_inodes=1k"
)

// mounts decides what is mounted, in the order of the paths. Of several mounts on
// one path systemd makes the first one here, read-only if any was to be.
func (d *deciding) mounts() {
	var list []Mount
	for _, recursive := range [...]bool{false, true} {
		for _, b := range d.Binds {
			if b.Recursive == recursive {
				list = append(list, bindMount(b))
			}
		}
	}
	if d.PrivateTmp != "no" {
		list = append(list, tmpfs("PrivateTmp", "/var/tmp", "mode=1777,"+nestedLimits))
	}
	for _, t := range d.TemporaryFileSystem {
		m := tmpfs("TemporaryFileSystem", t.Target, strings.Join(append([]string{"mode=0755", nestedLimits}, t.Options...), ","))
		list = append(list, m)
	}
	if d.ProtectHome == "tmpfs" {
		for _, home := range [...]struct{ path, mode string }{{"/home", "0755"}, {"/run/user", "0755"}, {"/root", "0700"}} {
			m := tmpfs("ProtectHome", home.path, "ro,mode="+home.mode+","+emptyLimits)
			m.Optional = true
			list = append(list, m)
		}
	}
	if d.BindLogSockets {
		for _, socket := range [...]string{"socket", "stdout", "dev-log"} {
			path := "/run/systemd/journal/" + socket
			list = append(list, Mount{Type: "bind", Source: path, Target: path, ReadOnly: true, Optional: true,
				Options: []string{"nosuid", "nodev", "noexec"}, Setting: "BindLogSockets"})
		}
	}
	slices.SortStableFunc(list, func(a, b Mount) int { return comparePaths(a.Target, b.Target) })
	for _, m := range list {
		d.addMount(m)
	}
}

func (d *deciding) addMount(m Mount) {
	if m.Target == "/" {
		d.contradiction(m.Setting, "cannot mount on /: the container's root is what [root] says")
		return
	}
	if n := len(d.Mounts); n > 0 && d.Mounts[n-1].Target == m.Target {
		d.Mounts[n-1].ReadOnly = d.Mounts[n-1].ReadOnly || m.ReadOnly
		return
	}
	d.Mounts = append(d.Mounts, m)
}

// comparePaths has a directory directly before what is below it.
func comparePaths(a, b string) int {
	return cmp.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}

func bindMount(b Bind) Mount {
	setting := "BindPaths"
	if b.ReadOnly {
		setting = "BindReadOnlyPaths"
	}
	return Mount{Type: "bind", Source: b.Source, Target: b.Target, ReadOnly: b.ReadOnly, Recursive: b.Recursive,
		Optional: b.Optional, Setting: setting}
}

// tmpfs has the options that systemd adds, and of two that contradict each other
// the later one.
func tmpfs(setting, target, options string) Mount {
	m := Mount{Type: "tmpfs", Target: target, Setting: setting}
	for option := range strings.SplitSeq("nodev,strictatime,"+options, ",") {
		switch option {
		case "ro":
			m.ReadOnly = true
		case "rw":
			m.ReadOnly = false
		default:
			m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return optionKey(o) == optionKey(option) })
			m.Options = append(m.Options, option)
		}
	}
	return m
}

// optionKey is the same for options of which one only can hold.
func optionKey(option string) string {
	name, _, _ := strings.Cut(option, "=")
	name = strings.TrimPrefix(name, "no")
	if strings.HasSuffix(name, "atime") && name != "diratime" {
		return "atime"
	}
	if name == "nr_blocks" {
		return "size"
	}
	return name
}

// dropCovered takes away what lies below an inaccessible path, where systemd
// makes nothing either. What was asked for there by name is an error: systemd
// passes over it silently.
func (d *deciding) dropCovered() {
	inaccessible := func(path string) (by PathRule, found bool) {
		for _, r := range d.Paths {
			if r.Access == Inaccessible && within(path, r.Path) {
				return r, true
			}
		}
		return PathRule{}, false
	}
	covered := func(setting, path string) bool {
		by, found := inaccessible(path)
		if found {
			switch setting {
			case "ReadWritePaths", "ExecPaths", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem":
				d.contradiction(setting, "%s cannot be reached: %s makes %s inaccessible", path, by.Setting, by.Path)
			}
		}
		return found
	}
	d.Mounts = slices.DeleteFunc(d.Mounts, func(m Mount) bool { return covered(m.Setting, m.Target) })
	var kept []PathRule
	for _, r := range d.Paths {
		if r.Access == Inaccessible || !covered(r.Setting, r.Path) {
			kept = append(kept, r)
		}
	}
	d.Paths = kept
}
