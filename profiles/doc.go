// Package profiles finds profiles: files of settings that stand in front of
// those of a container, under a name.
//
//	p, err := profiles.Default().Load("strict")
//	if err != nil {
//		return err
//	}
//	for _, s := range p.Sandbox() { // then the container's own
//		fmt.Println(s.Name, s.Values, "against", p.Comment(s))
//	}
//
// Five are built in: default, nonetwork, strict and trusted mean what the
// profiles of these names do to portablectl(1), system is for containers that
// boot. Users add theirs as TOML files with description, extends, [sandbox] and
// [resources], see package config. Where a setting is a list, what stands later
// adds to it, as drop-ins of a unit do; else it replaces.
//
// # Limitations
//
// Settings are not interpreted here. One that does not exist is found when it is
// applied, and reported at its position in the profile's file.
package profiles
