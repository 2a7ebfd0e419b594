package launcher

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"berth/config"
	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Root is what becomes "/".
type Root struct {
	Type      string   `json:"type"`              // directory, overlay or tmpfs
	Directory string   `json:"directory"`         // on the host; the lower layer of an overlay, where a tmpfs takes /usr from
	ReadOnly  bool     `json:"read_only"`         //
	Hidden    []string `json:"hidden,omitempty"`  // what an overlay leaves out: glob patterns below Directory
	Private   []string `json:"private,omitempty"` // the same, for those only that others may not read
	Lock      Lock     `json:"lock"`              //
}

// Mount is one mount of the container. What the plan's rules put onto it comes
// into the container along with it, and is locked in place and with its flags,
// whatever its own lock is.
type Mount struct {
	Target    string          `json:"target"`
	Type      string          `json:"type"`              // bind, tmpfs, overlay, usr, proc, sysfs, cgroup2, dev, devpts, mqueue, console
	Source    string          `json:"source,omitempty"`  // bind
	Lower     []string        `json:"lower,omitempty"`   // overlay, uppermost first
	Upper     string          `json:"upper,omitempty"`   // overlay; "": in memory
	Private   []string        `json:"private,omitempty"` // as Root.Private
	Work      string          `json:"work,omitempty"`
	Hidden    []string        `json:"hidden,omitempty"`  // overlay: what it leaves out, as Root.Hidden, below its one lower layer
	Flags     []string        `json:"flags,omitempty"`   // ro, nosuid, nodev, noexec …
	Options   []kernel.Option `json:"options,omitempty"` // of the file system
	IDs       *MountIDs       `json:"ids,omitempty"`     // nil: not idmapped
	File      bool            `json:"file,omitempty"`    // a file rather than a directory
	Recursive bool            `json:"recursive,omitempty"`
	Optional  bool            `json:"optional,omitempty"` // left out where its target can't be made
	Setting   string          `json:"setting,omitempty"`  // the setting that asks for it
	Lock      Lock            `json:"lock"`

	Directory   *Directory   `json:"directory,omitempty"`   // a directory that is made for the container
	Credentials []Credential `json:"credentials,omitempty"` // what a tmpfs is filled with
}

// MountIDs maps the IDs on disk to the host's IDs of the container.
type MountIDs struct {
	Map  string         `json:"map"` // identity or owner, as in the file
	UIDs []kernel.IDMap `json:"uids"`
	GIDs []kernel.IDMap `json:"gids"`
}

// root decides what becomes "/".
func (d *draft) root() {
	given := d.Root
	root := &d.plan.Root
	root.Directory, root.ReadOnly = given.Directory, given.ReadOnly
	root.Lock = d.rootLock()
	hosts := given.Directory == ""
	if hosts {
		root.Directory = "/"
	} else if s := d.host.Sources[given.Directory]; s.Err != "" {
		d.fail("root.directory", "cannot use %q as the root: %s", given.Directory, s.Err)
	} else if !s.IsDir {
		d.fail("root.directory", "cannot use %q as the root: not a directory", given.Directory)
	}
	if !hosts && !given.ReadOnly && given.Volatile == config.VolatileNo {
		d.warnSetuid("root.directory", given.Directory)
	}
	switch {
	case given.Volatile == config.VolatileYes:
		root.Type = "tmpfs"
	case given.Volatile == config.VolatileOverlay || hosts:
		root.Type = "overlay"
	default:
		root.Type = "directory"
	}
	if given.Volatile == config.VolatileState {
		root.ReadOnly = true
	}
	if hosts && root.Type == "overlay" {
		root.Hidden, root.Private = d.hidden(), privateOfHost
	}
}

// hidden is what of the host's tree is left out.
func (d *draft) hidden() []string { return slices.Concat(hiddenOfHost, d.host.HiddenTargets) }

// warnSetuid tells about a directory in which the container's root makes files
// as the host's, where other users of the host could execute them.
func (d *draft) warnSetuid(key, source string) {
	if d.host.Sources[source].Open {
		d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf(
			"%s: every user of the host can enter %q: a setuid program that the container's root makes there is one of the host's root; chmod 700 the directory or one above it", key, source))
	}
}

// mounts decides everything that is mounted on the root, parents first.
func (d *draft) mounts() {
	list := d.standardMounts()
	for i, m := range d.Mounts {
		if d.hasConsole() && (m.Target == "/dev/pts" || m.Target == "/dev/console") {
			d.fail(fmt.Sprintf("mounts[%d].target", i), "%s is the container's terminal's, which it has for boot, terminal or berth run on one", m.Target)
		}
		list = slices.DeleteFunc(list, func(o Mount) bool { return o.Target == m.Target })
		list = append(list, d.mount(fmt.Sprintf("mounts[%d]", i), m))
		d.keepAccess(list[len(list)-1])
	}
	list = d.sandboxMounts(list)
	list = d.credentialMounts(d.directoryMounts(list))
	slices.SortStableFunc(list, func(a, b Mount) int { return strings.Count(a.Target, "/") - strings.Count(b.Target, "/") })
	for i, m := range list {
		list[i].Lock = d.lock(m)
	}
	d.plan.Mounts = list
}

// standardMounts is what every container has.
func (d *draft) standardMounts() []Mount {
	var list []Mount
	if d.plan.Root.Type == "tmpfs" {
		list = append(list, Mount{Target: "/usr", Type: "usr", Flags: []string{"ro", "nodev"}, IDs: d.plan.identity()})
	}
	if d.plan.Root.Type == "overlay" && d.Root.Directory == "" {
		for _, dir := range d.host.OSMounts {
			list = append(list, Mount{Target: dir, Type: "overlay", Lower: []string{dir}, Hidden: below(dir, d.hidden()), Private: below(dir, privateOfHost), Flags: []string{"nodev"}, IDs: d.plan.identity()})
		}
	}
	tmpfs := func(target, mode, size string) Mount {
		return Mount{Target: target, Type: "tmpfs", Flags: []string{"nosuid", "nodev"},
			Options: []kernel.Option{{Key: "mode", Value: mode}, {Key: "size", Value: size}}}
	}
	list = append(list,
		Mount{Target: "/proc", Type: "proc", Flags: []string{"nosuid", "nodev", "noexec"}, Options: procOptions(d.decision.Proc)},
		Mount{Target: "/sys", Type: "sysfs", Flags: []string{"ro", "nosuid", "nodev", "noexec"}},
		Mount{Target: "/sys/fs/cgroup", Type: "cgroup2", Flags: []string{"nosuid", "nodev", "noexec"}},
		Mount{Target: "/dev", Type: "dev", Flags: []string{"nosuid", "noexec"}, Options: []kernel.Option{{Key: "mode", Value: "755"}, {Key: "size", Value: "4m"}}},
		Mount{Target: "/dev/pts", Type: "devpts", Flags: []string{"nosuid", "noexec"}, Options: []kernel.Option{{Key: "newinstance"}, {Key: "ptmxmode", Value: "0666"}, {Key: "mode", Value: "0620"}, {Key: "gid", Value: ttyGroup}}},
		tmpfs("/dev/shm", "1777", "10%"),
		Mount{Target: "/dev/mqueue", Type: "mqueue", Flags: []string{"nosuid", "nodev", "noexec"}},
		tmpfs("/run", "755", "20%"),
		tmpfs("/tmp", "1777", "10%"),
	)
	if d.Root.Volatile == config.VolatileState {
		list = append(list, tmpfs("/var", "755", "25%"))
	}
	if d.hasConsole() {
		list = append(list, Mount{Target: "/dev/console", Type: "console", File: true, Flags: []string{"nosuid", "noexec"}})
	}
	if d.Container.Network.Mode == "host" && d.host.Sources[resolvConf].Err == "" {
		list = append(list, Mount{Target: resolvConf, Type: "bind", Source: resolvConf, File: true, Flags: []string{"ro", "nosuid", "nodev", "noexec"}, Optional: true})
	}
	return list
}

const (
	resolvConf = "/etc/resolv.conf"
	ttyGroup   = "5" // the group "tty" has this number in every distribution
)

// hasConsole: a terminal, and an init without one, get /dev/console.
func (d *draft) hasConsole() bool {
	if d.Process.Terminal != nil {
		return *d.Process.Terminal || d.Process.Boot
	}
	return d.options.Terminal || d.Process.Boot
}

// mount converts one entry of [[mounts]].
func (d *draft) mount(key string, m config.Mount) Mount {
	out := Mount{Target: m.Target, Type: m.Type, Source: m.Source, Lower: m.Lower, Upper: m.Upper, Work: m.Work}
	if m.ReadOnly {
		out.Flags = append(out.Flags, "ro")
	}
	out.File = m.Type == "bind" && !d.host.Sources[m.Source].IsDir
	out.Recursive = m.Type == "bind"
	for _, o := range m.Options {
		name, value, _ := strings.Cut(o, "=")
		switch {
		case name == "rbind":
		case name == "norbind":
			out.Recursive = false
		case mountFlags[name] != (flagChange{}):
			out.Flags = append(out.Flags, name)
		default:
			out.Options = append(out.Options, kernel.Option{Key: name, Value: value})
		}
	}
	d.source(key+".source", m.Source, false)
	for _, lower := range m.Lower {
		d.source(key+".source", lower, true)
	}
	d.source(key+".upper", m.Upper, true)
	d.source(key+".work", m.Work, true)
	if m.Type != "tmpfs" {
		out.IDs = d.mountIDs(key, m)
	}
	if m.Type == "bind" && !m.ReadOnly && out.mapsHostRoot() {
		d.warnSetuid(key+".source", m.Source)
	}
	return out
}

// source checks a path of the host that a mount is made of, where there is one;
// a layer of an overlay is a directory.
func (d *draft) source(key, path string, layer bool) {
	if path == "" {
		return
	}
	s := d.host.Sources[path]
	switch {
	case s.Err != "":
		d.fail(key, "cannot mount %q: %s", path, s.Err)
	case layer && !s.IsDir:
		d.fail(key, "cannot mount %q: an overlay's layers are directories", path)
	}
}

// mapsHostRoot tells whether the host's root is somebody in the container, on
// this mount.
func (m Mount) mapsHostRoot() bool {
	return m.IDs != nil && m.IDs.UIDs[0].Container == 0
}

// mountIDs decides how the IDs on disk appear in the container.
func (d *draft) mountIDs(key string, m config.Mount) *MountIDs {
	switch m.IDMap {
	case "identity":
		return d.plan.identity()
	case "owner":
		if !d.plan.Users.MapRoot {
			d.fail(key+".idmap", "owner is about the container's root, which users.map_root = false removes: use identity or no")
			return nil
		}
		source := m.Source
		if m.Type == "overlay" {
			source = path.Clean(m.Lower[len(m.Lower)-1])
		}
		owner, base := d.host.Sources[source], int(d.plan.Users.Base)
		return &MountIDs{Map: "owner",
			UIDs: []kernel.IDMap{{Container: int(owner.UID), Host: base, Size: 1}},
			GIDs: []kernel.IDMap{{Container: int(owner.GID), Host: base, Size: 1}}}
	}
	return nil
}

// openedInside lists the file systems whose instance belongs to a namespace of
// the container, and so has to be opened by a process in it.
func openedInside(mounts []Mount, network string) []string {
	var types []string
	for _, m := range mounts {
		switch m.Type {
		case "sysfs":
			if network == "host" {
				continue // the network namespace is not the container's
			}
			fallthrough
		case "proc", "mqueue", "devpts":
			types = append(types, m.Type)
		}
	}
	return types
}

// flagChange is what a mount flag sets and clears. See mount_setattr(2).
type flagChange struct{ set, clear uint64 }

var mountFlags = map[string]flagChange{
	"ro":          {set: unix.MOUNT_ATTR_RDONLY},
	"nosuid":      {set: unix.MOUNT_ATTR_NOSUID},
	"suid":        {clear: unix.MOUNT_ATTR_NOSUID},
	"nodev":       {set: unix.MOUNT_ATTR_NODEV},
	"dev":         {clear: unix.MOUNT_ATTR_NODEV},
	"noexec":      {set: unix.MOUNT_ATTR_NOEXEC},
	"exec":        {clear: unix.MOUNT_ATTR_NOEXEC},
	"nosymfollow": {set: unix.MOUNT_ATTR_NOSYMFOLLOW},
	"nodiratime":  {set: unix.MOUNT_ATTR_NODIRATIME},
	"noatime":     {set: unix.MOUNT_ATTR_NOATIME, clear: unix.MOUNT_ATTR__ATIME},
	"strictatime": {set: unix.MOUNT_ATTR_STRICTATIME, clear: unix.MOUNT_ATTR__ATIME},
	"relatime":    {set: unix.MOUNT_ATTR_RELATIME, clear: unix.MOUNT_ATTR__ATIME},
}

// attributes adds the flags up.
func attributes(flags []string) kernel.Attr {
	var a kernel.Attr
	for _, f := range flags {
		a.Set |= mountFlags[f].set
		a.Clear |= mountFlags[f].clear
	}
	return a
}
