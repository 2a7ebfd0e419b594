package launcher

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"berth/internal/kernel"
	"berth/sandbox"
)

// Directory is what StateDirectory= and the settings like it add to a mount,
// which is a directory that is made for the container.
//
//   - State, Cache and Logs lie on the host, where systemd puts those of a service
//     with DynamicUser=yes: in PARENT/private, which nobody but root can enter,
//     with a symlink at PARENT/NAME. They belong to the payload's user, with the
//     same numbers on disk as in the container.
//   - Configuration is the host's /etc/NAME, of which the container can change
//     nothing: a file of its root's there would be one of the host's root.
//   - Runtime is a tmpfs of the container's own, so that nothing is left of it
//     however the container ends. With RuntimeDirectoryPreserve= it lies on the
//     host, as State does; what has to share it binds it there.
//
// In the container each is at PARENT/NAME.
type Directory struct {
	Kind     string   `json:"kind"`
	Parent   string   `json:"parent"`             // where those of its kind are
	Name     string   `json:"name"`               // relative to that
	Mode     uint32   `json:"mode"`               // an existing one of the host's configuration keeps its own
	Public   string   `json:"public,omitempty"`   // symlink on the host that leads to it
	Symlinks []string `json:"symlinks,omitempty"` // in the container, beside Name
	Below    []Below  `json:"below,omitempty"`    // others of its kind that lie in it
	Forget   bool     `json:"forget,omitempty"`   // it goes with the container's last restart
}

// Below is a directory in another one, which needs no mount of its own.
type Below struct {
	Name     string   `json:"name"` // relative to the other
	Mode     uint32   `json:"mode"`
	Symlinks []string `json:"symlinks,omitempty"` // beside the other
}

// directoryKinds says where the directories of a kind are, and which variable
// tells the payload.
var directoryKinds = map[string]struct{ parent, variable string }{
	"State":         {"/var/lib", "STATE_DIRECTORY"},
	"Cache":         {"/var/cache", "CACHE_DIRECTORY"},
	"Logs":          {"/var/log", "LOGS_DIRECTORY"},
	"Runtime":       {"/run", "RUNTIME_DIRECTORY"},
	"Configuration": {"/etc", "CONFIGURATION_DIRECTORY"},
}

// directoryMounts adds the directories of the settings to the mounts. What is
// mounted at the same place for a reason of its own stays.
func (d *draft) directoryMounts(list []Mount) []Mount {
	for _, dir := range d.settings.Directories {
		if d.outer(dir) != nil {
			if dir.ReadOnly {
				d.keepAccess(Mount{Target: path.Join(directoryKinds[dir.Kind].parent, dir.Name), Flags: []string{"ro"}, Setting: dir.Kind + "Directory"})
			}
			continue
		}
		m := d.directoryMount(dir)
		if slices.ContainsFunc(list, func(o Mount) bool { return o.Target == m.Target }) {
			continue
		}
		if private := path.Join(m.Directory.Parent, privateName); m.Directory.Public != "" && d.showsHost() &&
			!slices.ContainsFunc(list, func(o Mount) bool { return o.Target == private }) {
			// The host's symlink leads there, and its own directory is closed.
			list = append(list, emptyDirectory(private))
		}
		list = append(list, m)
		d.keepAccess(m)
	}
	return list
}

// privateName is the directory that keeps others of the host out. See
// systemd.exec(5), DynamicUser=.
const privateName = "private"

// showsHost tells whether the container's root is the host's own tree.
func (d *draft) showsHost() bool { return d.Root.Directory == "" && d.plan.Root.Type == "overlay" }

// emptyDirectory holds mount points.
func emptyDirectory(target string) Mount {
	return Mount{Target: target, Type: "tmpfs", Flags: []string{"nosuid", "nodev", "noexec"},
		Options: []kernel.Option{{Key: "mode", Value: "755"}, {Key: "size", Value: "64k"}}}
}

func (d *draft) directoryMount(dir sandbox.Directory) Mount {
	parent := directoryKinds[dir.Kind].parent
	m := Mount{
		Target: path.Join(parent, dir.Name), Type: "bind", Recursive: true,
		Flags: []string{"nosuid", "nodev"}, Setting: dir.Kind + "Directory",
		Directory: &Directory{Kind: dir.Kind, Parent: parent, Name: dir.Name, Mode: dir.Mode, Symlinks: dir.Symlinks, Below: d.below(dir)},
	}
	if dir.ReadOnly || dir.Kind == "Configuration" {
		m.Flags = append(m.Flags, "ro")
	}
	switch {
	case dir.Kind == "Runtime" && (dir.Preserve == "no" || dir.Preserve == ""):
		m.Type, m.Recursive = "tmpfs", false
		m.Options = []kernel.Option{{Key: "mode", Value: fmt.Sprintf("%o", dir.Mode)}, {Key: "size", Value: "10%"}}
	case dir.Kind == "Configuration":
		m.Source, m.IDs = m.Target, d.plan.identity()
	default:
		m.Source, m.IDs = path.Join(parent, privateName, dir.Name), d.plan.identity()
		m.Directory.Public = m.Target
		m.Directory.Forget = dir.Preserve == "restart"
	}
	return m
}

// outer returns the outermost other directory of the settings that one lies in,
// nil for none.
func (d *draft) outer(dir sandbox.Directory) *sandbox.Directory {
	var found *sandbox.Directory
	for i, o := range d.settings.Directories {
		if o.Kind == dir.Kind && strings.HasPrefix(dir.Name, o.Name+"/") && (found == nil || len(o.Name) < len(found.Name)) {
			found = &d.settings.Directories[i]
		}
	}
	return found
}

// below lists the directories of the settings that lie in one, outer ones first.
func (d *draft) below(outer sandbox.Directory) []Below {
	var list []Below
	for _, dir := range d.settings.Directories {
		if name, ok := strings.CutPrefix(dir.Name, outer.Name+"/"); ok && dir.Kind == outer.Kind {
			list = append(list, Below{Name: name, Mode: dir.Mode, Symlinks: dir.Symlinks})
		}
	}
	slices.SortStableFunc(list, func(a, b Below) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// directoryVariables tell the payload where its directories are, in the order that
// systemd gives them: a directory, what lies in it, the next one.
func (d *draft) directoryVariables() []string {
	var env []string
	directories := slices.SortedStableFunc(slices.Values(d.settings.Directories), func(a, b sandbox.Directory) int {
		return strings.Compare(strings.ReplaceAll(a.Name, "/", "\x00"), strings.ReplaceAll(b.Name, "/", "\x00"))
	})
	for _, dir := range directories {
		kind := directoryKinds[dir.Kind]
		where := path.Join(kind.parent, dir.Name)
		i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, kind.variable+"=") })
		if i < 0 {
			env = append(env, kind.variable+"="+where)
		} else if !slices.Contains(strings.Split(env[i][len(kind.variable)+1:], ":"), where) {
			env[i] += ":" + where
		}
	}
	return env
}
