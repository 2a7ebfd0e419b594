package launcher

import (
	"errors"
	"reflect"
	"slices"

	"berth/config"
	"berth/internal/nearest"
	"berth/profiles"
	"berth/sandbox"
	"berth/units"
)

// applyProfile puts the settings of a container's profile in front of its own.
// What is wrong with the profile's [sandbox] is found when that is read.
func applyProfile(c *config.Container, search profiles.Search) config.Errors {
	p, err := search.Load(c.Profile)
	var errs config.Errors
	if errors.As(err, &errs) {
		return errs
	}
	if err != nil {
		return config.Errors{{Pos: c.Pos("profile"), Key: "profile", Msg: err.Error()}}
	}
	if c.Users.Map == "host" && !p.HostUsers {
		errs = append(errs, config.Error{Pos: c.Pos("users.map"), Key: "users.map",
			Msg: `"host" needs the profile trusted, or one that extends it`})
	}
	c.Sandbox = slices.Concat(p.Sandbox(), c.Sandbox)
	resources, wrong := rightResources(p.Resources())
	c.Resources = mergeResources(slices.Concat(resources, c.Resources))
	return append(errs, wrong...)
}

// rightResources leaves out the settings that are wrong in themselves, and tells
// what is wrong with them.
func rightResources(settings []config.Setting) (right []config.Setting, wrong config.Errors) {
	for _, s := range settings {
		if _, err := resource(s); err != nil {
			wrong = append(wrong, config.Error{Pos: s.Pos, Key: "resources." + s.Name, Msg: err.Error()})
			continue
		}
		right = append(right, s)
	}
	return right, wrong
}

// mergeResources makes one setting of those with the same name, all assignments
// in order: a later one adds to a list, and replaces what is no list, as those of
// drop-ins do. It stands where the last of them does.
func mergeResources(settings []config.Setting) []config.Setting {
	var merged []config.Setting
	for _, s := range settings {
		i := slices.IndexFunc(merged, func(m config.Setting) bool { return m.Name == s.Name })
		if i < 0 {
			merged = append(merged, s)
			continue
		}
		s.Values = slices.Concat(merged[i].Values, s.Values)
		merged[i] = s
	}
	return merged
}

// resource converts a setting of [resources].
func resource(s config.Setting) ([]units.Property, error) {
	setting, err := lookupResource(s.Name)
	if err != nil {
		return nil, err
	}
	return setting.Convert(s.Values)
}

// lookupResource finds a setting of [resources]. The error knows the settings of
// [sandbox] as well, and why some of them stand nowhere.
func lookupResource(name string) (units.Setting, error) {
	setting, err := units.Lookup(name)
	if err == nil {
		return setting, nil
	}
	if _, refused := sandbox.Lookup(name); refused != nil && !errors.Is(refused, sandbox.ErrUnknown) {
		return units.Setting{}, refused
	}
	return units.Setting{}, err
}

// sandboxError is an error of Settings.Set that knows the settings of a unit's
// other tables as well.
func sandboxError(name string, err error) error {
	if !errors.Is(err, sandbox.ErrUnknown) {
		return err
	}
	_, elsewhere := units.Lookup(name)
	switch {
	case elsewhere == nil:
		return errors.New("is a setting of the unit: it belongs in [resources]")
	case !errors.Is(elsewhere, units.ErrUnknown):
		return elsewhere
	}
	return err
}

// settingTable says in which table a setting of systemd stands, or the one that it
// most likely means.
func settingTable(name string) string {
	if _, err := sandbox.Lookup(name); err == nil || !errors.Is(err, sandbox.ErrUnknown) {
		return "sandbox"
	}
	if _, err := units.Lookup(name); err == nil {
		return "resources"
	}
	near, _ := nearest.Word(name, slices.Concat(units.Names(), sandbox.Names()))
	if slices.Contains(sandbox.Names(), near) {
		return "sandbox"
	}
	return "resources"
}

// LoadProfile reads a profile by name or path, as Load does that of a container,
// and tells all that is wrong with it. Whether this host can enforce it is
// another matter.
func LoadProfile(reference string) (*profiles.Profile, error) {
	return loadProfile(profiles.Default(), reference)
}

func loadProfile(search profiles.Search, reference string) (*profiles.Profile, error) {
	p, err := search.Load(reference)
	if err != nil {
		return nil, err
	}
	_, wrong := rightResources(p.Resources())
	_, wrongSandbox := parseSandbox(&config.Container{Sandbox: p.Sandbox()})
	wrong = append(wrong, wrongSandbox...)
	wrong.Sort()
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// EffectiveSandbox returns those of a profile's settings that make a difference:
// one that a later one of the same name replaces makes none.
func EffectiveSandbox(p *profiles.Profile) []config.Setting {
	return effective(p.Sandbox(), func(all []config.Setting) any {
		settings, _ := parseSandbox(&config.Container{Sandbox: all})
		return settings
	})
}

// EffectiveResources does so for [resources].
func EffectiveResources(p *profiles.Profile) []config.Setting {
	return effective(p.Resources(), func(all []config.Setting) any {
		properties := map[string][]units.Property{}
		for _, s := range mergeResources(all) {
			properties[s.Name], _ = resource(s)
		}
		return properties
	})
}

// effective leaves out each setting that another of its name follows and without
// which everything comes to the same.
func effective(all []config.Setting, outcome func([]config.Setting) any) []config.Setting {
	want := outcome(all)
	for i := 0; i < len(all); {
		s := all[i]
		follows := slices.ContainsFunc(all[i+1:], func(o config.Setting) bool { return o.Name == s.Name })
		less := slices.Delete(slices.Clone(all), i, i+1)
		if follows && reflect.DeepEqual(outcome(less), want) {
			all = less
			continue
		}
		i++
	}
	return all
}
