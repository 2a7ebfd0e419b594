package learn

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Profile is what was learned: the settings of a profile of berth's.
type Profile struct {
	Description string
	Comments    []string // lines about the whole
	Sandbox     []Assignment
	Resources   []Assignment
}

// Assignment is a setting with its reason.
type Assignment struct {
	Name    string
	Values  []string // one: a plain value; "yes" and "no" are booleans
	Comment string   // one line or more; "" none
}

// WriteTo writes the profile as TOML.
func (p Profile) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	for _, line := range p.Comments {
		comment(&b, line)
	}
	fmt.Fprintf(&b, "\ndescription = %s\n", quote(p.Description))
	for _, table := range []struct {
		name        string
		assignments []Assignment
	}{{"sandbox", p.Sandbox}, {"resources", p.Resources}} {
		if len(table.assignments) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n[%s]\n", table.name)
		for i, a := range table.assignments {
			if i > 0 && a.Comment != "" {
				b.WriteByte('\n')
			}
			a.write(&b)
		}
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (a Assignment) write(b *strings.Builder) {
	if a.Comment != "" {
		for line := range strings.SplitSeq(a.Comment, "\n") {
			comment(b, line)
		}
	}
	fmt.Fprintf(b, "%s = %s\n", a.Name, a.value())
}

// value is in TOML.
func (a Assignment) value() string {
	if len(a.Values) != 1 {
		words := make([]string, len(a.Values))
		length := 0
		for i, v := range a.Values {
			words[i] = quote(v)
			length += len(words[i]) + 2
		}
		const wide = 80
		if length > wide {
			return "[\n    " + strings.Join(words, ",\n    ") + ",\n]"
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	switch a.Values[0] {
	case "yes":
		return "true"
	case "no":
		return "false"
	}
	return quote(a.Values[0])
}

// comment writes a line of comment, without what TOML allows in none.
func comment(b *strings.Builder, line string) {
	line = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(line, "?"))
	b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
}

// quote makes a basic string of TOML.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "?") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
