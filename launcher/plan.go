package launcher

import (
	"fmt"
	"math"
	"slices"

	"berth/config"
	"berth/idpool"
	"berth/internal/fsguard"
	"berth/internal/kernel"
	"berth/internal/nsinit"
	"berth/mountguard"
	"berth/sandbox"
	"berth/sandbox/seccomp"
	"berth/units"
)

// Plan is all that a start will do. It is made without side effects, can be
// printed and compared, and is carried out without further decisions.
type Plan struct {
	Name        string             `json:"name"`
	File        string             `json:"file"`
	Description string             `json:"description"`
	Unit        Unit               `json:"unit"`
	Users       Users              `json:"users"`
	Root        Root               `json:"root"`
	Mounts      []Mount            `json:"mounts"`                 // in the order in which they are made
	Rules       []sandbox.PathRule `json:"rules"`                  // what paths may be used for
	Filter      []seccomp.Layer    `json:"filter"`                 // of system calls
	FileSystems *fsguard.Rule      `json:"file_systems,omitempty"` // whose files may be opened; nil: all
	Guard       mountguard.Policy  `json:"guard"`                  // of the initial mounts
	Traps       []string           `json:"traps,omitempty"`        // the system calls that the guard is asked about; none: the filter denies them all, or it is off
	Network     string             `json:"network"`
	StopSignal  int                `json:"stop_signal"`
	Log         Log                `json:"log"`
	Setup       nsinit.Setup       `json:"-"`                  // the OCI process has it
	Warnings    []string           `json:"warnings,omitempty"` // what the user should know, among it what --best-effort goes on without
}

// Unit is the transient scope.
type Unit struct {
	Scope       string           `json:"scope"`
	Slice       string           `json:"slice"`    // "": among the properties
	Delegate    bool             `json:"delegate"` // its cgroup's children are the container's
	CollectMode string           `json:"collect_mode"`
	Properties  []units.Property `json:"properties"`
}

// Users is the user namespace: IDs 0 … Size-1 inside are Base … Base+Size-1 on
// the host.
type Users struct {
	Base    uint32 `json:"base"`
	Size    uint32 `json:"size"`
	MapRoot bool   `json:"map_root"` // false: neither 0 inside nor Base outside is mapped
	Host    bool   `json:"host"`     // no user namespace: IDs inside are the host's own
}

// Maps are the lines of uid_map and gid_map.
func (u Users) Maps() []kernel.IDMap {
	if u.Host {
		return nil
	}
	first := 0
	if !u.MapRoot {
		first = 1
	}
	return []kernel.IDMap{{Container: first, Host: int(u.Base) + first, Size: int(u.Size) - first}}
}

// Options are what the command line adds to a file.
type Options struct {
	Terminal   bool   // berth has a terminal on stdin and stdout
	Term       string // its TERM
	BestEffort bool   // go on without what the host can't enforce
}

// MakePlan decides everything about a start. Its errors are config.Errors, each
// at the position of the key it is about.
func MakePlan(c *config.Container, host Host, block idpool.Block, o Options) (*Plan, error) {
	p := &Plan{
		Name: c.Name, File: c.File, Description: c.Description,
		Users:   Users{Base: block.Base, Size: block.Size, MapRoot: c.Users.MapRoot, Host: c.Users.Map == "host"},
		Network: c.Network.Mode,
	}
	if p.Users.Host {
		p.Users.Size = math.MaxUint32
	}
	if p.Description == "" {
		p.Description = "Container " + c.Name
	}
	d := &draft{Container: c, host: host, options: o, plan: p}
	d.sandbox()
	d.guard()
	d.unit()
	d.root()
	d.mounts()
	d.fileSystems()
	d.process()
	d.log()
	if len(d.errors) > 0 {
		d.errors.Sort()
		return nil, d.errors
	}
	return p, nil
}

// draft is a plan in the making.
type draft struct {
	*config.Container
	host    Host
	options Options
	plan    *Plan
	errors  config.Errors

	settings *sandbox.Settings // of [sandbox], over the profile's
	decision *sandbox.Decision // what they come to
}

// fail notes what is wrong with a key of the file.
func (d *draft) fail(key, format string, args ...any) {
	d.errors = append(d.errors, config.Error{Pos: d.Pos(key), Key: key, Msg: fmt.Sprintf(format, args...)})
}

// unenforceable is a setting that this host can't enforce: an error, unless
// going on without it was asked for.
func (d *draft) unenforceable(e config.Error) {
	if d.options.BestEffort {
		d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s: not enforced: %s", e.Key, e.Msg))
		return
	}
	e.Msg += "; --best-effort goes on without it"
	d.errors = append(d.errors, e)
}

// ScopeName is the unit of a container's payload.
func ScopeName(name string) string { return "berth-" + name + ".scope" }

// unit decides the scope's properties.
func (d *draft) unit() {
	u := &d.plan.Unit
	u.Scope, u.Slice = ScopeName(d.Name), "machine.slice"
	u.Delegate, u.CollectMode = true, "inactive-or-failed"
	given := map[string]bool{}
	for _, s := range d.Resources {
		given[s.Name] = true
		if s.Name == "DevicePolicy" && d.decision.Devices.Closed && s.Values[len(s.Values)-1] == "auto" {
			s.Values = append(slices.Clip(s.Values), "closed") // as PrivateDevices has it in systemd
		}
		d.property(s)
	}
	if !given["DevicePolicy"] {
		u.Properties = append(u.Properties, units.NewProperty("DevicePolicy", "closed"))
	}
	if devices := d.decision.Devices.Allow; len(devices) > 0 {
		d.property(config.Setting{Name: "DeviceAllow", Values: devices})
	}
	if given["Slice"] {
		u.Slice = "" // among the properties
	}
}

// property converts one setting of [resources].
func (d *draft) property(s config.Setting) {
	wrong := func(err error) {
		d.errors = append(d.errors, config.Error{Pos: s.Pos, Key: "resources." + s.Name, Msg: err.Error()})
	}
	setting, err := lookupResource(s.Name)
	if err != nil {
		wrong(err)
		return
	}
	properties, err := setting.Convert(s.Values)
	if err != nil {
		wrong(err)
		return
	}
	for _, pin := range pins(s) {
		if source := d.host.Sources[pin]; source.Err != "" {
			// systemd 262 goes on without it.
			wrong(fmt.Errorf("no BPF program is pinned at %q: %s", pin, source.Err))
			return
		}
	}
	if reason := d.host.cannotEnforce(setting); reason != "" {
		d.unenforceable(config.Error{Pos: s.Pos, Key: "resources." + s.Name, Msg: reason})
		if setting.Since > oldestSystemd && d.host.SystemdVersion < setting.Since {
			return // this systemd would refuse it
		}
	}
	d.plan.Unit.Properties = append(d.plan.Unit.Properties, properties...)
}

// process decides what runs, and as what.
func (d *draft) process() {
	c := d.Container
	p := nsinit.Process{
		Args:       c.Process.Command,
		User:       c.Process.User,
		Dir:        c.Process.WorkingDirectory,
		Terminal:   d.options.Terminal,
		Boot:       c.Process.Boot,
		IDs:        d.plan.Users.Size,
		Attributes: d.decision.Process,
		Limits:     d.limits(),
	}
	if c.Process.Terminal != nil {
		p.Terminal = *c.Process.Terminal
	}
	if c.Process.Boot {
		p.Args = append([]string{initProgram}, p.Args...)
	}
	if c.Network.Mode != "private" {
		p.Attributes.Bounding &^= networkCapabilities
		p.Attributes.Ambient &^= networkCapabilities
	}
	if !d.given("IgnoreSIGPIPE") {
		p.Attributes.IgnoreSIGPIPE = false // programs at a terminal count on it
	}
	p.Env, p.Unset = d.environment(environment(c, p.Terminal, d.options.Term))
	signal, err := config.Signal(c.Process.StopSignal)
	if err != nil {
		d.fail("process.stop_signal", "%s", err)
	}
	d.plan.StopSignal = signal
	d.plan.Setup = nsinit.Setup{
		Root:     stageRoot,
		Scope:    d.plan.Unit.Scope,
		Slave:    d.plan.Users.Host,
		Hostname: c.Process.Hostname,
		Loopback: c.Network.Mode == "private",
		OpenFS:   openedInside(d.plan.Mounts, c.Network.Mode),
		Process:  p,
	}
}
