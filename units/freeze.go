package units

import (
	"context"
	"fmt"
)

// FreezeUnit stops all processes of a unit where they are, and returns when they
// stand. ErrNoUnit where it is not loaded; no error where it is frozen already.
// See systemctl(1), freeze.
func (m *Manager) FreezeUnit(ctx context.Context, name string) error {
	if err := m.call(ctx, "FreezeUnit", []any{name}); err != nil {
		return fmt.Errorf("cannot freeze %q: %w", name, replyError(err))
	}
	return nil
}

// ThawUnit undoes FreezeUnit. Processes that a slice above it keeps frozen stay
// so. No error where the unit is not frozen.
func (m *Manager) ThawUnit(ctx context.Context, name string) error {
	if err := m.call(ctx, "ThawUnit", []any{name}); err != nil {
		return fmt.Errorf("cannot thaw %q: %w", name, replyError(err))
	}
	return nil
}
