package config

import (
	"math"
	"strconv"
	"strings"
)

// settings takes a table of systemd's settings, whichever they are, in the
// order of the file. example is one that belongs there.
func settings(target *[]Setting, example string) decoder {
	return func(n node) {
		members, ok := n.members()
		if !ok {
			n.mismatch("a table")
			return
		}
		for _, m := range members {
			if m.doc.tooMany {
				return
			}
			if !isCamelCase(m.name) {
				m.fail("unknown key: it holds settings of systemd, such as %s", example)
				continue
			}
			if values, ok := m.unitValues(); ok {
				*target = append(*target, Setting{Name: m.name, Values: values, Pos: m.doc.pos(m.key)})
			}
		}
	}
}

// unitValues returns a value in unit-file syntax, an array as one value per
// element. An empty array is the empty value, with which systemd resets a list.
func (n node) unitValues() ([]string, bool) {
	elements, isArray := n.elements()
	if !isArray {
		value, ok := n.unitValue("a string, a number, true, false or an array of these")
		return []string{value}, ok
	}
	if len(elements) == 0 {
		return []string{""}, true
	}
	values, good := make([]string, len(elements)), true
	for i, e := range elements {
		value, ok := e.unitValue("a string, a number, true or false")
		values[i], good = value, good && ok
	}
	return values, good
}

// unitValue returns a single value in unit-file syntax; wanted is for the
// message about another type. No value can hold what would begin another line
// of a unit.
func (n node) unitValue(wanted string) (string, bool) {
	switch v := n.value.(type) {
	case string:
		return v, n.accept(v, []check{checkNoControl})
	case bool:
		return yesNo(v), true
	case int64:
		return n.number(v), true
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			n.fail(`must be a finite number; systemd's word for no limit is "infinity"`)
			return "", false
		}
		return strconv.FormatFloat(v, 'f', -1, 64), true
	default:
		n.mismatch(wanted)
		return "", false
	}
}

// number returns an integer as it was written: systemd reads a mode as octal and
// a mask as hexadecimal, whatever it looks like, so that 0o027 must not become 23.
func (n node) number(v int64) string {
	s, ok := n.doc.numbers[n.key]
	if !ok || strings.HasPrefix(n.key, "resources.") { // where numbers are decimal
		return strconv.FormatInt(v, 10)
	}
	return strings.Replace(s, "0o", "0", 1)
}

// isCamelCase tells systemd's settings from berth's: MemoryMax, CPUQuota.
func isCamelCase(key string) bool {
	return key != "" && 'A' <= key[0] && key[0] <= 'Z' && strings.IndexFunc(key, func(r rune) bool {
		return !isLetter(r) && !isDigit(r)
	}) < 0
}
