package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// node is one value of the file under the key that leads to it.
type node struct {
	doc   *document
	key   string // as Container.Pos takes it; "" is the whole file
	value any    // as package toml decodes into any
}

// fail notes what is wrong with the value.
func (n node) fail(format string, args ...any) { n.doc.fail(n.key, format, args...) }

// mismatch notes that the value has the wrong type.
func (n node) mismatch(wanted string) { n.fail("must be %s, not %s", wanted, typeName(n.value)) }

// accept runs the checks on s and notes the first that fails.
func (n node) accept(s string, checks []check) bool {
	for _, c := range checks {
		if err := c(s); err != nil {
			n.fail("%v", err)
			return false
		}
	}
	return true
}

// elements returns the elements of an array, with their keys.
func (n node) elements() ([]node, bool) {
	var values []any
	switch v := n.value.(type) {
	case []any:
		values = v
	case []map[string]any: // [[n.key]]
		for _, table := range v {
			values = append(values, table)
		}
	default:
		return nil, false
	}
	nodes := make([]node, len(values))
	for i, v := range values {
		nodes[i] = node{n.doc, element(n.key, i), v}
	}
	return nodes, true
}

// members returns what a table holds, sorted by position.
func (n node) members() ([]member, bool) {
	table, ok := n.value.(map[string]any)
	if !ok {
		return nil, false
	}
	members := make([]member, 0, len(table))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		members = append(members, member{name, node{n.doc, join(n.key, name), table[name]}})
	}
	slices.SortStableFunc(members, func(a, b member) int {
		return a.place().compare(b.place())
	})
	return members, true
}

// member is one key of a table: its name there, and the node it leads to.
type member struct {
	name string
	node
}

func (m member) place() Position { return lookupPosition(m.doc.positions, m.doc.file, m.key) }

// decoder stores a value where it belongs, or notes what is wrong with it and
// stores nothing.
type decoder func(node)

// check says what is wrong with a value, nil if nothing is.
type check func(string) error

// text takes a string that passes the checks.
func text(target *string, checks ...check) decoder {
	return func(n node) {
		s, ok := n.value.(string)
		if !ok {
			n.mismatch("a string")
		} else if n.accept(s, checks) {
			*target = s
		}
	}
}

// textOrNumber returns a string, or an integer as the string of its digits.
func textOrNumber(n node) (string, bool) {
	switch v := n.value.(type) {
	case string:
		return v, true
	case int64:
		return fmt.Sprint(v), true
	default:
		n.mismatch("a string or an integer")
		return "", false
	}
}

// boolean takes true or false.
func boolean(target *bool) decoder {
	return func(n node) {
		if b, ok := n.value.(bool); ok {
			*target = b
		} else {
			n.mismatch("true or false")
		}
	}
}

// optionalBoolean takes true or false where the target can also hold neither.
func optionalBoolean(target **bool) decoder {
	return func(n node) {
		if b, ok := n.value.(bool); ok {
			*target = &b
		} else {
			n.mismatch("true or false")
		}
	}
}

// choice takes one of the words. Where these have yes and no, true and false
// mean the same.
func choice[T ~string](target *T, words ...T) decoder {
	return func(n node) {
		word, ok := n.value.(string)
		if b, is := n.value.(bool); is {
			word, ok = yesNo(b), slices.Contains(words, "no")
		}
		if !ok {
			n.mismatch("a string")
		} else if !slices.Contains(words, T(word)) {
			n.fail("must be %s, not %s", alternatives(words), quote(word))
		} else {
			*target = T(word)
		}
	}
}

// texts takes an array of strings, each of which passes the checks.
func texts(target *[]string, checks ...check) decoder {
	return func(n node) {
		elements, ok := n.elements()
		if !ok {
			n.mismatch("an array of strings")
			return
		}
		values := make([]string, len(elements))
		for i, e := range elements {
			text(&values[i], checks...)(e)
		}
		*target = values
	}
}

// each takes an array of tables, appending one T for each.
func each[T any](target *[]T, schema func(*T) fields) decoder {
	return func(n node) {
		elements, ok := n.elements()
		if !ok {
			n.mismatch("an array of tables")
			return
		}
		*target = make([]T, len(elements))
		for i, e := range elements {
			schema(&(*target)[i]).decode(e)
		}
	}
}

// notYet refuses a key of the format that is not implemented.
func notYet(n node) { n.fail("not supported by this version of berth") }

// except refuses words of the format that are not implemented, and leaves the
// others to next.
func except(next decoder, words ...string) decoder {
	return func(n node) {
		if word, ok := n.value.(string); ok && slices.Contains(words, word) {
			n.fail("%q is not supported by this version of berth", word)
			return
		}
		next(n)
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// alternatives lists words as a sentence does: "a", "b" or "c".
func alternatives[T ~string](words []T) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", string(w))
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// typeName names the TOML type of a value.
func typeName(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	default:
		return "an array"
	}
}
