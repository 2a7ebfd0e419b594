package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
)

// maxFile is the size in bytes of the largest file that is read.
const maxFile = 1 << 20

// document is a file taken apart: its values, where each of them stands, and
// what was found wrong with them.
type document struct {
	file      string
	tables    tables
	values    map[string]any
	positions map[string]Position
	numbers   map[string]string // the integers in octal and hexadecimal, as they are written
	given     map[string]bool   // the known keys that the file gives, right or wrong
	errs      Errors            // at most maxErrors from the file
	tooMany   bool              // there were more
}

// parse takes a file apart. Its error is an Error: the first thing that makes
// the file no TOML, or one that nobody would write.
func parse(file string, data []byte, t tables) (*document, error) {
	if len(data) > maxFile {
		return nil, Error{Pos: Position{File: file}, Msg: fmt.Sprintf("larger than %d bytes", maxFile)}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	x, err := newIndex(file, data)
	if err != nil {
		return nil, err
	}
	d := &document{file: file, tables: t, positions: x.positions, numbers: x.numbers, given: make(map[string]bool)}
	if err := toml.Unmarshal(data, &d.values); err != nil {
		return nil, decodeError(file, data, err)
	}
	if d.values == nil {
		d.values = make(map[string]any)
	}
	return d, nil
}

// decodeError gives an error of the decoder, such as a key given twice, its
// position. The column comes from the offset: package toml 1.6.0 counts it from
// the line before when it is the first.
func decodeError(file string, data []byte, err error) Error {
	pos, msg := Position{File: file}, err.Error()
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		pos.Line, pos.Column = newLines(data).at(syntax.Position.Start)
		msg = syntax.Message
	}
	msg = strings.TrimSuffix(printable(msg), ".")
	if rest, ok := strings.CutPrefix(msg, "Key "); ok {
		msg = "key " + rest
	}
	return Error{Pos: pos, Msg: "cannot parse TOML: " + msg}
}

// printable replaces what could command a terminal, and leaves out the middle
// of what is too long to read.
func printable(s string) string {
	const head, tail = 80, 40
	runes := []rune(s)
	if len(runes) > head+tail {
		runes = slices.Concat(runes[:head], []rune{'…'}, runes[len(runes)-tail:])
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = unicode.ReplacementChar
		}
	}
	return string(runes)
}

// pos returns the position of key; of the first thing in it, if an override
// made the table; or of what is nearest around it.
func (d *document) pos(key string) Position {
	if p, ok := d.positions[key]; ok {
		return p
	}
	var first Position
	for below, p := range d.positions {
		if strings.HasPrefix(below, key+".") && (first == Position{} || p.compare(first) < 0) {
			first = p
		}
	}
	if first != (Position{}) {
		return first
	}
	return lookupPosition(d.positions, d.file, key)
}

// fail notes what is wrong with a key.
func (d *document) fail(key, format string, args ...any) {
	if len(d.errs) >= maxErrors {
		d.tooMany = true
		return
	}
	d.errs = append(d.errs, Error{Pos: d.pos(key), Key: key, Msg: fmt.Sprintf(format, args...)})
}

// err returns what was found wrong, sorted.
func (d *document) err() error {
	d.errs.Sort()
	if d.tooMany {
		d.errs = append(d.errs, Error{Pos: Position{File: d.file}, Msg: "too many errors"})
	}
	return d.errs.Err()
}

// failed tells whether something is wrong with a key already.
func (d *document) failed(key string) bool {
	for _, e := range d.errs {
		if e.Key == key {
			return true
		}
	}
	return false
}
