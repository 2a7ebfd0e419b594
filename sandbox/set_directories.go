package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"berth/internal/unitfile"
)

// directoryKinds are what stands before "Directory" in the names of settings.
const directoryKinds = "Runtime State Cache Logs Configuration"

// directoryKind returns the kind that a setting is about, and its number.
func directoryKind(setting string) (kind string, n int) {
	for kind := range strings.FieldsSeq(directoryKinds) {
		if strings.HasPrefix(setting, kind) {
			return kind, n
		}
		n++
	}
	panic("internal error: " + setting + " is no setting of directories")
}

// setDirectories adds NAME[:SYMLINK[:ro]].
func setDirectories(s *Settings, d *Setting, value string) error {
	kind, n := directoryKind(d.Name)
	if value == "" {
		s.Directories = slices.DeleteFunc(slices.Clone(s.Directories), func(d Directory) bool { return d.Kind == kind })
		return nil
	}
	words, err := words(value, unitfile.Unquote|unitfile.KeepEscapes)
	if err != nil {
		return err
	}
	list := slices.Clone(s.Directories)
	for _, word := range words {
		dir, err := parseDirectory(kind, word)
		if err != nil {
			return err
		}
		dir.Mode = s.modes[n]
		if kind == "Runtime" {
			dir.Preserve = s.preserve
		}
		list = addDirectory(list, dir)
	}
	s.Directories = list
	return nil
}

func parseDirectory(kind, word string) (Directory, error) {
	fields, err := colonSeparated(word)
	if err != nil {
		return Directory{}, err
	}
	if len(fields) > 3 {
		return Directory{}, fmt.Errorf("must be NAME, NAME:SYMLINK or NAME:SYMLINK:ro, not %q", word)
	}
	fields = append(fields, "", "")
	dir := Directory{Kind: kind, ReadOnly: fields[2] == "ro"}
	if dir.Name, err = unitfile.RelativePath(fields[0]); err != nil {
		return Directory{}, err
	}
	if dir.Name == "private" || strings.HasPrefix(dir.Name, "private/") {
		return Directory{}, errors.New(`must not be below "private", where systemd keeps directories of dynamic users`)
	}
	if fields[1] != "" {
		if kind == "Configuration" {
			return Directory{}, fmt.Errorf("cannot have a symlink: %q", word)
		}
		link, err := unitfile.RelativePath(fields[1])
		if err != nil {
			return Directory{}, err
		}
		dir.Symlinks = []string{link}
	}
	if fields[2] != "" && fields[2] != "ro" {
		return Directory{}, fmt.Errorf("must have the flag ro, not %q", fields[2])
	}
	return dir, nil
}

// addDirectory adds a directory, or its symlink and flag to the one of that name.
func addDirectory(list []Directory, dir Directory) []Directory {
	i := slices.IndexFunc(list, func(d Directory) bool { return d.Kind == dir.Kind && d.Name == dir.Name })
	if i < 0 {
		return append(list, dir)
	}
	list[i].Symlinks = slices.Concat(list[i].Symlinks, dir.Symlinks)
	list[i].ReadOnly = list[i].ReadOnly || dir.ReadOnly
	return list
}

// setDirectoryMode sets the mode of a kind's directories, also of those that
// follow.
func setDirectoryMode(s *Settings, d *Setting, value string) error {
	mode, err := unitfile.FileMode(value)
	if err != nil {
		return err
	}
	kind, n := directoryKind(d.Name)
	s.modes[n] = mode
	s.Directories = slices.Clone(s.Directories)
	for i := range s.Directories {
		if s.Directories[i].Kind == kind {
			s.Directories[i].Mode = mode
		}
	}
	return nil
}

func setPreserve(s *Settings, _ *Setting, value string) error {
	word, err := oneWord("no yes restart", value)
	if err != nil {
		return err
	}
	s.preserve = word
	s.Directories = slices.Clone(s.Directories)
	for i := range s.Directories {
		if s.Directories[i].Kind == "Runtime" {
			s.Directories[i].Preserve = word
		}
	}
	return nil
}
