package unitfile

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Unescaped resolves C's escapes, in which a NUL may be written too.
func Unescaped(s string) ([]byte, error) {
	var b []byte
	for {
		before, after, found := strings.Cut(s, `\`)
		b = append(b, before...)
		if !found {
			return b, nil
		}
		text, n, ok := unescape(after, true)
		if !ok {
			return nil, errEscape
		}
		b = append(b, text...)
		s = after[n:]
	}
}

// unescape reads one escape of C without its backslash: what it stands for, and
// its length.
func unescape(s string, nul bool) (text string, n int, ok bool) {
	if s == "" {
		return "", 0, false
	}
	if i := strings.IndexByte(`abfnrtv\"'s`, s[0]); i >= 0 {
		return "\a\b\f\n\r\t\v\\\"' "[i : i+1], 1, true
	}
	switch s[0] {
	case 'x':
		return codeByte(s, 1, 2, 16, nul)
	case 'u':
		return codePoint(s, 4, nul)
	case 'U':
		return codePoint(s, 8, nul)
	}
	return codeByte(s, 0, 3, 8, nul)
}

// codeByte reads a byte of exactly so many digits.
func codeByte(s string, start, digits, base int, nul bool) (string, int, bool) {
	value, ok := code(s, start, digits, base, nul)
	if !ok || value > 0xff {
		return "", 0, false
	}
	return string([]byte{byte(value)}), start + digits, true
}

func codePoint(s string, digits int, nul bool) (string, int, bool) {
	value, ok := code(s, 1, digits, 16, nul)
	if !ok || value > utf8.MaxRune || !utf8.ValidRune(rune(value)) {
		return "", 0, false
	}
	return string(rune(value)), 1 + digits, true
}

func code(s string, start, digits, base int, nul bool) (uint64, bool) {
	if len(s) < start+digits || strings.ContainsAny(s[start:start+digits], "+-_") {
		return 0, false
	}
	value, err := strconv.ParseUint(s[start:start+digits], base, 32)
	return value, err == nil && (nul || value != 0)
}
