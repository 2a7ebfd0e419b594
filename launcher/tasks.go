package launcher

import (
	"context"
	"slices"

	"berth/units"
)

// startTasks is how many tasks a start takes at most: the threads of berth's own
// child, until its PID 1 and the payload are left.
const startTasks = 32

// splitTasks takes a TasksMax that is too small for a start out of the properties
// that the scope begins with. It is set as soon as the payload runs.
func splitTasks(properties []units.Property) (first, late []units.Property) {
	for _, p := range properties {
		if n, ok := p.Limit(); ok && p.Name == "TasksMax" && n < startTasks {
			late = append(late, p)
			p = units.NewProperty("TasksMax", uint64(startTasks))
		}
		first = append(first, p)
	}
	return slices.Clip(first), late
}

// limitTasks sets what splitTasks has put off.
func (s *start) limitTasks(ctx context.Context) error {
	_, late := splitTasks(s.plan.Unit.Properties)
	if len(late) == 0 {
		return nil
	}
	manager, err := s.systemd.get()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, systemdTimeout)
	defer cancel()
	return manager.SetUnitProperties(ctx, s.plan.Unit.Scope, true, late)
}
