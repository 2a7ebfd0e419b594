package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Edit returns a file's text with the value of one setting of [resources] changed,
// or the setting added where the file doesn't have it. Every other byte stays. It is
// an error where the file is no TOML, and where the change would be another one than
// that.
func Edit(file string, data []byte, s Setting) ([]byte, error) {
	before, err := parse(file, data, containerTables)
	if err != nil {
		return nil, err
	}
	edited, err := find(data, s.Name).set(s)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot set resources.%s: %w", file, s.Name, err)
	}
	after, err := parse(file, edited, containerTables)
	if err != nil || !differOnlyBy(before, after, s) {
		return nil, fmt.Errorf("%s: cannot set resources.%s: it is not clear where; change it by hand", file, s.Name)
	}
	return edited, nil
}

// differOnlyBy tells whether after is what before is, with one setting changed.
func differOnlyBy(before, after *document, s Setting) bool {
	table, _ := after.values["resources"].(map[string]any)
	n := node{doc: after, key: join("resources", s.Name), value: table[s.Name]}
	values, ok := n.unitValues()
	return ok && slices.Equal(values, s.Values) && reflect.DeepEqual(without(before, s.Name), without(after, s.Name))
}

// without copies a file's values less one setting of [resources], and less that table
// where nothing else is in it.
func without(d *document, name string) map[string]any {
	values := maps.Clone(d.values)
	table, ok := values["resources"].(map[string]any)
	if !ok {
		return values
	}
	table = maps.Clone(table)
	delete(table, name)
	values["resources"] = table
	if len(table) == 0 {
		delete(values, "resources")
	}
	return values
}

// site is where a setting stands in a file, or could stand: the first of these
// that there is, all as offsets.
type site struct {
	data       []byte
	value, end int    // of its value; 0, 0 where it isn't given
	inline     int    // behind the { of resources = { … }; 0: no such
	empty      bool   // that has nothing in it
	line       int    // in the last line of the table; -1: there is none
	prefix     string // of a key in that line: "resources." behind no header
}

// find looks for a setting of [resources]. The file is TOML.
func find(data []byte, name string) *site {
	p := &site{data: data, line: -1}
	parser := unstable.Parser{}
	skipped := len(data) - len(bytes.TrimPrefix(data, []byte("\ufeff")))
	parser.Reset(data[skipped:])
	var table []string
	for parser.NextExpression() {
		n := parser.Expression()
		path, end := keyParts(n)
		if n.Kind != unstable.KeyValue {
			table = path
			if slices.Equal(path, []string{"resources"}) {
				p.line, p.prefix = skipped+end, ""
			}
			continue
		}
		p.keyValue(n, slices.Concat(table, path), name, skipped)
		if len(table) == 0 && len(path) > 1 && path[0] == "resources" {
			p.line, p.prefix = skipped+end, "resources."
		} else if slices.Equal(table, []string{"resources"}) {
			p.line = skipped + int(n.Raw.Offset+n.Raw.Length)
		}
	}
	return p
}

// keyValue looks at one key with its value, and at what is in an inline table.
func (p *site) keyValue(n *unstable.Node, path []string, name string, skipped int) {
	switch {
	case slices.Equal(path, []string{"resources", name}):
		_, end := keyParts(n)
		p.value = skipped + end
		p.end = skipped + int(n.Raw.Offset+n.Raw.Length)
	case slices.Equal(path, []string{"resources"}) && n.Value().Kind == unstable.InlineTable:
		table := n.Value()
		p.inline, p.empty = skipped+int(table.Raw.Offset)+1, true
		for it := table.Children(); it.Next(); p.empty = false {
			if it.Node().Kind == unstable.KeyValue {
				below, _ := keyParts(it.Node())
				p.keyValue(it.Node(), slices.Concat(path, below), name, skipped)
			}
		}
	}
}

// keyParts returns the parts of a dotted key, and the offset behind the last.
func keyParts(n *unstable.Node) (parts []string, end int) {
	for it := n.Key(); it.Next(); {
		parts = append(parts, string(it.Node().Data))
		end = int(it.Node().Raw.Offset + it.Node().Raw.Length)
	}
	return parts, end
}

// set writes a setting at its place.
func (p *site) set(s Setting) ([]byte, error) {
	value, err := tomlValue(s.Values)
	if err != nil {
		return nil, err
	}
	assignment := s.Name + " = " + value
	switch {
	case p.end > 0:
		equals := p.value + bytes.IndexByte(p.data[p.value:p.end], '=') + 1
		start := p.end - len(bytes.TrimLeft(p.data[equals:p.end], " \t"))
		return p.replace(start, p.end, value), nil
	case p.inline > 0 && p.empty:
		return p.replace(p.inline, p.inline, " "+assignment+" "), nil
	case p.inline > 0:
		return p.replace(p.inline, p.inline, " "+assignment+","), nil
	case p.line >= 0:
		return p.below(p.line, p.prefix+assignment), nil
	}
	return p.atEnd("[resources]", assignment), nil
}

func (p *site) replace(start, end int, text string) []byte {
	return slices.Concat(p.data[:start], []byte(text), p.data[end:])
}

// below adds a line below that of an offset, indented as that one is.
func (p *site) below(offset int, text string) []byte {
	end := len(p.data)
	if i := bytes.IndexByte(p.data[offset:], '\n'); i >= 0 {
		end = offset + i + 1
	}
	newline := p.newline()
	first := p.data[bytes.LastIndexByte(p.data[:offset], '\n')+1:]
	first = bytes.TrimPrefix(first, []byte("\ufeff"))
	indent := string(first[:len(first)-len(bytes.TrimLeft(first, " \t"))])
	if !bytes.HasSuffix(p.data[:end], []byte("\n")) {
		return p.replace(end, end, newline+indent+text)
	}
	return p.replace(end, end, indent+text+newline)
}

func (p *site) atEnd(lines ...string) []byte {
	newline := p.newline()
	text := strings.Join(lines, newline) + newline
	if len(p.data) > 0 {
		text = newline + text
		if !bytes.HasSuffix(p.data, []byte("\n")) {
			text = newline + text
		}
	}
	return p.replace(len(p.data), len(p.data), text)
}

// newline is what ends the file's lines.
func (p *site) newline() string {
	if bytes.Contains(p.data, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// tomlValue writes the value of a setting: a number as one, an array where there are
// several.
func tomlValue(values []string) (string, error) {
	words := make([]string, len(values))
	for i, v := range values {
		if err := checkNoControl(v); err != nil {
			return "", err
		}
		if strings.ToValidUTF8(v, "") != v {
			return "", errors.New("must be UTF-8")
		}
		words[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && strconv.FormatInt(n, 10) == v {
			words[i] = v
		}
	}
	if len(words) == 1 {
		return words[0], nil
	}
	return "[" + strings.Join(words, ", ") + "]", nil
}
