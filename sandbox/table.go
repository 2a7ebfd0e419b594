package sandbox

import (
	"errors"
	"fmt"

	"berth/internal/nearest"
)

// Setting is a setting of systemd.exec(5).
type Setting struct {
	Name    string
	Since   int    // the systemd version that introduced it; 0: one before 187, where the man pages begin to tell
	Section string // what kind of setting it is: Mounts, System calls, Process, …
	How     string // how berth enforces it, or why that is so anyway
	Refused string // why it makes no sense in a container, and what to use instead; "": it is enforced
	Alias   string // the setting whose old name this is, or ""
	List    bool   // each assignment adds, and an empty one resets

	set   func(s *Settings, d *Setting, value string) error
	flag  func(s *Settings) *bool
	word  func(s *Settings) *string
	words string // of word: see setWord
	paths func(s *Settings) *[]Path
}

// ErrUnknown is the cause of Lookup's error for a name that isn't in
// systemd.exec(5) at all. It may be a setting of another man page.
var ErrUnknown = errors.New("unknown setting")

// Lookup finds a setting that berth enforces by its name. For another one the
// error says why it is refused, and for a name that isn't in systemd.exec(5) what
// it may stand for. The errors of Lookup and Set don't repeat the name: they are
// written to stand behind "FILE:LINE:COLUMN: sandbox.NAME: ".
func Lookup(name string) (Setting, error) {
	for _, section := range sections() {
		for i := range section {
			if section[i].Name != name {
				continue
			}
			if why := section[i].Refused; why != "" {
				return Setting{}, errors.New(why)
			}
			return section[i], nil
		}
	}
	if near, ok := nearest.Word(name, Names()); ok {
		return Setting{}, fmt.Errorf("%w: did you mean %q?", ErrUnknown, near)
	}
	return Setting{}, fmt.Errorf("%w: systemd.exec(5) has none of this name", ErrUnknown)
}

// Names returns the names of all settings that berth enforces, without old ones.
func Names() []string {
	var names []string
	for _, d := range Table() {
		if d.Refused == "" && d.Alias == "" {
			names = append(names, d.Name)
		}
	}
	return names
}

// Table returns all settings of systemd.exec(5) of systemd 262, those that berth
// refuses and old names among them, by section.
func Table() []Setting {
	var all []Setting
	for _, section := range sections() {
		all = append(all, section...)
	}
	return all
}

// sections are laid out by the compiler: nothing runs at start-up.
func sections() [6][]Setting {
	return [...][]Setting{mountSettings[:], callSettings[:], processSettings[:], hostSettings[:], journalSettings[:], refusedSettings[:]}
}
