package launcher

import (
	"errors"
	"fmt"

	"berth/internal/nsinit"
)

// cannot makes "cannot VERB OBJECT: cause".
func cannot(what string, cause error) error { return fmt.Errorf("cannot %s: %w", what, cause) }

// Status is what berth exits with for an error of this package: 126 when the
// payload is not executable, 127 when it is not there, 125 for the rest.
func Status(err error) int {
	var failure *nsinit.Failure
	if errors.As(err, &failure) {
		return failure.Status
	}
	return 125
}

// NotRunningError is about a container that isn't there.
type NotRunningError struct{ Name string }

func (e *NotRunningError) Error() string {
	return fmt.Sprintf("no container %q is running; berth ps lists those that are", e.Name)
}

// RunningError is about a name that is taken.
type RunningError struct{ Name string }

func (e *RunningError) Error() string {
	return fmt.Sprintf("container %q is running already: stop it with berth stop %s, or give this one another --name", e.Name, e.Name)
}
