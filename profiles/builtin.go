package profiles

import (
	"embed"
	"fmt"
	"slices"

	"berth/config"
)

// files are the built-in profiles. They are laid out by the compiler: nothing
// runs at start-up.
//
//go:embed *.toml
var files embed.FS

// trusted is the built-in profile that allows users.map = "host". That is no key
// of the file format: nobody but this one can grant it.
const trusted = "trusted"

// builtins lists the built-in profiles, from the one for most to those for few.
func builtins() []string { return []string{"default", "nonetwork", "strict", "system", trusted} }

// builtinFile stands for a built-in profile in positions.
func builtinFile(name string) string { return "profile " + name }

// builtin returns a built-in profile, nil when there is none of that name.
func builtin(name string) (*config.Profile, error) {
	if !slices.Contains(builtins(), name) {
		return nil, nil
	}
	data, err := files.ReadFile(name + ".toml")
	if err != nil {
		return nil, fmt.Errorf("internal error: the built-in profile %q is missing: %w", name, err)
	}
	return config.ParseProfile(builtinFile(name), data)
}

// builtinComment returns what the built-in profiles say about a setting, from
// the first that has it.
func builtinComment(setting string) string {
	for _, name := range builtins() {
		p, err := builtin(name)
		if err != nil {
			continue
		}
		for _, s := range slices.Concat(p.Sandbox, p.Resources) {
			if s.Name == setting {
				return p.Comment(s)
			}
		}
	}
	return ""
}
