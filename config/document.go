package config

import (
	"bytes"
	"errors"
	"fmt"
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
	values    map[string]any
	positions map[string]Position
	given     map[string]bool // the known keys that the file gives, right or wrong
	errs      Errors          // at most maxErrors
	tooMany   bool            // there were more
}

// parse takes a file apart. Its error is an Error: the first thing that makes
// the file no TOML, or one that nobody would write.
func parse(file string, data []byte) (*document, error) {
	if len(data) > maxFile {
		return nil, Error{Pos: Position{File: file}, Msg: fmt.Sprintf("larger than %d bytes", maxFile)}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	positions, err := indexPositions(file, data)
	if err != nil {
		return nil, err
	}
	d := &document{file: file, positions: positions, given: make(map[string]bool)}
	if err := toml.Unmarshal(data, &d.values); err != nil {
		return nil, decodeError(file, err)
	}
	if d.values == nil {
		d.values = make(map[string]any)
	}
	return d, nil
}

// decodeError gives an error of the decoder, such as a key given twice, its
// position.
func decodeError(file string, err error) Error {
	var syntax toml.ParseError
	if !errors.As(err, &syntax) {
		return Error{Pos: Position{File: file}, Msg: "cannot parse TOML: " + printable(err.Error())}
	}
	pos := Position{File: file, Line: syntax.Position.Line, Column: syntax.Position.Col}
	return Error{Pos: pos, Msg: "cannot parse TOML: " + printable(syntax.Message)}
}

// printable replaces what could command a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// pos returns the position of key or of what is nearest around it.
func (d *document) pos(key string) Position { return lookupPosition(d.positions, d.file, key) }

// fail notes what is wrong with a key.
func (d *document) fail(key, format string, args ...any) {
	d.failAt(d.pos(key), key, format, args...)
}

// failAt is fail for what has no place in the file.
func (d *document) failAt(pos Position, key, format string, args ...any) {
	if len(d.errs) == maxErrors {
		d.tooMany = true
		return
	}
	d.errs = append(d.errs, Error{Pos: pos, Key: key, Msg: fmt.Sprintf(format, args...)})
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
