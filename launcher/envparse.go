package launcher

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// validVariable: a name that systemd and shells accept.
func validVariable(name string) bool {
	return name != "" && (name[0] < '0' || name[0] > '9') && !strings.ContainsFunc(name, func(r rune) bool {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z'
		return !letter && r != '_' && (r < '0' || r > '9')
	})
}

// parseEnvironment reads the text of an EnvironmentFile=. The names of variables
// are not looked at. See systemd.exec(5); where that leaves room, it is read as
// systemd 254 and newer do: a comment ends with its line, also behind a
// backslash.
func parseEnvironment(text string) ([]string, error) {
	if strings.ContainsRune(text, 0) {
		return nil, errors.New("has a NUL byte")
	}
	s := environmentScanner{rest: text}
	var list []string
	for {
		key, ok := s.key()
		if !ok {
			return list, nil
		}
		value := s.value()
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, fmt.Errorf("the variable %q is not UTF-8", key)
		}
		list = append(list, key+"="+value)
	}
}

// environmentScanner reads from the front of rest.
type environmentScanner struct{ rest string }

const (
	blanks     = " \t"
	lineBreaks = "\n\r"
)

// key returns what stands before the next "=", behind comments and lines without
// one.
func (s *environmentScanner) key() (string, bool) {
	for {
		s.rest = strings.TrimLeft(s.rest, blanks+lineBreaks)
		if s.rest == "" {
			return "", false
		}
		line := s.rest
		if end := strings.IndexAny(line, lineBreaks); end >= 0 {
			line = line[:end]
		}
		equals := strings.IndexByte(line[1:], '=') + 1 // a key has a first character
		if strings.IndexByte("#;", line[0]) >= 0 || equals == 0 {
			s.rest = s.rest[len(line):]
			continue
		}
		s.rest = s.rest[equals+1:]
		return strings.TrimRight(line[:equals], blanks), true
	}
}

// value returns the value whose beginning is at hand. It is made of quoted
// pieces, between which blanks don't count, and at its end one without quotes.
func (s *environmentScanner) value() string {
	var value strings.Builder
	for {
		s.rest = strings.TrimLeft(s.rest, blanks)
		if s.rest == "" {
			return value.String()
		}
		switch c := s.rest[0]; {
		case strings.IndexByte(lineBreaks, c) >= 0:
			return value.String()
		case c == '\'':
			piece, rest, _ := strings.Cut(s.rest[1:], "'")
			value.WriteString(piece)
			s.rest = rest
		case c == '"':
			s.rest = s.rest[1:]
			s.doubleQuoted(&value)
		default:
			value.WriteString(s.unquoted())
			return value.String()
		}
	}
}

// doubleQuoted reads to the closing quote. A backslash takes the meaning from
// what has one in the double quotes of a shell, and joins lines.
func (s *environmentScanner) doubleQuoted(value *strings.Builder) {
	for i := 0; i < len(s.rest); i++ {
		c := s.rest[i]
		if c == '"' {
			s.rest = s.rest[i+1:]
			return
		}
		if c == '\\' {
			if i++; i == len(s.rest) {
				break
			}
			switch c = s.rest[i]; {
			case c == '\n':
				continue
			case strings.IndexByte("\"\\`$", c) < 0:
				value.WriteByte('\\')
			}
		}
		value.WriteByte(c)
	}
	s.rest = ""
}

// unquoted reads to the end of the line, without the blanks there. A backslash
// keeps what follows, and joins lines.
func (s *environmentScanner) unquoted() string {
	var value []byte
	keep := 0 // up to here nothing is a blank at the end
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case strings.IndexByte(lineBreaks, c) >= 0:
			s.rest = s.rest[i:]
			return string(value[:keep])
		case c == '\\':
			keep = len(value)
			if i++; i < len(s.rest) && strings.IndexByte(lineBreaks, s.rest[i]) < 0 {
				value = append(value, s.rest[i])
				keep = len(value)
			}
		default:
			value = append(value, c)
			if strings.IndexByte(blanks, c) < 0 {
				keep = len(value)
			}
		}
	}
	s.rest = ""
	return string(value[:keep])
}
