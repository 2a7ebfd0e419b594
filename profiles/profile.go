package profiles

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"berth/config"
)

// maxLayers is how many profiles may build on each other. Symlinks can give one
// file endless names.
const maxLayers = 16

// Profile is a profile with all that it builds on.
type Profile struct {
	Name        string
	Description string
	Builtin     bool              // the profile itself, whatever it builds on
	Layers      []*config.Profile // those that it builds on first, at last the profile itself

	// HostUsers: the container may do without a user namespace, users.map =
	// "host". The profile is the built-in one called trusted or builds on it.
	HostUsers bool
}

// Load reads a profile by its name or path, and all that it builds on. What is
// wrong in a file is reported as config.Errors, of all files; a profile that is
// not there or can't be read as another error.
func (s Search) Load(reference string) (*Profile, error) {
	src, err := s.find(reference, "")
	if err != nil {
		return nil, err
	}
	p := &Profile{Name: nameOf(reference), Builtin: src.builtin != ""}
	var wrong config.Errors
	for {
		layer, err := src.read()
		var errs config.Errors
		switch {
		case err == nil || errors.As(err, &errs):
		case len(p.Layers) == 0:
			return nil, err
		default:
			errs = config.Errors{extendsError(p.Layers[len(p.Layers)-1], err)}
		}
		wrong = append(wrong, errs...)
		if layer == nil {
			break // no TOML, or not to be read
		}
		p.Layers = append(p.Layers, layer)
		p.HostUsers = p.HostUsers || src.builtin == trusted
		if layer.Extends == "" {
			break
		}
		src, err = s.next(p, layer)
		if err != nil {
			wrong = append(wrong, extendsError(layer, err))
			break
		}
	}
	if len(wrong) > 0 {
		wrong.Sort()
		return nil, wrong
	}
	p.Description = p.Layers[0].Description
	slices.Reverse(p.Layers)
	return p, nil
}

func extendsError(layer *config.Profile, err error) config.Error {
	return config.Error{Pos: layer.Pos("extends"), Key: "extends", Msg: err.Error()}
}

// next finds what the last layer so far builds on.
func (s Search) next(p *Profile, layer *config.Profile) (source, error) {
	src, err := s.find(layer.Extends, layer.File)
	if err != nil {
		return source{}, err
	}
	var way []string // from the file that comes again, if there is one
	for _, l := range p.Layers {
		if len(way) > 0 || l.File == src.file {
			way = append(way, l.File)
		}
	}
	if len(way) > 0 {
		return source{}, fmt.Errorf("the profile would build on itself: %s", strings.Join(append(way, src.file), " → "))
	}
	if len(p.Layers) == maxLayers {
		return source{}, fmt.Errorf("more than %d profiles build on each other", maxLayers)
	}
	return src, nil
}

// nameOf is what a profile is called: by a path, the file's name without .toml.
func nameOf(reference string) string {
	if config.IsProfilePath(reference) {
		return strings.TrimSuffix(filepath.Base(reference), ".toml")
	}
	return reference
}

// File is the profile's own file, as positions have it: the path, or "profile
// NAME" for a built-in one.
func (p *Profile) File() string { return p.Layers[len(p.Layers)-1].File }

// Sandbox returns the settings of systemd.exec(5) of all layers, in the order in
// which they are to be applied.
func (p *Profile) Sandbox() []config.Setting {
	var all []config.Setting
	for _, l := range p.Layers {
		all = append(all, l.Sandbox...)
	}
	return all
}

// Resources returns the settings of systemd.resource-control(5) likewise.
func (p *Profile) Resources() []config.Setting {
	var all []config.Setting
	for _, l := range p.Layers {
		all = append(all, l.Resources...)
	}
	return all
}

// Comment says what one of the profile's settings protects from: what stands
// above it in its file, else what the built-in profiles say about the setting;
// "" when neither says anything.
func (p *Profile) Comment(s config.Setting) string {
	for _, l := range p.Layers {
		if l.File == s.Pos.File {
			return cmp.Or(l.Comment(s), builtinComment(s.Name))
		}
	}
	return builtinComment(s.Name)
}
