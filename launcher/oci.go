package launcher

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"berth/internal/kernel"
	"berth/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Annotations of berth's own in an OCI spec. Those of a mount have its target
// appended, as in "berth.lock:/proc".
const (
	annotateUser       = "berth.user"            // process.user, where its numbers stand in the container's own database
	annotateStopSignal = "berth.stop-signal"     // a number
	annotateRoot       = "berth.root"            // the Root of the plan, where OCI has no word for it
	annotateRootIDs    = "berth.root.ids"        // MountIDs of the root
	annotateLock       = "berth.lock:"           // Lock of a mount, or of what a rule makes
	annotateMount      = "berth.mount:"          // the Mount of the plan, where OCI has no word for it
	annotateRule       = "berth.rule:"           // a rule for a path, where OCI has no word for it
	annotateSystemd    = "org.systemd.property." // crun's and runc's: a property of the scope, in GVariant text format
)

// noUser stands for a user or group that only the container's own database
// can number: nobody, so that a runtime which knows nothing of the annotation
// doesn't run the payload as root.
const noUser = 65534

// OCI renders the plan in the words of the OCI runtime specification, for
// people and programs that know these. Nothing reads it back.
//
// What the specification can't express is left out or rendered as something
// that allows less, and annotated:
//
//   - An overlay or tmpfs as the root is its directory, read-only; files that
//     the overlay hides are masked paths, but for glob patterns.
//   - A root can't be ID-mapped, and neither can the layers of an overlay: all
//     of their files belong to nobody. An overlay with one layer and its changes
//     in memory is an ID-mapped read-only bind mount of the layer.
//   - Mounts aren't locked: a runtime makes them in the container's own
//     namespaces, where a root with CAP_SYS_ADMIN may change and unmount them
//     all, masks too.
//   - Rules that loosen what holds above them, or that forbid programs to be
//     executed, are missing.
//   - Filters of system calls are missing: the kernel takes the strictest answer
//     of several, and the specification has one. They stand in the plan.
//   - Attributes such as scheduling and personality are missing.
//   - A user by name is nobody, and its groups are missing. PATH, HOME, SHELL,
//     USER and LOGNAME, where the file doesn't set them, come from the
//     container's user database when it starts.
//   - The console of an init without a terminal is missing.
//   - Limits in percent depend on the machine, DeviceAllow= on its device
//     numbers, and IPAddressDeny= and its like have no counterpart: they are
//     systemd properties only. crun refuses those that are lists of structures.
//   - The host's own tree is the root "/", which pivot_root(2) refuses: bind it
//     somewhere else to run it. crun 1.8, of Debian 12, refuses the version too.
//   - Keyrings, the sub-cgroup of the payload and the loopback interface are
//     each runtime's own.
func (p *Plan) OCI() *specs.Spec {
	annotations := map[string]string{annotateStopSignal: strconv.Itoa(p.StopSignal)}
	r := &ociRender{Plan: p, annotations: annotations}
	return &specs.Spec{
		Version:     specs.Version,
		Process:     r.process(),
		Root:        r.root(),
		Hostname:    p.Setup.Hostname,
		Mounts:      r.mounts(),
		Linux:       r.linux(),
		Annotations: annotations,
	}
}

// ociRender is a rendering in the making.
type ociRender struct {
	*Plan
	annotations map[string]string
	masked      []string // beside those of the mounts
}

// annotate notes what stands in the plan, as JSON.
func (r *ociRender) annotate(key string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic("internal error: " + err.Error()) // plain data
	}
	r.annotations[key] = string(data)
}

func (r *ociRender) process() *specs.Process {
	p := r.Setup.Process
	user, known := ociUser(p.User)
	user.Umask = &p.Attributes.UMask
	if !known {
		r.annotations[annotateUser] = p.User
	}
	rlimits := make([]specs.POSIXRlimit, len(p.Limits))
	for i, l := range p.Limits {
		rlimits[i] = specs.POSIXRlimit{Type: l.Name, Soft: l.Soft, Hard: l.Hard}
	}
	return &specs.Process{
		Terminal:        p.Terminal,
		User:            user,
		Args:            p.Args,
		Env:             p.Env,
		Cwd:             p.Dir,
		Capabilities:    ociCapabilities(p.Attributes, user.UID),
		Rlimits:         rlimits,
		NoNewPrivileges: p.Attributes.NoNewPrivileges,
		OOMScoreAdj:     p.Attributes.OOMScoreAdjust,
	}
}

// ociUser reads USER[:GROUP]. A group that isn't given is the user's own, which
// is known of root alone; known tells whether both numbers are.
func ociUser(spec string) (user specs.User, known bool) {
	name, group, given := strings.Cut(spec, ":")
	var knowsUser, knowsGroup bool
	user.UID, knowsUser = ociID(name)
	if !given && user.UID == 0 {
		group = name
	}
	if user.GID, knowsGroup = ociID(group); !given && user.UID != 0 {
		user.GID, knowsGroup = noUser, false
	}
	return user, knowsUser && knowsGroup
}

// ociID reads the number of a user or group; root is 0 everywhere.
func ociID(name string) (id uint32, known bool) {
	if name == "" || name == "root" {
		return 0, true
	}
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return noUser, false
	}
	return uint32(n), true
}

// ociCapabilities are those that the payload has after its exec: root gains what
// the bounding set leaves, any other user the ambient ones.
// See capabilities(7).
func ociCapabilities(a kernel.Attributes, uid uint32) *specs.LinuxCapabilities {
	c := &specs.LinuxCapabilities{Bounding: a.Bounding.Names()}
	switch {
	case uid == 0:
		c.Effective, c.Permitted = a.Bounding.Names(), a.Bounding.Names()
	case a.Ambient != 0:
		c.Effective, c.Permitted = a.Ambient.Names(), a.Ambient.Names()
	}
	if a.Ambient != 0 {
		c.Inheritable, c.Ambient = a.Ambient.Names(), a.Ambient.Names()
	}
	return c
}

func (r *ociRender) root() *specs.Root {
	root := r.Plan.Root
	r.annotate(annotateRootIDs, r.identity())
	r.annotations[annotateLock+"/"] = string(root.Lock)
	if root.Type == "directory" {
		return &specs.Root{Path: root.Directory, Readonly: root.ReadOnly || at(r.Rules, "/").access == sandbox.ReadOnly}
	}
	r.annotate(annotateRoot, root)
	r.hide("", root.Hidden)
	return &specs.Root{Path: root.Directory, Readonly: true}
}

// hide masks what an overlay leaves out. A runtime takes no glob patterns.
func (r *ociRender) hide(below string, patterns []string) {
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, `*?[\`) {
			r.masked = append(r.masked, below+pattern)
		}
	}
}

func (r *ociRender) linux() *specs.Linux {
	maps := ociMaps(r.Users.Maps())
	slice := r.Unit.Slice
	if slice == "" {
		slice = r.givenSlice()
	}
	linux := &specs.Linux{
		UIDMappings: maps,
		GIDMappings: maps,
		// The systemd form: slice, prefix and name of the scope.
		CgroupsPath: slice + ":berth:" + r.Name,
		Namespaces:  ociNamespaces(r.Plan),
		Devices:     ociDevices(),
		Resources:   r.resources(),
		MaskedPaths: r.masked,
	}
	for _, rule := range r.Rules {
		r.rule(linux, rule)
	}
	return linux
}

// rule renders what a path may be used for. A runtime has no words for what is
// to stay writable below, or not to be executed.
func (r *ociRender) rule(linux *specs.Linux, rule sandbox.PathRule) {
	isMount := slices.ContainsFunc(r.Mounts, func(m Mount) bool { return m.Target == rule.Path })
	if !isMount && !r.Users.Host && (rule.Access == sandbox.Inaccessible || rule.Access == sandbox.ReadOnly) {
		r.annotations[annotateLock+rule.Path] = string(LockBoth)
	}
	switch {
	case rule.Path == "/" && rule.Access == sandbox.ReadOnly:
		// The root's own flag.
	case rule.Access == sandbox.Inaccessible:
		linux.MaskedPaths = append(linux.MaskedPaths, rule.Path)
	case rule.Access == sandbox.ReadOnly && !isMount:
		linux.ReadonlyPaths = append(linux.ReadonlyPaths, rule.Path)
	case isMount && rule.Setting == "":
	default:
		r.annotate(annotateRule+rule.Path, rule)
	}
}

func ociNamespaces(p *Plan) []specs.LinuxNamespace {
	namespaces := []specs.LinuxNamespace{
		{Type: specs.MountNamespace}, {Type: specs.PIDNamespace},
		{Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.CgroupNamespace},
	}
	if !p.Users.Host {
		namespaces = append(namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	if p.Network == "private" {
		namespaces = append(namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	}
	return namespaces
}

func ociMaps(maps []kernel.IDMap) []specs.LinuxIDMapping {
	out := make([]specs.LinuxIDMapping, len(maps))
	for i, m := range maps {
		out[i] = specs.LinuxIDMapping{ContainerID: uint32(m.Container), HostID: uint32(m.Host), Size: uint32(m.Size)}
	}
	return out
}

func ociDevices() []specs.LinuxDevice {
	list := make([]specs.LinuxDevice, len(devices))
	for i, d := range devices {
		mode, root := fs.FileMode(0o666), uint32(0)
		list[i] = specs.LinuxDevice{
			Path: "/dev/" + d.name, Type: "c", Major: int64(d.major), Minor: int64(d.minor),
			FileMode: &mode, UID: &root, GID: &root,
		}
	}
	return list
}

func (r *ociRender) mounts() []specs.Mount {
	var list []specs.Mount
	for _, m := range r.Mounts {
		r.annotations[annotateLock+m.Target] = string(m.Lock)
		if mount, ok := r.mount(m); ok {
			list = append(list, mount)
		}
	}
	return list
}

// mount converts one; not ok where a runtime makes it by itself.
func (r *ociRender) mount(m Mount) (mount specs.Mount, ok bool) {
	mount = specs.Mount{Destination: m.Target, Type: m.Type, Source: m.Type, Options: slices.Clone(m.Flags)}
	for _, o := range m.Options {
		option := o.Key
		if o.Value != "" {
			option += "=" + o.Value
		}
		mount.Options = append(mount.Options, option)
	}
	switch m.Type {
	case "console", "usr":
		return mount, false
	case "cgroup2":
		mount.Type, mount.Source = "cgroup", "cgroup" // of either version
	case "dev":
		mount.Type, mount.Source = "tmpfs", "tmpfs"
	case "bind":
		ociBind(&mount, m, m.Source)
	case "overlay":
		r.annotate(annotateMount+m.Target, m)
		r.hide(m.Target, m.Hidden)
		ociOverlay(&mount, m)
	}
	return mount, true
}

// ociBind makes it a bind mount of source. berth's flags hold for all of a
// tree, which OCI says with an r before them.
func ociBind(mount *specs.Mount, m Mount, source string) {
	mount.Type, mount.Source = "bind", source
	kind, prefix := "bind", ""
	if m.Recursive {
		kind, prefix = "rbind", "r"
	}
	options := []string{kind, prefix + "private"}
	for _, flag := range mount.Options {
		options = append(options, prefix+flag)
	}
	mount.Options = options
	if m.IDs != nil {
		mount.Options = append(mount.Options, prefix+"idmap")
		mount.UIDMappings, mount.GIDMappings = ociMaps(m.IDs.UIDs), ociMaps(m.IDs.GIDs)
	}
}

// ociOverlay: with its changes in memory it can be read at least.
func ociOverlay(mount *specs.Mount, m Mount) {
	if m.Upper == "" && !slices.Contains(mount.Options, "ro") {
		mount.Options = append(mount.Options, "ro")
	}
	if m.Upper == "" && len(m.Lower) == 1 {
		ociBind(mount, m, m.Lower[0])
		return
	}
	mount.Options = append(mount.Options, "lowerdir="+strings.Join(m.Lower, ":"))
	if m.Upper != "" {
		mount.Options = append(mount.Options, fmt.Sprint("upperdir=", m.Upper), fmt.Sprint("workdir=", m.Work))
	}
}
