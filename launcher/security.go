package launcher

import (
	"context"
	"fmt"

	"berth/config"
	"berth/profiles"
	"berth/sandbox/exposure"
)

// Security is how exposed a container is.
type Security struct {
	Name    string // what is scored
	Systemd int    // as which version of systemd does
	Report  exposure.Report
	Beyond  []string // what it is protected by besides, a sentence each
}

// AssessSecurity scores a container: the score is exactly that of the unit file
// which EquivalentService renders for this version of systemd.
func AssessSecurity(c *config.Container, version int) (*Security, error) {
	groups, err := equivalent(c, version)
	if err != nil {
		return nil, err
	}
	unit := exposure.NewUnit()
	for _, g := range groups {
		for _, l := range g.lines {
			if l.newer > 0 {
				continue
			}
			if err := unit.Set(l.name, l.value); err != nil {
				return nil, err
			}
		}
	}
	return &Security{
		Name: c.Name, Systemd: version,
		Report: exposure.Assess(unit, version),
		Beyond: beyond(c),
	}, nil
}

// beyond tells what protects the host from a container that systemd has no
// setting for, and so no check.
func beyond(c *config.Container) []string {
	var list []string
	if c.Users.Map != "host" {
		list = append(list,
			"Its IDs are a block of their own, which no user of the host and no other container has.",
			"Its capabilities hold against its own namespaces alone, and its setuid programs lead to its own root.")
	}
	if !c.Users.MapRoot {
		list = append(list, "The user root doesn't exist in it.")
	}
	list = append(list,
		"The kernel locks its mounts: it can't make them writable or take nosuid, nodev and noexec from them.",
		"What of /proc and /sys tells about the host is covered, and can't be uncovered.")
	if c.Root.Directory == "" {
		list = append(list, "Its root is a view of the host's tree that leaves out homes and secrets, and is never written through.")
	}
	return list
}

// NewestSystemd is the newest version whose score is known.
const NewestSystemd = 262

// SystemdVersion asks systemd for its version. Without one it is NewestSystemd.
func SystemdVersion(ctx context.Context) int {
	systemd := &lazyConnection{ctx: ctx}
	defer systemd.close()
	version, err := systemd.version()
	if err != nil {
		return NewestSystemd
	}
	return version
}

// ContainerOf makes a container that has nothing but a profile, named by its name
// or path. Its error is that of Load.
func ContainerOf(reference string) (*config.Container, error) {
	const nothing = "name = \"container\"\nprocess.command = [\"/bin/true\"]\n"
	c, err := config.Parse("profile "+reference, []byte(nothing), config.Overrides{Profile: reference})
	if err != nil {
		return nil, err
	}
	if errs := applyProfile(c, profiles.Default()); len(errs) > 0 {
		return nil, errs
	}
	c.Name = reference
	return c, nil
}

// RunningContainer returns what a running container was started from, its options
// and profile included, as far as a score depends on it. *NotRunningError where
// none of that name runs.
func RunningContainer(name string) (*config.Container, error) {
	state, err := ReadState(name)
	if err != nil {
		return nil, err
	}
	if state.Container == nil {
		return nil, fmt.Errorf("cannot score container %q: another version of berth has started it", name)
	}
	return state.Container, nil
}
