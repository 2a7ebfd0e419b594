package launcher

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"berth/config"
	"berth/sandbox"
	"berth/units"
)

// group is a part of a unit file: assignments that stand together, for a reason.
type group struct {
	section string // Unit or Service
	reason  string // one line, or ""
	lines   []assignment
}

type assignment struct {
	name, value string
	newer       int // the systemd version that the setting needs, 0 if the one asked has it
}

// EquivalentService renders a container as the service that comes nearest to it,
// a unit file for a version of systemd: the settings of [sandbox] and [resources]
// as they are, the profile's first, and behind them in settings of systemd's what
// berth does in every container. What systemd has no setting for is missing, as
// is what can't matter to a score: environment, mounts, the network's set-up.
func EquivalentService(c *config.Container, version int) (string, error) {
	groups, err := equivalent(c, version)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	section := ""
	for _, g := range groups {
		if g.section != section {
			section = g.section
			fmt.Fprintf(&b, "[%s]\n", section)
		}
		if g.reason != "" {
			fmt.Fprintf(&b, "# %s\n", g.reason)
		}
		for _, l := range g.lines {
			if l.newer > 0 {
				fmt.Fprintf(&b, "# for systemd %d and newer: ", l.newer)
			}
			fmt.Fprintf(&b, "%s=%s\n", l.name, l.unitValue())
		}
	}
	return b.String(), nil
}

// equivalent decides which lines the file has.
func equivalent(c *config.Container, version int) ([]group, error) {
	settings, errs := parseSandbox(c)
	if len(errs) > 0 {
		return nil, errs
	}
	e := &equivalentUnit{Container: c, settings: settings, version: version}
	e.add("Unit", "", assignment{name: "Description", value: e.title()})
	e.add("Service", "", e.process()...)
	e.add("Service", "[sandbox], the profile's settings first", e.given(c.Sandbox, sandboxSince)...)
	e.add("Service", "[resources]", e.given(c.Resources, resourceSince)...)
	e.construction()
	return e.groups, nil
}

// equivalentUnit is a unit file in the making.
type equivalentUnit struct {
	*config.Container
	settings *sandbox.Settings
	version  int
	groups   []group
}

// add adds a group that has lines.
func (e *equivalentUnit) add(section, reason string, lines ...assignment) {
	if len(lines) > 0 {
		e.groups = append(e.groups, group{section, reason, lines})
	}
}

func (e *equivalentUnit) title() string {
	if e.Description != "" {
		return e.Description
	}
	return "Container " + e.Name
}

// process is who runs what.
func (e *equivalentUnit) process() []assignment {
	args := e.Process.Command
	if e.Process.Boot {
		args = append([]string{initProgram}, args...)
	}
	lines := []assignment{{name: "ExecStart", value: execStart(args)}}
	user, userGroup, _ := strings.Cut(e.Process.User, ":")
	if user != "" {
		lines = append(lines, assignment{name: "User", value: user})
	}
	if userGroup != "" {
		lines = append(lines, assignment{name: "Group", value: userGroup})
	}
	return lines
}

// given are settings of the file and of its profile.
func (e *equivalentUnit) given(settings []config.Setting, since func(name string) int) []assignment {
	var lines []assignment
	for _, s := range settings {
		newer := since(s.Name)
		if newer <= e.version {
			newer = 0
		}
		for _, value := range s.Values {
			lines = append(lines, assignment{s.Name, olderWord(s.Name, value, e.version), newer})
		}
	}
	return lines
}

func sandboxSince(name string) int {
	s, _ := sandbox.Lookup(name)
	return s.Since
}

func resourceSince(name string) int {
	s, _ := units.Lookup(name)
	return s.Since
}

// olderWord puts what an older systemd knows in place of a word that it doesn't
// know yet, or doesn't take: these settings were booleans before they had words.
func olderWord(name, value string, version int) string {
	switch {
	case name == "PrivateTmp" && version < 257 && value == "disconnected",
		name == "ProtectControlGroups" && version < 257 && (value == "private" || value == "strict"),
		name == "PrivateUsers" && version < 257 && (value == "self" || value == "identity"),
		name == "PrivateUsers" && version < 258 && value == "full",
		name == "PrivateUsers" && value == "managed", // which takes no User=
		name == "ProtectHostname" && version < 258 && value == "private":
		return "yes"
	}
	return value
}

// construction is what berth does in every container. It stands behind the
// settings, so that none of them takes it back, as none does in a container.
func (e *equivalentUnit) construction() {
	yes := func(names ...string) []assignment {
		var lines []assignment
		for _, name := range names {
			lines = append(lines, e.since(name, "yes"))
		}
		return lines
	}
	e.add("Service", "its mount, PID and IPC namespaces are its own", yes("PrivateMounts", "PrivatePIDs", "PrivateIPC")...)
	if !e.hostUsers() && !settingOn(e.settings.PrivateUsers) {
		e.add("Service", "so are its users: no ID inside is one of the host's", yes("PrivateUsers")...)
	}
	e.ownNames()
	if e.Root.Directory != "" {
		e.add("Service", "its root", assignment{name: "RootDirectory", value: e.Root.Directory})
	}
	if !e.binds("/tmp") && !settingOn(e.settings.PrivateTmp) {
		e.add("Service", "its /tmp is a file system of its own", yes("PrivateTmp")...)
	}
	e.devices()
	e.add("Service", "control groups below its own are its own", assignment{name: "Delegate", value: "yes"})
	e.network()
}

// since is an assignment of a setting that some versions may not have.
func (e *equivalentUnit) since(name, value string) assignment {
	a := assignment{name: name, value: value}
	if newer := sandboxSince(name); newer > e.version {
		a.newer = newer
	}
	return a
}

// settingOn reads a setting that has further words beside no and yes.
func settingOn(word string) bool { return word != "no" && word != "" }

func (e *equivalentUnit) hostUsers() bool { return e.Users.Map == "host" }

// ownNames is about namespaces that systemd has words for from some version on. A
// setting that asks for more stays.
func (e *equivalentUnit) ownNames() {
	if !settingOn(e.settings.ProtectHostname) {
		a := assignment{name: "ProtectHostname", value: "private"}
		if e.version < 258 {
			a.newer = 258
		}
		e.add("Service", "its host name is its own", a)
	}
	if !settingOn(e.settings.ProtectControlGroups) {
		a := assignment{name: "ProtectControlGroups", value: "private"}
		if e.version < 257 {
			a.newer = 257
		}
		e.add("Service", "it sees control groups from its own down", a)
	}
}

// binds tells whether something of the host's is mounted at a path or below.
func (e *equivalentUnit) binds(path string) bool {
	return slices.ContainsFunc(e.Mounts, func(m config.Mount) bool { return m.Type != "tmpfs" && within(m.Target, path) }) ||
		slices.ContainsFunc(e.settings.Binds, func(b sandbox.Bind) bool { return within(b.Target, path) })
}

// devices: PrivateDevices= also takes capabilities away that open devices, which
// is so for the root of a user namespace anyway.
func (e *equivalentUnit) devices() {
	policy, given := e.lastResource("DevicePolicy")
	if !given {
		e.add("Service", "no devices beyond pseudo devices", assignment{name: "DevicePolicy", value: "closed"})
	}
	if !e.hostUsers() && !e.binds("/dev") && policy != "auto" {
		e.add("Service", "its /dev has pseudo devices only, and it can make no nodes", assignment{name: "PrivateDevices", value: "yes"})
	}
}

func (e *equivalentUnit) lastResource(name string) (value string, given bool) {
	for _, s := range e.Resources {
		if s.Name == name && len(s.Values) > 0 {
			value, given = s.Values[len(s.Values)-1], true
		}
	}
	return value, given
}

// network: in the host's network no capability is worth anything.
func (e *equivalentUnit) network() {
	if e.Network.Mode == "private" {
		e.add("Service", "its network is the loopback interface", assignment{name: "PrivateNetwork", value: "yes"})
		return
	}
	lines := []assignment{{name: "CapabilityBoundingSet", value: "~" + strings.Join(networkCapabilities.Names(), " ")}}
	if e.settings.AmbientCapabilities&networkCapabilities != 0 {
		// "~" would mean all others, were the list to become empty.
		left := e.settings.AmbientCapabilities &^ networkCapabilities
		lines = append(lines, assignment{name: "AmbientCapabilities"},
			assignment{name: "AmbientCapabilities", value: strings.Join(left.Names(), " ")})
	}
	e.add("Service", "capabilities that would reach the host's network are taken away", lines...)
}

// execStart writes a command as systemd.service(5) reads it.
func execStart(args []string) string {
	if len(args) == 0 {
		return ""
	}
	if !strings.HasPrefix(args[0], "/") && (strings.Contains(args[0], "/") || strings.ContainsAny(args[0][:min(1, len(args[0]))], "-@:+!|")) {
		args = append([]string{"/usr/bin/env", "--"}, args...) // a program below the working directory is none to systemd
	}
	words := make([]string, len(args))
	prefix := ""
	for i, arg := range args {
		words[i] = quoteWord(arg)
		if strings.Contains(arg, "$") {
			prefix = ":" // no variables are put in
		}
	}
	return prefix + strings.Join(words, " ")
}

// quoteWord quotes as systemd.syntax(7) says, where that is needed.
func quoteWord(word string) string {
	plain := word != "" && word != ";" && !strings.ContainsFunc(word, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`"'\;`, r)
	})
	if plain {
		return word
	}
	var b strings.Builder
	for _, r := range word {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

// unitValue writes the value so that it stays what it is. A line break is white
// space to every setting that takes one; a backslash at the end would join the
// next line.
func (a assignment) unitValue() string {
	value := strings.Map(func(r rune) rune {
		if r != ' ' && !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, a.value)
	if a.hasSpecifiers() {
		value = strings.ReplaceAll(value, "%", "%%")
	}
	if strings.HasSuffix(value, `\`) {
		value += " "
	}
	return value
}

// hasSpecifiers tells whether "%" would begin a specifier of systemd.unit(5).
// Settings of resources take percentages, TemporaryFileSystem= has them among
// its options.
func (a assignment) hasSpecifiers() bool {
	_, err := units.Lookup(a.name)
	return err != nil && a.name != "TemporaryFileSystem" && a.name != "LogFilterPatterns"
}
