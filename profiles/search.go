package profiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"berth/config"
	"berth/internal/nearest"
)

// Search finds profiles. The zero value knows the built-in ones alone.
type Search struct {
	Dirs []string // where NAME.toml may lie, the first one wins, before the built-in ones
}

// Default is the search of a host.
func Default() Search {
	return Search{Dirs: []string{"/etc/berth/profiles", "/usr/lib/berth/profiles"}}
}

// source is where a profile may come from: a file, or berth itself.
type source struct {
	file    string // as positions have it
	builtin string // its name, "" for a file on disk
}

func (s source) read() (*config.Profile, error) {
	if s.builtin != "" {
		return builtin(s.builtin)
	}
	return config.LoadProfile(s.file)
}

// there tells whether the profile exists. What else is wrong with it is seen
// when it is read.
func (s source) there() bool {
	if s.builtin != "" {
		return true
	}
	_, err := os.Stat(s.file)
	return !errors.Is(err, fs.ErrNotExist)
}

// sources lists where a reference may lead, in order.
func (s Search) sources(reference string) []source {
	if config.IsProfilePath(reference) {
		return []source{{file: reference}}
	}
	var list []source
	for _, dir := range s.Dirs {
		list = append(list, source{file: filepath.Join(dir, reference+".toml")})
	}
	if slices.Contains(builtins(), reference) {
		list = append(list, source{file: builtinFile(reference), builtin: reference})
	}
	return list
}

// find returns the first of the sources that is there. A profile that extends
// its own name means the one that it hides: extending is the profile's file.
func (s Search) find(reference, extending string) (source, error) {
	list := s.sources(reference)
	if !config.IsProfilePath(reference) {
		own := slices.IndexFunc(list, func(l source) bool { return l.file == extending })
		list = list[own+1:]
	}
	for _, l := range list {
		if l.there() {
			return l, nil
		}
	}
	return source{}, s.notFound(reference, list)
}

// notFound says where a profile was looked for, and what may have been meant.
func (s Search) notFound(reference string, tried []source) error {
	if config.IsProfilePath(reference) {
		return fmt.Errorf("cannot find the profile %q: no such file", reference)
	}
	msg := fmt.Sprintf("cannot find the profile %q: it is not built in", reference)
	var files []string
	for _, l := range tried {
		files = append(files, l.file)
	}
	if len(files) > 0 {
		msg += ", and there is neither " + strings.Join(files, " nor ")
	}
	if near, ok := nearest.Word(reference, s.Names()); ok && near != reference {
		msg += fmt.Sprintf("; did you mean %q?", near)
	}
	return errors.New(msg)
}

// Names lists the profiles that need no path: the built-in ones, then those of
// the directories in alphabetical order. A directory that can't be read has
// none.
func (s Search) Names() []string {
	var found []string
	for _, dir := range s.Dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".toml"); ok && config.CheckName(name) == nil {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	found = slices.DeleteFunc(slices.Compact(found), func(name string) bool { return slices.Contains(builtins(), name) })
	return append(builtins(), found...)
}
