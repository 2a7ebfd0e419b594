package launcher

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"berth/config"
	"berth/internal/kernel"
	"berth/sandbox"
	"berth/sandbox/seccomp"
)

// parseSandbox reads the settings of [sandbox], the profile's first, each value as
// one line of a unit file.
func parseSandbox(c *config.Container) (*sandbox.Settings, config.Errors) {
	settings, errs := sandbox.New(), config.Errors(nil)
	for _, s := range c.Sandbox {
		for _, value := range s.Values {
			if err := settings.Set(s.Name, value); err != nil {
				errs = append(errs, config.Error{Pos: s.Pos, Key: "sandbox." + s.Name, Msg: sandboxError(s.Name, err).Error()})
				if _, err := sandbox.Lookup(s.Name); err != nil {
					break // no value is right
				}
			}
		}
	}
	return settings, errs
}

// sandbox decides what the settings come to on this host.
func (d *draft) sandbox() {
	var errs config.Errors
	d.settings, errs = parseSandbox(d.Container)
	d.errors = append(d.errors, errs...)
	decision, problems := d.settings.Decide(sandbox.Facts{
		SystemdVersion: d.host.SystemdVersion, MDWE: d.host.MDWE, BPFLSM: d.host.BPFLSM, Nodes: d.host.Nodes,
		Unprivileged: !isRoot(d.Process.User),
	})
	d.decision = decision
	for _, p := range problems {
		e := config.Error{Pos: d.sandboxPos(p.Setting), Key: "sandbox." + p.Setting, Msg: p.Reason}
		if p.Contradiction {
			d.errors = append(d.errors, e)
		} else {
			d.unenforceable(e)
		}
	}
	if decision.Namespaces.Network && d.Network.Mode != "private" {
		d.errors = append(d.errors, config.Error{Pos: d.sandboxPos("PrivateNetwork"), Key: "sandbox.PrivateNetwork",
			Msg: "contradicts network.mode = \"" + d.Network.Mode + "\""})
	}
	d.plan.Filter = decision.Filter
	d.plan.Rules = slices.Concat(containerRules(), decision.Paths)
}

// isRoot tells whether a process.user is root for sure.
func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name == "" || name == "root" || name == "0"
}

// sandboxPos is where a setting was given last, in the file or its profile.
func (d *draft) sandboxPos(name string) config.Position {
	for _, s := range slices.Backward(d.Container.Sandbox) {
		if s.Name == name {
			return s.Pos
		}
	}
	return d.Pos("sandbox")
}

// given tells whether a setting of [sandbox] stands in the file or its profile.
func (d *draft) given(name string) bool {
	return slices.ContainsFunc(d.Container.Sandbox, func(s config.Setting) bool { return s.Name == name })
}

// containerRules hold in every container: the paths of /proc and /sys that tell
// about the host or change it, as OCI runtimes and systemd-nspawn mask them.
func containerRules() []sandbox.PathRule {
	var rules []sandbox.PathRule
	rule := func(access sandbox.Access, paths ...string) {
		for _, p := range paths {
			rules = append(rules, sandbox.PathRule{Path: p, Access: access, Optional: true})
		}
	}
	rule(sandbox.Inaccessible, "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/kallsyms", "/proc/kmsg",
		"/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/proc/interrupts",
		"/sys/firmware", "/sys/devices/virtual/powercap")
	rule(sandbox.ReadOnly, "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger", "/proc/mtrr")
	return rules
}

// sandboxMounts adds what settings mount, in place of what stands there.
func (d *draft) sandboxMounts(list []Mount) []Mount {
	for _, m := range d.decision.Mounts {
		if source := d.host.Sources[m.Source]; m.Type == "bind" && source.Err != "" {
			if !m.Optional {
				d.errors = append(d.errors, config.Error{Pos: d.sandboxPos(m.Setting), Key: "sandbox." + m.Setting,
					Msg: "cannot mount \"" + m.Source + "\": " + source.Err})
			}
			continue
		}
		mount := d.sandboxMount(m)
		list = slices.DeleteFunc(list, func(o Mount) bool { return o.Target == m.Target })
		list = append(list, mount)
		d.keepAccess(mount)
	}
	return list
}

func (d *draft) sandboxMount(m sandbox.Mount) Mount {
	out := Mount{Target: m.Target, Type: m.Type, Source: m.Source, Flags: []string{"nosuid", "nodev"}, Setting: m.Setting,
		Recursive: m.Recursive,
		// Without the directory there is nothing to put it on, and nothing to see.
		Optional: m.Optional || m.Setting == "PrivateTmp"}
	if m.ReadOnly {
		out.Flags = append(out.Flags, "ro")
	}
	for _, o := range m.Options {
		key, value, _ := strings.Cut(o, "=")
		switch {
		case mountFlags[key] != (flagChange{}):
			out.Flags = append(out.Flags, key)
		case key == "rw":
		default:
			out.Options = append(out.Options, kernel.Option{Key: key, Value: value})
		}
	}
	if m.Type == "bind" {
		out.File = !d.host.Sources[m.Source].IsDir
		out.IDs = d.plan.identity()
	}
	return out
}

// keepAccess lets a mount that was asked for be what it was asked for, whatever
// holds for the path that it is mounted on.
func (d *draft) keepAccess(m Mount) {
	access := sandbox.ReadWrite
	if slices.Contains(m.Flags, "ro") && !d.plan.lifts(d.lock(m)) { // else it is for the mount alone to say
		access = sandbox.ReadOnly
	}
	d.plan.Rules = append(d.plan.Rules, sandbox.PathRule{Path: m.Target, Access: access, Optional: true})
}

func procOptions(p sandbox.ProcOptions) []kernel.Option {
	var options []kernel.Option
	if p.HidePID != "" {
		options = append(options, kernel.Option{Key: "hidepid", Value: p.HidePID})
	}
	if p.Subset != "" {
		options = append(options, kernel.Option{Key: "subset", Value: p.Subset})
	}
	return options
}

// limits are the container's resource limits: the defaults, and what settings
// change.
func (d *draft) limits() []kernel.Rlimit {
	limits := defaultRlimits()
	for _, name := range slices.Sorted(maps.Keys(d.decision.Limits)) {
		limit := d.decision.Limits[name]
		limits = slices.DeleteFunc(limits, func(l kernel.Rlimit) bool { return l.Name == name })
		limits = append(limits, kernel.Rlimit{Name: name, Soft: limit.Soft, Hard: limit.Hard})
	}
	slices.SortFunc(limits, func(a, b kernel.Rlimit) int { return strings.Compare(a.Name, b.Name) })
	return limits
}

// filterCache is where compiled filters stay.
const filterCache = "/var/cache/berth/filters"

// loadFilters begins to do so. The function that it returns waits for them.
func loadFilters(layers []seccomp.Layer) func() ([]kernel.Filter, error) {
	load := sync.OnceValues(func() ([]kernel.Filter, error) { return filters(layers) })
	go load()
	return load
}

// filters compiles them, or takes them from the cache.
func filters(layers []seccomp.Layer) ([]kernel.Filter, error) {
	programs, err := seccomp.Cache{Dir: filterCache}.Load(layers)
	if err != nil {
		return nil, cannot("make the filter of system calls", err)
	}
	list := make([]kernel.Filter, len(programs))
	for i, p := range programs {
		list[i] = kernel.Filter{Code: p.Code, Flags: p.Flags}
	}
	return list, nil
}
