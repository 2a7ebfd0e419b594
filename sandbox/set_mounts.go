package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"berth/internal/unitfile"
)

// setPaths adds paths with their prefixes: "-" before "+", which puts a path below
// the container's root, where it is anyway.
func setPaths(s *Settings, d *Setting, value string) error {
	list := d.paths(s)
	if reset(list, value) {
		return nil
	}
	words, err := words(value, unitfile.Unquote)
	if err != nil {
		return err
	}
	var paths []Path
	for _, word := range words {
		var p Path
		word, p.Optional = strings.CutPrefix(word, "-")
		word = strings.TrimPrefix(word, "+")
		if p.Path, err = unitfile.AbsolutePath(word); err != nil {
			return err
		}
		paths = append(paths, p)
	}
	*list = slices.Concat(*list, paths)
	return nil
}

// setBinds adds SOURCE[:TARGET[:OPTION]]. BindPaths and BindReadOnlyPaths share
// their list, so that emptying one empties both.
func setBinds(s *Settings, d *Setting, value string) error {
	if reset(&s.Binds, value) {
		return nil
	}
	words, err := words(value, unitfile.Unquote|unitfile.KeepEscapes)
	if err != nil {
		return err
	}
	var binds []Bind
	for _, word := range words {
		bind, err := parseBind(word)
		if err != nil {
			return err
		}
		bind.ReadOnly = d.Name == "BindReadOnlyPaths"
		binds = append(binds, bind)
	}
	s.Binds = slices.Concat(s.Binds, binds)
	return nil
}

func parseBind(word string) (Bind, error) {
	fields, err := colonSeparated(word)
	if err != nil {
		return Bind{}, err
	}
	if len(fields) > 3 {
		return Bind{}, fmt.Errorf("must be SOURCE, SOURCE:TARGET or SOURCE:TARGET:OPTION, not %q", word)
	}
	b := Bind{Recursive: true}
	source, optional := strings.CutPrefix(fields[0], "-")
	b.Optional = optional
	if b.Source, err = unitfile.AbsolutePath(source); err != nil {
		return Bind{}, err
	}
	b.Target = b.Source
	if len(fields) > 1 {
		if b.Target, err = unitfile.AbsolutePath(fields[1]); err != nil {
			return Bind{}, err
		}
	}
	if len(fields) > 2 {
		switch fields[2] {
		case "", "rbind":
		case "norbind":
			b.Recursive = false
		default:
			return Bind{}, fmt.Errorf("must have the option rbind or norbind, not %q", fields[2])
		}
	}
	return b, nil
}

// colonSeparated splits a word at its colons; a backslash before one makes it a
// plain character, and C's escapes are resolved.
func colonSeparated(word string) ([]string, error) {
	var fields []string
	for r := unitfile.Words(word, ":", unitfile.Unescape|unitfile.UnescapeSeparators|unitfile.EmptyWords); ; {
		field, ok, err := r.Next()
		if err != nil || !ok {
			return fields, err
		}
		fields = append(fields, field)
	}
}

// setTemporaryFileSystem adds TARGET[:OPTIONS].
func setTemporaryFileSystem(s *Settings, _ *Setting, value string) error {
	if reset(&s.TemporaryFileSystem, value) {
		return nil
	}
	words, err := words(value, unitfile.Unquote)
	if err != nil {
		return err
	}
	var list []TemporaryFileSystem
	for _, word := range words {
		r := unitfile.Words(word, ":", unitfile.EmptyWords)
		target, _, err := r.Next()
		if err != nil {
			return err
		}
		t := TemporaryFileSystem{}
		if t.Target, err = unitfile.AbsolutePath(target); err != nil {
			return err
		}
		options, _ := r.Rest()
		if t.Options, err = tmpfsOptions(options); err != nil {
			return err
		}
		list = append(list, t)
	}
	s.TemporaryFileSystem = slices.Concat(s.TemporaryFileSystem, list)
	return nil
}

// tmpfsFlags are the options of mount(8) that are flags, and those of tmpfs(5)
// with a value.
const (
	tmpfsFlags  = "ro rw nosuid suid nodev dev noexec exec noatime relatime strictatime atime nodiratime diratime norelatime nostrictatime nosymfollow"
	tmpfsValues = "size mode nr_inodes nr_blocks uid gid"
)

// tmpfsOptions reads options, which must be some that berth can hand to the
// kernel: systemd takes any, and fails when the unit starts.
func tmpfsOptions(list string) ([]string, error) {
	var options []string
	known := strings.Fields(tmpfsFlags + " " + tmpfsValues)
	for option := range strings.SplitSeq(list, ",") {
		name, value, hasValue := strings.Cut(option, "=")
		switch {
		case option == "":
		case !slices.Contains(known, name):
			return nil, unknown("option of a tmpfs", name, known)
		case slices.Contains(strings.Fields(tmpfsValues), name) != hasValue:
			return nil, fmt.Errorf("has the option %q, which %s", option, map[bool]string{true: "takes no value", false: "needs a value"}[hasValue])
		case hasValue && !tmpfsValue(name, value):
			return nil, fmt.Errorf("has the option %q, whose value isn't one", option)
		default:
			options = append(options, option)
		}
	}
	return options, nil
}

func tmpfsValue(name, value string) bool {
	switch name {
	case "mode":
		_, err := unitfile.FileMode(value)
		return err == nil
	case "uid", "gid":
		_, err := strconv.ParseUint(value, 10, 31)
		return err == nil
	case "size":
		if percent, ok := strings.CutSuffix(value, "%"); ok {
			_, err := strconv.ParseUint(percent, 10, 7)
			return err == nil
		}
	}
	digits := strings.TrimRight(value, "kKmMgGtTpPeE")
	_, err := strconv.ParseUint(digits, 10, 64)
	return err == nil && len(value)-len(digits) <= 1
}

// setProtectHostname takes a word. systemd 258 takes a host name behind it, which
// a container has from elsewhere.
func setProtectHostname(s *Settings, _ *Setting, value string) error {
	if value == "" {
		s.ProtectHostname = "no"
		return nil
	}
	mode, _, named := strings.Cut(value, ":")
	word, err := oneWord("no yes private", mode)
	if err != nil {
		return err
	}
	if named {
		return errors.New("cannot have a name: the container's is process.hostname")
	}
	s.ProtectHostname = word
	return nil
}
