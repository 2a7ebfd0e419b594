package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Profile is what the file of a profile says: settings that stand in front of
// those of a container, and nothing else. See package profiles for where they
// come from.
type Profile struct {
	File        string // path of the TOML file, or another word for it, for messages
	Description string
	Extends     string    // the profile that this one builds on, as Container.Profile; "" none
	Sandbox     []Setting // in the order of the file
	Resources   []Setting

	positions map[string]Position
	comments  map[int]string // by the line of what they are about
}

// LoadProfile reads the profile at path, a regular file. Its errors are those of
// Load, and beside Errors it returns what was right.
func LoadProfile(path string) (*Profile, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, cannotRead(path, err)
	}
	defer f.Close()
	data, err := readFile(f)
	if err != nil {
		return nil, err
	}
	return ParseProfile(path, data)
}

// openRegular opens a regular file. It waits for nobody at the other end of a
// pipe, and opens no device, where that alone may do something.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	// It may be another one by now.
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

var errNotRegular = errors.New("not a regular file")

// ParseProfile is LoadProfile for a file already read. The name stands in
// positions; what it extends by a relative path lies beside it.
func ParseProfile(file string, data []byte) (*Profile, error) {
	d, err := parse(file, data, profileTables)
	var wrong Error
	if errors.As(err, &wrong) {
		return nil, Errors{wrong}
	}
	p := &Profile{File: file, positions: d.positions, comments: comments(data)}
	profileFields(p).decode(node{doc: d, value: d.values})
	return p, d.err()
}

// Pos tells where a key was given, as Container.Pos does.
func (p *Profile) Pos(key string) Position { return lookupPosition(p.positions, p.File, key) }

// Comment returns what the comment says that stands in the lines right above a
// setting of the profile, as one line; "" without one.
func (p *Profile) Comment(s Setting) string { return p.comments[s.Pos.Line] }

// comments finds what stands in comments, by the line below them. A line in a
// string of several lines may look like one: this is text for people only.
func comments(data []byte) map[int]string {
	found := make(map[int]string)
	var text []string
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		comment, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
		if ok {
			text = append(text, strings.TrimSpace(comment))
			continue
		}
		if len(text) > 0 {
			found[number] = strings.Join(text, " ")
		}
		text = nil
	}
	return found
}

// profileReference takes the name of a profile or a path to one. A path is made
// to have a slash and to begin with the directory of the file that it stands in.
func profileReference(target *string) decoder {
	return func(n node) {
		var s string
		text(&s, checkProfile)(n)
		if !IsProfilePath(s) {
			*target = s
			return
		}
		if n.doc.pos(n.key).Line > 0 && !filepath.IsAbs(s) { // else the command line has it
			s = filepath.Join(filepath.Dir(n.doc.file), s)
		}
		if !strings.Contains(s, "/") {
			s = "./" + s
		}
		*target = s
	}
}

// IsProfilePath tells a path to a profile from the name of one.
func IsProfilePath(s string) bool { return strings.Contains(s, "/") || strings.HasSuffix(s, ".toml") }

// checkProfile wants a path or a name.
func checkProfile(s string) error {
	if !IsProfilePath(s) {
		if CheckName(s) != nil {
			return fmt.Errorf("%s is no valid name of a profile, which takes a-z, 0-9 and -; a path has a / or ends in .toml", quote(s))
		}
		return nil
	}
	if len(s) > maxPath {
		return fmt.Errorf("longer than %d bytes, which is the most a path can have", maxPath)
	}
	return checkNoControl(s)
}

// completeProfile chooses one where the file doesn't: a whole system needs what
// the default takes away.
func (c *Container) completeProfile() {
	switch {
	case c.Profile != "":
	case c.Process.Boot:
		c.Profile = "system"
	default:
		c.Profile = "default"
	}
}
