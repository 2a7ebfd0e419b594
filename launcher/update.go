package launcher

import (
	"context"
	"errors"
	"slices"

	"berth/config"
	"berth/units"
)

// Update is a change of settings of [resources] while a container runs.
type Update struct {
	Settings   []config.Setting // as config.Assign reads them; each takes the place of what was there
	Persist    bool             // also in the file that the container was started from
	BestEffort bool             // go on where this host can't enforce one
}

// Update changes a running container, all settings or none, through systemd. The
// change ends with the container, unless it persists. The error about a setting is
// config.Errors.
func (l *Launcher) Update(ctx context.Context, name string, u Update) error {
	state, err := ReadState(name)
	if err != nil {
		return err
	}
	manager, err := units.Connect(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	properties, warnings, err := u.properties(ctx, manager, state)
	if err != nil {
		return err
	}
	var file *edited
	if u.Persist {
		if file, err = state.edit(u.Settings); err != nil { // before anything is changed
			return err
		}
		defer file.close()
	}
	if err := manager.SetUnitProperties(ctx, state.Scope, true, properties); err != nil {
		if errors.Is(err, units.ErrNoUnit) {
			return &NotRunningError{name}
		}
		return err
	}
	for _, w := range warnings {
		l.Warn(w)
	}
	if u.Persist {
		return file.replace()
	}
	return nil
}

// properties converts the settings as a start does, with the same checks of the host.
func (u Update) properties(ctx context.Context, manager *units.Manager, state *State) ([]units.Property, []string, error) {
	changed := *state.Container
	changed.Resources = nil
	var wrong config.Errors
	for _, s := range u.Settings {
		setting, err := lookupResource(s.Name)
		if err == nil {
			err = setting.CheckLive()
		}
		if err != nil {
			wrong = append(wrong, config.Error{Pos: s.Pos, Key: "resources." + s.Name, Msg: err.Error()})
			continue
		}
		s.Values = setting.Replacing(s.Values)
		changed.Resources = append(changed.Resources, s)
	}
	if len(wrong) > 0 {
		return nil, nil, wrong
	}
	host, err := LookAtHost(&changed, func() (int, error) { return manager.Version(ctx) })
	if err != nil {
		return nil, nil, err
	}
	d := &draft{Container: &changed, host: host, options: Options{BestEffort: u.BestEffort}, plan: new(Plan)}
	d.sandbox() // has a say in which devices there are
	d.errors, d.plan.Warnings = nil, nil
	d.unit()
	if len(d.errors) > 0 {
		d.errors.Sort()
		return nil, nil, d.errors
	}
	properties := u.only(d.plan.Unit.Properties)
	if u.resetsTasks() {
		tasks, err := manager.DefaultTasksMax(ctx)
		if err != nil {
			return nil, nil, err
		}
		properties = append(properties, tasks)
	}
	return properties, d.plan.Warnings, nil
}

// resetsTasks tells whether TasksMax is given no value, of which no property comes.
func (u Update) resetsTasks() bool {
	return slices.ContainsFunc(u.Settings, func(s config.Setting) bool {
		return s.Name == "TasksMax" && s.Values[len(s.Values)-1] == ""
	})
}

// only leaves out what a start gives every scope, whatever its settings are.
func (u Update) only(properties []units.Property) []units.Property {
	return slices.DeleteFunc(properties, func(p units.Property) bool {
		always := p.Name == "DevicePolicy" || p.Name == "DeviceAllow"
		return always && !slices.ContainsFunc(u.Settings, func(s config.Setting) bool { return s.Name == p.Name })
	})
}
