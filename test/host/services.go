package host

import (
	"context"
	"fmt"
	"io"
)

// servicePackages are servers with their own clients. They are no part of a
// host's root: containers have them as theirs.
func servicePackages() []string {
	return []string{"nginx-light", "redis-server", "redis-tools", "postgresql", "apache2-utils", "curl"}
}

// ServicesRoot returns the directory of a pristine root of the suite with servers
// and their clients, for containers. It is built and cached as Root does.
func ServicesRoot(ctx context.Context, s Suite, log io.Writer) (string, error) {
	recipe := fmt.Sprintln("services 1", s.Name, servicePackages(), s.aptOptions, excludedPaths())
	// Not "trixie-…": outdated roots are found by what names begin with.
	name := "services-" + s.Name
	return cached(name, name+"-"+hash(recipe), log, func(dir string) error {
		return buildRoot(ctx, s, servicePackages(), dir)
	})
}
