package config

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
)

// Limits of the kernel.
const (
	maxPath     = 4095   // bytes, PATH_MAX without its NUL
	maxHostname = 64     // bytes, HOST_NAME_MAX
	maxArgument = 131071 // bytes, MAX_ARG_STRLEN without its NUL
)

// CheckName tells whether a string can be a container's name:
// [a-z0-9][a-z0-9-]{0,62}, safe as a part of a unit name, a file name and a
// host name.
func CheckName(s string) error {
	bad := strings.IndexFunc(s, func(r rune) bool { return !(isDigit(r) || 'a' <= r && r <= 'z' || r == '-') })
	if s == "" || len(s) > 63 || s[0] == '-' || bad >= 0 {
		return fmt.Errorf("%s is no valid name: it takes 1 to 63 of a-z, 0-9 and -, not beginning with -", quote(s))
	}
	return nil
}

// checkHostname wants DNS labels with dots between them.
func checkHostname(s string) error {
	if len(s) > maxHostname {
		return fmt.Errorf("longer than %d bytes, which is the most a host name can have", maxHostname)
	}
	for label := range strings.SplitSeq(s, ".") {
		bad := strings.IndexFunc(label, func(r rune) bool { return !isLetter(r) && !isDigit(r) && r != '-' })
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || bad >= 0 {
			return fmt.Errorf("%s is no valid host name", quote(s))
		}
	}
	return nil
}

// checkPath wants an absolute path that can be compared with others: without
// ".", "..", doubled or trailing slashes.
func checkPath(s string) error {
	if err := checkNoControl(s); err != nil {
		return err
	}
	switch {
	case !strings.HasPrefix(s, "/"):
		return fmt.Errorf("must be an absolute path, not %s", quote(s))
	case len(s) > maxPath:
		return fmt.Errorf("longer than %d bytes, which is the most a path can have", maxPath)
	case strings.Contains(s+"/", "/../"):
		return fmt.Errorf(`must not contain "..", as %s does`, quote(s))
	case path.Clean(s) != s:
		return fmt.Errorf("must be written as %s", quote(path.Clean(s)))
	}
	return nil
}

func checkRootDirectory(s string) error {
	if s == "/" {
		return errors.New(`must not be "/": leave it out for the host's own tree`)
	}
	return nil
}

// checkTarget keeps mounts away from the root itself and from the trees whose
// masks are a wall of the container.
func checkTarget(s string) error {
	if s == "/" {
		return errors.New(`must not be "/", which [root] describes`)
	}
	for _, own := range []string{"/proc", "/sys"} {
		if s == own || strings.HasPrefix(s, own+"/") {
			return fmt.Errorf("must not be in %s, which berth itself mounts", own)
		}
	}
	return nil
}

// checkNoControl refuses newline, NUL and the like.
func checkNoControl(s string) error {
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		return fmt.Errorf("must not contain a control character, as %s does", quote(s))
	}
	return nil
}

// checkArgument wants what execve(2) can pass on: anything without a NUL.
func checkArgument(s string) error {
	if strings.ContainsRune(s, 0) {
		return errors.New("must not contain a NUL")
	}
	if len(s) > maxArgument {
		return fmt.Errorf("longer than %d bytes, which is the most the kernel passes on", maxArgument)
	}
	return nil
}

// checkVariable wants a name that shells and systemd take.
func checkVariable(s string) error {
	bad := strings.IndexFunc(s, func(r rune) bool { return !isLetter(r) && !isDigit(r) && r != '_' })
	if s == "" || isDigit(rune(s[0])) || bad >= 0 {
		return errors.New("is no valid name of an environment variable")
	}
	return nil
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
func isDigit(r rune) bool  { return '0' <= r && r <= '9' }

// checkLower refuses what the kernel reads as two directories.
func checkLower(s string) error {
	if strings.Contains(s, ":") {
		return errors.New("must not contain a colon, which separates lower directories")
	}
	return nil
}
