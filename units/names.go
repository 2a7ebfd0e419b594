package units

import (
	"errors"
	"path"
	"strings"

	"berth/internal/unitfile"
)

// words splits a value at blanks as unit files do: single and double quotes
// hold a word together, a backslash takes the next character as it is.
func words(v string) ([]string, error) {
	var list []string
	for v != "" {
		word, rest, err := firstWord(v)
		if err != nil {
			return nil, err
		}
		list, v = append(list, word), rest
	}
	return list, nil
}

// firstWord splits v behind its first word; rest begins with the next one.
func firstWord(v string) (word, rest string, err error) {
	var text strings.Builder
	var quote byte
	v = strings.TrimLeft(v, unitfile.Blanks)
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\\':
			if i++; i == len(v) {
				return "", "", errors.New(`must not end with a backslash`)
			}
			text.WriteByte(v[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(unitfile.Blanks, c) >= 0:
			return text.String(), strings.TrimLeft(v[i:], unitfile.Blanks), nil
		default:
			text.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", errors.New("has a quote that is not closed")
	}
	return text.String(), "", nil
}

// cleanPath shortens an absolute path as systemd does: double slashes and
// single dots go, and two dots are refused.
func cleanPath(p string) (string, bool) {
	if !strings.HasPrefix(p, "/") || len(p) >= 4096 {
		return "", false
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return "", false
		}
	}
	return path.Clean(p), true
}

// validFileName reports whether name is one component of a path.
func validFileName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 && !strings.Contains(name, "/")
}

// validCgroupName reports whether name is one that systemd would not have to
// escape, because the kernel has a file of that name or may have one.
func validCgroupName(name string) bool {
	if !validFileName(name) || name[0] == '_' || name[0] == '.' {
		return false
	}
	switch name {
	case "notify_on_release", "release_agent", "tasks":
		return false
	}
	controller, _, dotted := strings.Cut(name, ".")
	return !dotted || !has("cgroup cpu cpuacct cpuset io blkio memory devices pids bpf-firewall bpf-devices bpf-foreign "+
		"bpf-socket-bind bpf-restrict-network-interfaces bpf-bind-network-interface", controller)
}

// validUnitName reports whether name can be that of a unit with the given
// suffix (".scope"): systemd.unit(5), without templates.
func validUnitName(name, suffix string) bool {
	prefix, ok := strings.CutSuffix(name, suffix)
	if !ok || prefix == "" || len(name) > 255 {
		return false
	}
	return !strings.ContainsFunc(prefix, func(r rune) bool {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(`:-_.\`, r)
	})
}

// validSlice adds that the dashes of a slice's name separate its parents.
func validSlice(name string) bool {
	if name == "-.slice" {
		return true
	}
	prefix, _ := strings.CutSuffix(name, ".slice")
	return validUnitName(name, ".slice") && !strings.HasPrefix(prefix, "-") &&
		!strings.HasSuffix(prefix, "-") && !strings.Contains(prefix, "--")
}
