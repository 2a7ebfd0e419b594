package unitfile

import (
	"errors"
	"strings"
)

// Blanks separate words.
const Blanks = " \t\n\r"

// Mode says how words are read. The zero value splits at separators, takes
// several of them for one, and reads a backslash as "the next character is meant
// as such".
type Mode uint

const (
	Unquote            Mode = 1 << iota // quotes, single or double, hold a word together and are taken off
	Unescape                            // C's escapes stand for what they mean; others are an error
	UnescapeSeparators                  // a backslash before a separator or another one makes it a plain character
	KeepEscapes                         // a backslash is a plain character
	EmptyWords                          // each separator ends a word: "a::b" has three
)

// WordReader takes words off a string, one after another.
type WordReader struct {
	rest, separators string
	mode             Mode
	done             bool
}

// Words reads the words of s.
func Words(s, separators string, mode Mode) *WordReader {
	return &WordReader{rest: s, separators: separators, mode: mode}
}

// Split returns all words of s.
func Split(s string, mode Mode) ([]string, error) {
	var words []string
	for r := Words(s, Blanks, mode); ; {
		word, ok, err := r.Next()
		if err != nil || !ok {
			return words, err
		}
		words = append(words, word)
	}
}

// Rest is what follows the last word and its separator, and whether there was a
// separator.
func (r *WordReader) Rest() (string, bool) { return r.rest, !r.done }

var (
	errQuote  = errors.New("has a quote that isn't closed")
	errEscape = errors.New("has a backslash that escapes nothing")
)

// Next returns the next word, or false when there is none.
func (r *WordReader) Next() (word string, ok bool, err error) {
	if r.done {
		return "", false, nil
	}
	s := r.rest
	if r.mode&EmptyWords == 0 {
		if s = strings.TrimLeft(s, r.separators); s == "" {
			r.end()
			return "", false, nil
		}
	}
	var b strings.Builder
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && r.mode&KeepEscapes == 0:
			text, n, err := r.escaped(s[i+1:])
			if err != nil {
				return "", false, err
			}
			b.WriteString(text)
			i += n
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\'') && r.mode&Unquote != 0:
			quote = c
		case quote == 0 && strings.IndexByte(r.separators, c) >= 0:
			r.skip(s[i:])
			return b.String(), true, nil
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", false, errQuote
	}
	r.end()
	return b.String(), true, nil
}

func (r *WordReader) end() { r.rest, r.done = "", true }

// skip goes on behind the separator that s begins with, or behind all of them.
func (r *WordReader) skip(s string) {
	if r.mode&EmptyWords != 0 {
		r.rest = s[1:]
		return
	}
	if r.rest = strings.TrimLeft(s, r.separators); r.rest == "" {
		r.done = true
	}
}

// escaped reads what follows a backslash, and says how many bytes that is.
func (r *WordReader) escaped(s string) (text string, n int, err error) {
	if s == "" {
		return "", 0, errEscape
	}
	if r.mode&(Unescape|UnescapeSeparators) == 0 {
		return s[:1], 1, nil
	}
	if r.mode&Unescape != 0 {
		if text, n, ok := unescape(s, false); ok {
			return text, n, nil
		}
	}
	if r.mode&UnescapeSeparators != 0 && (s[0] == '\\' || strings.IndexByte(r.separators, s[0]) >= 0) {
		return s[:1], 1, nil
	}
	return "", 0, errEscape
}
