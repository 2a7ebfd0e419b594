package config

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Limits that no sensible file reaches. They bound what a hostile one costs,
// here and in the decoder, which runs only on files within them.
const (
	maxDepth  = 16    // tables and arrays within each other, parts of a dotted key
	maxKey    = 255   // bytes of a whole dotted key
	maxValues = 20000 // keys and array elements
)

// index finds where every key, table and array element of a file stands.
type index struct {
	file      string
	parser    unstable.Parser
	positions map[string]Position
	numbers   map[string]string // the integers in octal and hexadecimal, as they are written
	values    int
	entries   map[string]int // how many [[entries]] an array of tables has so far
	table     string         // the table that the last header opened
	lines     lines
}

// limitError tells which limit a file exceeds, and where.
type limitError struct {
	offset int
	msg    string
}

func (e *limitError) Error() string { return e.msg }

// newIndex finds the position of everything in data, by the key that
// Container.Pos takes. Its error is an Error: a syntax error, or a limit.
func newIndex(file string, data []byte) (*index, error) {
	x := &index{
		file:      file,
		positions: make(map[string]Position),
		numbers:   make(map[string]string),
		entries:   make(map[string]int),
		lines:     newLines(data),
	}
	x.parser.Reset(data)
	for x.parser.NextExpression() {
		if err := x.expression(x.parser.Expression()); err != nil {
			return nil, Error{Pos: x.position(err.offset), Msg: err.msg}
		}
	}
	if err := x.parser.Error(); err != nil {
		return nil, x.syntaxError(err)
	}
	return x, nil
}

func (x *index) syntaxError(err error) Error {
	offset := 0
	var syntax *unstable.ParserError
	if errors.As(err, &syntax) {
		offset = int(x.parser.Range(syntax.Highlight).Offset)
	}
	return Error{Pos: x.position(offset), Msg: "cannot parse TOML: " + printable(err.Error())}
}

func (x *index) position(offset int) Position {
	line, column := x.lines.at(offset)
	return Position{File: x.file, Line: line, Column: column}
}

// expression notes one line of the file: a header or a key with its value.
func (x *index) expression(n *unstable.Node) *limitError {
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		return x.header(n)
	default:
		return x.keyValue(x.table, n, 0)
	}
}

// header notes [a.b] or [[a.b]] and makes it the current table. A part that
// names an array of tables means that array's last entry.
func (x *index) header(n *unstable.Node) *limitError {
	path, depth := "", 0
	for it := n.Key(); it.Next(); {
		part := it.Node()
		offset := int(part.Raw.Offset)
		path = join(path, string(part.Data))
		depth++
		if err := x.note(path, offset, depth); err != nil {
			return err
		}
		if last := it.IsLast(); last && n.Kind == unstable.ArrayTable {
			x.entries[path]++
		} else if last {
			x.positions[path] = x.position(offset) // rather than that of [path.below]
		}
		if count := x.entries[path]; count > 0 {
			path = element(path, count-1)
			if err := x.note(path, offset, depth); err != nil {
				return err
			}
		}
	}
	x.table = path
	return nil
}

func (x *index) keyValue(table string, n *unstable.Node, depth int) *limitError {
	path, offset := table, 0
	for it := n.Key(); it.Next(); {
		offset = int(it.Node().Raw.Offset)
		path = join(path, string(it.Node().Data))
		depth++
		if err := x.note(path, offset, depth); err != nil {
			return err
		}
	}
	return x.inside(path, n.Value(), offset, depth)
}

// inside notes what an array or an inline table holds.
func (x *index) inside(path string, value *unstable.Node, offset, depth int) *limitError {
	switch value.Kind {
	case unstable.Integer:
		if s := string(value.Data); strings.HasPrefix(s, "0o") || strings.HasPrefix(s, "0x") {
			x.numbers[path] = strings.ReplaceAll(s, "_", "")
		}
	case unstable.Array:
		i := 0
		for it := value.Children(); it.Next(); i++ {
			if start := it.Node().Raw; start.Length > 0 { // an array in an array has none
				offset = int(start.Offset)
			}
			below := element(path, i)
			if err := x.note(below, offset, depth+1); err != nil {
				return err
			}
			if err := x.inside(below, it.Node(), offset, depth+1); err != nil {
				return err
			}
		}
	case unstable.InlineTable:
		for it := value.Children(); it.Next(); {
			if err := x.keyValue(path, it.Node(), depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// note keeps where path stands, unless it is known already.
func (x *index) note(path string, offset, depth int) *limitError {
	x.values++
	switch {
	case depth > maxDepth:
		return &limitError{offset, fmt.Sprintf("nested more than %d levels deep", maxDepth)}
	case len(path) > maxKey:
		return &limitError{offset, fmt.Sprintf("key longer than %d bytes", maxKey)}
	case x.values > maxValues:
		return &limitError{offset, fmt.Sprintf("more than %d keys and values", maxValues)}
	}
	if _, known := x.positions[path]; !known {
		x.positions[path] = x.position(offset)
	}
	return nil
}

// join appends a part to a dotted key, quoted where TOML would have it quoted.
func join(path, part string) string {
	if !isBare(part) {
		part = strconv.Quote(part)
	}
	if path == "" {
		return part
	}
	return path + "." + part
}

// element names the i-th element of the array at path, from 0.
func element(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

func isBare(part string) bool {
	return part != "" && strings.IndexFunc(part, func(r rune) bool {
		return !(r == '_' || r == '-' || isLetter(r) || isDigit(r))
	}) < 0
}

// lines holds the offset of every line's first byte.
type lines []uint32

func newLines(data []byte) lines {
	starts := make(lines, 1, 1+bytes.Count(data, []byte{'\n'}))
	for i, c := range data {
		if c == '\n' {
			starts = append(starts, uint32(i+1))
		}
	}
	return starts
}

// at returns line and column of a byte, both from 1.
func (l lines) at(offset int) (line, column int) {
	line = sort.Search(len(l), func(i int) bool { return int(l[i]) > offset })
	return line, offset - int(l[line-1]) + 1
}
