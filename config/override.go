package config

import "strings"

// Overrides is what the command line says instead of the file. The zero value
// overrides nothing.
type Overrides struct {
	Name    string   // --name
	Profile string   // --profile; a relative path begins at the working directory
	Set     []string // -p KEY=VALUE, the last one for a key wins
	Command []string // what stands after --, in place of process.command

	// Table says which table a setting of systemd stands in, "resources" or
	// "sandbox", when -p names the setting alone. nil: always "resources".
	Table func(setting string) string
}

// apply puts the overrides into the document, each with the option as its
// position.
func (o Overrides) apply(d *document) {
	for _, assignment := range o.Set {
		d.assign(assignment, Position{File: "-p " + printable(assignment)}, o.Table)
	}
	if o.Profile != "" {
		d.set([]string{"profile"}, o.Profile, Position{File: "--profile " + printable(o.Profile)})
	}
	if o.Name != "" {
		d.set([]string{"name"}, o.Name, Position{File: "--name " + printable(o.Name)})
	}
	if len(o.Command) > 0 {
		command := make([]any, len(o.Command))
		for i, arg := range o.Command {
			command[i] = arg
		}
		d.set([]string{"process", "command"}, command, Position{File: "the command after --"})
	}
}

// assign carries out one KEY=VALUE. The value is a TOML value if it can be read as
// one, else the string that it is.
func (d *document) assign(assignment string, pos Position, table func(string) string) {
	key, text, found := strings.Cut(assignment, "=")
	parts, ok := overrideKey(key, table)
	if !found || !ok {
		d.refuse(pos, "", "must be KEY=VALUE, with a key such as process.user or MemoryMax")
		return
	}
	parsed, err := parse("", []byte("value="+text), nil)
	if err != nil || len(parsed.values) != 1 {
		d.set(parts, text, pos)
		return
	}
	d.set(parts, parsed.values["value"], pos)
	for below, number := range parsed.numbers {
		d.numbers[strings.Join(parts, ".")+strings.TrimPrefix(below, "value")] = number
	}
}

// overrideKey splits a dotted key. A CamelCase one alone is in the table that
// table says.
func overrideKey(key string, table func(string) string) ([]string, bool) {
	parts := strings.Split(strings.TrimSpace(key), ".")
	for _, part := range parts {
		if !isBare(part) {
			return nil, false
		}
	}
	if len(key) > maxKey || len(parts) > maxDepth {
		return nil, false
	}
	if len(parts) == 1 && isCamelCase(parts[0]) {
		in := "resources"
		if table != nil {
			in = table(parts[0])
		}
		parts = []string{in, parts[0]}
	}
	return parts, true
}

// set replaces a value, and all that is known of what was there before.
func (d *document) set(parts []string, value any, pos Position) {
	table, key := d.values, parts[0]
	for _, part := range parts[1:] {
		below, ok := tableIn(table, key)
		if !ok {
			d.refuse(pos, strings.Join(parts, "."), "cannot be set: "+key+" is not a table")
			return
		}
		table, key = below, part
	}
	table[key] = value

	path := strings.Join(parts, ".")
	for known := range d.positions {
		if rest, below := strings.CutPrefix(known, path); below && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			delete(d.positions, known)
			delete(d.numbers, known)
		}
	}
	d.positions[path] = pos
}

// tableIn returns the table that stands at key, a new one if nothing does.
func tableIn(table map[string]any, key string) (map[string]any, bool) {
	if _, exists := table[key]; !exists {
		table[key] = make(map[string]any)
	}
	below, ok := table[key].(map[string]any)
	return below, ok
}

// refuse notes what is wrong with an override that never came into the file.
func (d *document) refuse(pos Position, key, msg string) {
	d.errs = append(d.errs, Error{Pos: pos, Key: key, Msg: msg})
}
