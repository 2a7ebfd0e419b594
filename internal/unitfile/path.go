package unitfile

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// AbsolutePath cleans a path that must be absolute. Paths with ".." are refused:
// what they lead to depends on symlinks.
func AbsolutePath(p string) (string, error) {
	if !strings.HasPrefix(p, "/") {
		return "", fmt.Errorf("must be absolute, not %q", p)
	}
	return cleanPath(p)
}

// RelativePath cleans a path that must be relative.
func RelativePath(p string) (string, error) {
	if p == "" || strings.HasPrefix(p, "/") {
		return "", fmt.Errorf("must be relative, not %q", p)
	}
	clean, err := cleanPath(p)
	if err == nil && clean == "." {
		return "", fmt.Errorf("must name something, not %q", p)
	}
	return clean, err
}

// The kernel's limits, of linux/limits.h, PATH_MAX with its trailing NUL.
const (
	nameMax = 255
	pathMax = 4096
)

func cleanPath(p string) (string, error) {
	if !utf8.ValidString(p) || strings.ContainsFunc(p, IsControl) {
		return "", fmt.Errorf("must be valid UTF-8 without control characters, not %q", p)
	}
	for name := range strings.SplitSeq(p, "/") {
		if name == ".." {
			return "", fmt.Errorf("must not have \"..\": %q", p)
		}
		if len(name) > nameMax {
			return "", errors.New("has a name that is too long")
		}
	}
	clean := path.Clean(p)
	if len(clean) >= pathMax {
		return "", errors.New("is too long")
	}
	return clean, nil
}

// IsControl is true for control characters, a line break and a tab among them.
func IsControl(r rune) bool { return r < ' ' || r == 0x7f }
