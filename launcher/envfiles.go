package launcher

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"berth/config"
	"berth/internal/kernel"
	"berth/sandbox"

	"golang.org/x/sys/unix"
)

// HostEnvironment is what an environment takes from the host.
type HostEnvironment struct {
	Files  []EnvironmentFile // of EnvironmentFile=, in order
	Passed []string          // KEY=VALUE of PassEnvironment=, from berth's own environment
}

// EnvironmentFile is one path of EnvironmentFile=, a pattern maybe of several.
type EnvironmentFile struct {
	Path      string
	Err       string   // why it can't be used; "" where it can, or may be passed over
	Variables []string // KEY=VALUE
	Ignored   []string // what is wrong with lines that are passed over
}

// lookAtEnvironment reads what the settings name. berth stands for the service
// manager here: PassEnvironment= is about the variables that it was started
// with.
func lookAtEnvironment(s *sandbox.Settings) HostEnvironment {
	var h HostEnvironment
	for _, p := range s.EnvironmentFiles {
		h.Files = append(h.Files, readEnvironment(p))
	}
	for _, name := range s.PassEnvironment {
		if value, ok := os.LookupEnv(name); ok {
			h.Passed = append(h.Passed, name+"="+value)
		}
	}
	return h
}

// readEnvironment reads all files that a path of EnvironmentFile= matches.
func readEnvironment(p sandbox.Path) EnvironmentFile {
	f := EnvironmentFile{Path: p.Path}
	wrong := func(err error) {
		if err != nil && !p.Optional {
			f.Err = causeOf(err)
		}
	}
	found, err := globFiles(p.Path)
	if err == nil && len(found) == 0 {
		err = unix.ENOENT
	}
	wrong(err)
	for _, name := range found {
		text, err := readText(name)
		var variables []string
		if err == nil {
			variables, err = parseEnvironment(text)
		}
		if err != nil {
			wrong(err)
			continue
		}
		for _, v := range variables {
			if key, _, _ := strings.Cut(v, "="); !validVariable(key) {
				f.Ignored = append(f.Ignored, fmt.Sprintf("%s: ignored %q: not the name of a variable", name, key))
				continue
			}
			f.Variables = append(f.Variables, v)
		}
	}
	return f
}

// globFiles lists what a pattern of glob(7) matches, in order of the names; of a
// path without wildcards that path. As there, and other than with path.Match, a
// wildcard doesn't match a leading dot and "!" negates a range.
func globFiles(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, `*?[`) {
		return []string{pattern}, nil
	}
	found, err := filepath.Glob(strings.ReplaceAll(pattern, "[!", "[^"))
	if err != nil {
		return nil, err
	}
	parts := strings.Split(pattern, "/")
	found = slices.DeleteFunc(found, func(name string) bool {
		for i, part := range strings.Split(name, "/") {
			if strings.HasPrefix(part, ".") && !strings.HasPrefix(strings.TrimPrefix(parts[i], `\`), ".") {
				return true
			}
		}
		return false
	})
	slices.Sort(found)
	return found, nil
}

// maxEnvironment bounds a file: an environment can't be larger either. See
// execve(2), "Limits on size of arguments and environment".
const maxEnvironment = 6 << 20

// readText reads a file of the host's, a regular one. /dev/null is empty.
func readText(name string) (string, error) {
	at, err := kernel.OpenSource(name)
	if err != nil {
		return "", err
	}
	defer at.Close()
	if null, err := isNull(at); null || err != nil {
		return "", err
	}
	data, err := readOpened(at, maxEnvironment)
	return string(data), err
}

// isNull tells whether a file is the device that /dev/null is.
func isNull(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	return info.Mode()&os.ModeCharDevice != 0 && info.Sys().(*syscall.Stat_t).Rdev == unix.Mkdev(1, 3), nil
}

// environment completes the payload's, of which given is what berth sets and
// [process] environment. What comes later wins: what settings tell about, what
// is passed, Environment=, [process] environment, EnvironmentFile=. unset takes
// from all of it, and from what the container's user database adds.
func (d *draft) environment(given []string) (env, unset []string) {
	env = slices.Concat(given, d.directoryVariables(), d.credentialVariables(),
		d.host.Environment.Passed, d.settings.Environment)
	for key, value := range d.Process.Environment {
		env = append(env, key+"="+value)
	}
	for _, f := range d.host.Environment.Files {
		if f.Err != "" {
			d.errors = append(d.errors, config.Error{
				Pos: d.assignment("EnvironmentFile", f.Path), Key: "sandbox.EnvironmentFile",
				Msg: fmt.Sprintf("cannot read %q: %s", f.Path, f.Err),
			})
		}
		d.plan.Warnings = append(d.plan.Warnings, f.Ignored...)
		env = append(env, f.Variables...)
	}
	unset = d.settings.UnsetEnvironment
	return withoutVariables(lastOfEach(env), unset), unset
}

// lastOfEach keeps the last value of each variable, in order of their names.
func lastOfEach(env []string) []string {
	values := map[string]string{}
	for _, e := range env {
		key, _, _ := strings.Cut(e, "=")
		values[key] = e
	}
	return slices.SortedFunc(maps.Values(values), func(a, b string) int {
		keyA, _, _ := strings.Cut(a, "=")
		keyB, _, _ := strings.Cut(b, "=")
		return strings.Compare(keyA, keyB)
	})
}

// withoutVariables removes what unset names, by KEY or by KEY=VALUE.
func withoutVariables(env, unset []string) []string {
	return slices.DeleteFunc(env, func(e string) bool {
		key, _, _ := strings.Cut(e, "=")
		return slices.Contains(unset, key) || slices.Contains(unset, e)
	})
}
