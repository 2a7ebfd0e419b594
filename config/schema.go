package config

import (
	"maps"
	"slices"

	"berth/internal/nearest"
)

// field is a key that a table may have, and what becomes of its value.
type field struct {
	key    string
	decode decoder
}

// fields is the schema of a table. The order is the order of decoding: a mount
// learns its type first.
type fields []field

func containerFields(c *Container) fields {
	return fields{
		{"name", text(&c.Name, CheckName)},
		{"description", text(&c.Description, checkNoControl)},
		{"profile", profileReference(&c.Profile)},
		{"root", rootFields(&c.Root).decode},
		{"process", processFields(&c.Process).decode},
		{"users", usersFields(&c.Users).decode},
		{"mounts", each(&c.Mounts, mountFields)},
		{"resources", settings(&c.Resources, "MemoryMax")},
		{"sandbox", settings(&c.Sandbox, "ProtectSystem")},
		{"mountguard", mountGuardFields(&c.MountGuard).decode},
		{"network", networkFields(&c.Network).decode},
		{"service", notYet},
	}
}

func rootFields(r *Root) fields {
	return fields{
		{"directory", text(&r.Directory, checkPath, checkRootDirectory)},
		{"image", notYet},
		{"oci", notYet},
		{"volatile", choice(&r.Volatile, VolatileNo, VolatileOverlay, VolatileState, VolatileYes)},
		{"read_only", boolean(&r.ReadOnly)},
	}
}

func processFields(p *Process) fields {
	return fields{
		{"command", texts(&p.Command, checkArgument)},
		{"environment", environment(&p.Environment)},
		{"user", user(&p.User)},
		{"working_directory", text(&p.WorkingDirectory, checkPath)},
		{"hostname", text(&p.Hostname, checkHostname)},
		{"terminal", optionalBoolean(&p.Terminal)},
		{"boot", boolean(&p.Boot)},
		{"stop_signal", stopSignal(&p.StopSignal)},
	}
}

func usersFields(u *Users) fields {
	return fields{
		{"map", usersMap(u)},
		{"size", usersSize(&u.Size)},
		{"map_root", boolean(&u.MapRoot)},
	}
}

func mountFields(m *Mount) fields {
	return fields{
		{"type", choice(&m.Type, "bind", "tmpfs", "overlay")},
		{"source", mountSource(m)},
		{"upper", onlyOverlay(m, text(&m.Upper, checkPath))},
		{"work", onlyOverlay(m, text(&m.Work, checkPath))},
		{"target", text(&m.Target, checkPath, checkTarget)},
		{"read_only", boolean(&m.ReadOnly)},
		{"idmap", mountIDMap(m)},
		{"options", mountOptions(m)},
	}
}

func mountGuardFields(m *MountGuard) fields {
	return fields{
		{"enabled", boolean(&m.Enabled)},
		{"immutable_remounts", choice(&m.Remounts, Deny, Allow)},
		{"immutable_unmounts", choice(&m.Unmounts, Allow, Deny)},
	}
}

func networkFields(n *Network) fields {
	return fields{
		{"mode", except(choice(&n.Mode, "private", "host"), "veth", "zone")},
		{"zone", notYet},
		{"ports", notYet},
	}
}

func profileFields(p *Profile) fields {
	return fields{
		{"description", text(&p.Description, checkNoControl)},
		{"extends", profileReference(&p.Extends)},
		{"sandbox", settings(&p.Sandbox, "ProtectSystem")},
		{"resources", settings(&p.Resources, "MemoryMax")},
	}
}

// tables returns the schemas of a kind of file by the table's name, to find
// where a key belongs.
type tables func() map[string]fields

func containerTables() map[string]fields {
	return map[string]fields{
		"":             containerFields(new(Container)),
		"[root]":       rootFields(new(Root)),
		"[process]":    processFields(new(Process)),
		"[users]":      usersFields(new(Users)),
		"[[mounts]]":   mountFields(new(Mount)),
		"[mountguard]": mountGuardFields(new(MountGuard)),
		"[network]":    networkFields(new(Network)),
	}
}

func profileTables() map[string]fields {
	return map[string]fields{"": profileFields(new(Profile))}
}

// decode is the decoder of a table with these fields and no others.
func (fs fields) decode(n node) {
	table, ok := n.value.(map[string]any)
	if !ok {
		n.mismatch("a table")
		return
	}
	for _, f := range fs {
		if value, ok := table[f.key]; ok {
			below := node{n.doc, join(n.key, f.key), value}
			n.doc.given[below.key] = true
			f.decode(below)
		}
	}
	known := fs.keys()
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if !slices.Contains(known, name) && !n.doc.tooMany {
			node{n.doc, join(n.key, name), table[name]}.fail("%s", unknown(name, known, n.doc.tables()))
		}
	}
}

func (fs fields) keys() []string {
	keys := make([]string, len(fs))
	for i, f := range fs {
		keys[i] = f.key
	}
	return keys
}

// unknown says what to do about a key that its table doesn't have: it may
// belong to another table, or be misspelt.
func unknown(key string, known []string, elsewhere map[string]fields) string {
	for _, table := range slices.Sorted(maps.Keys(elsewhere)) {
		if slices.Contains(elsewhere[table].keys(), key) {
			return "unknown key here, it belongs " + place(table)
		}
	}
	if near, ok := nearest.Word(key, known); ok {
		return "unknown key, did you mean " + quote(near) + "?"
	}
	if isCamelCase(key) {
		return "unknown key: settings of systemd stand in [resources] and [sandbox]"
	}
	return "unknown key"
}

func place(table string) string {
	if table == "" {
		return "above the first [table]"
	}
	return "into " + table
}
