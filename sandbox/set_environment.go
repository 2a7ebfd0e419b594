package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"berth/internal/unitfile"
)

// setEnvironment adds NAME=VALUE; a later one of a name replaces.
func setEnvironment(s *Settings, _ *Setting, value string) error {
	if reset(&s.Environment, value) {
		return nil
	}
	words, err := words(value, unitfile.Unquote|unitfile.Unescape)
	if err != nil {
		return err
	}
	list := slices.Clone(s.Environment)
	for _, word := range words {
		name, _, assigned := strings.Cut(word, "=")
		if !assigned || !isVariable(name) || !utf8.ValidString(word) {
			return fmt.Errorf("must have words such as NAME=VALUE, not %q", word)
		}
		list = slices.DeleteFunc(list, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		list = append(list, word)
	}
	s.Environment = list
	return nil
}

// isVariable is true for letters, digits and underscores that don't begin with a
// digit.
func isVariable(name string) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// setEnvironmentFile adds one path, which may have blanks and patterns in it.
func setEnvironmentFile(s *Settings, _ *Setting, value string) error {
	if reset(&s.EnvironmentFiles, value) {
		return nil
	}
	rest, optional := strings.CutPrefix(value, "-")
	file, err := unitfile.AbsolutePath(rest)
	if err != nil {
		return err
	}
	s.EnvironmentFiles = append(slices.Clip(s.EnvironmentFiles), Path{Path: file, Optional: optional})
	return nil
}

func setPassEnvironment(s *Settings, _ *Setting, value string) error {
	return setVariables(&s.PassEnvironment, value, unitfile.Unquote, "names", isVariable)
}

func setUnsetEnvironment(s *Settings, _ *Setting, value string) error {
	return setVariables(&s.UnsetEnvironment, value, unitfile.Unquote|unitfile.Unescape, "NAME or NAME=VALUE", func(word string) bool {
		name, _, _ := strings.Cut(word, "=")
		return isVariable(name) && utf8.ValidString(word)
	})
}

func setVariables(list *[]string, value string, mode unitfile.Mode, what string, valid func(string) bool) error {
	if reset(list, value) {
		return nil
	}
	words, err := words(value, mode)
	if err != nil {
		return err
	}
	for _, word := range words {
		if !valid(word) {
			return fmt.Errorf("must be %s of variables, not %q", what, word)
		}
	}
	*list = addNew(*list, words)
	return nil
}
