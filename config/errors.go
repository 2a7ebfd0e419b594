package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxErrors is how many errors are worth reading. A file with more is wrong as
// a whole.
const maxErrors = 200

// Error is one thing that is wrong in a file.
type Error struct {
	Pos Position
	Key string // as Container.Pos takes it; "" where no key is at fault
	Msg string // "unknown key", "must be an integer, not a string" …
}

// Error formats e as FILE:LINE:COLUMN: key: what is wrong.
func (e Error) Error() string {
	if e.Key == "" {
		return e.Pos.String() + ": " + e.Msg
	}
	return e.Pos.String() + ": " + e.Key + ": " + e.Msg
}

// Errors is everything that is wrong. Later stages append theirs and call
// Sort and Err.
type Errors []Error

// Error gives each error a line of its own, without a newline at the end.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Sort orders the errors by position: those of the command line first, then
// those of the file from top to bottom.
func (e Errors) Sort() {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(a.Pos.compare(b.Pos), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Msg, b.Msg))
	})
}

// Err returns e as an error, nil when there is none in it.
func (e Errors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// quote quotes a value of the file for a message: on one line, harmless to a
// terminal, and not too long.
func quote(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}
