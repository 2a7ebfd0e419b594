package launcher

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"berth/config"
	"berth/sandbox"

	"golang.org/x/sys/unix"
)

// Bind is a bind mount for a running container, as an entry of [[mounts]] has it.
type Bind struct {
	Source   string   `json:"source"` // on the host
	Target   string   `json:"target"` // in the container
	ReadOnly bool     `json:"read_only"`
	IDMap    string   `json:"idmap"` // "": the default
	Options  []string `json:"options"`
}

// Unbind takes a mount away that was added.
type Unbind struct {
	Target string `json:"target"`
	Lazy   bool   `json:"lazy"` // also what is in use: see umount2(2), MNT_DETACH
}

// Added is a mount that was added to a running container.
type Added struct {
	Mount           // its target as it is now, without symlinks
	Since time.Time `json:"since"`
}

// AddMount adds a bind mount to a running container. A relative source begins at the
// working directory. The warnings are what the user should know.
func AddMount(ctx context.Context, name string, b Bind) (warnings []string, err error) {
	failed := func(err error) error {
		return fmt.Errorf("cannot mount %q on %q of container %q: %w", b.Source, b.Target, name, err)
	}
	if unix.Geteuid() != 0 {
		return nil, failed(errors.New("it takes root; run berth with sudo"))
	}
	absolute := b
	if absolute.Source, err = filepath.Abs(b.Source); err != nil {
		return nil, failed(err)
	}
	if _, err := config.NewBind(absolute.Source, b.Target, b.ReadOnly, b.IDMap, b.Options); err != nil {
		return nil, failed(err)
	}
	if _, err := ReadState(name); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, name, controlRequest{Bind: &absolute}, nil, changeTimeout)
	if err != nil {
		return nil, failed(err)
	}
	return reply.Warnings, nil
}

// RemoveMount unmounts what AddMount has mounted.
func RemoveMount(ctx context.Context, name string, u Unbind) error {
	failed := func(err error) error {
		return fmt.Errorf("cannot unmount %q of container %q: %w", u.Target, name, err)
	}
	if unix.Geteuid() != 0 {
		return failed(errors.New("it takes root; run berth with sudo"))
	}
	if _, err := ReadState(name); err != nil {
		return err
	}
	if _, err := ask(ctx, name, controlRequest{Unbind: &u}, nil, changeTimeout); err != nil {
		return failed(err)
	}
	return nil
}

// AddedMounts are the targets of the mounts that were added to a container.
func AddedMounts(ctx context.Context, name string) ([]string, error) {
	if _, err := ReadState(name); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, name, controlRequest{}, nil, 0)
	if err != nil {
		return nil, err
	}
	var targets []string
	for _, a := range reply.Added {
		targets = append(targets, a.Target)
	}
	return targets, nil
}

// planBind decides what a mount that is added comes to, as for one of the file's: the
// mount with its lock, the rule that lets it be what was asked for, and warnings.
func (p *Plan) planBind(c *config.Container, given config.Mount, source Source) (Mount, sandbox.PathRule, []string, error) {
	if slices.ContainsFunc(p.Mounts, func(m Mount) bool { return m.Type == "console" }) && (given.Target == "/dev/pts" || given.Target == "/dev/console") {
		return Mount{}, sandbox.PathRule{}, nil, fmt.Errorf("%s is the container's terminal's", given.Target)
	}
	if source.Err != "" {
		return Mount{}, sandbox.PathRule{}, nil, errors.New("SOURCE: " + source.Err)
	}
	with := *p
	with.Rules, with.Warnings = nil, nil
	d := &draft{Container: c, host: Host{Sources: map[string]Source{given.Source: source}}, plan: &with}
	m := d.mount("", given)
	if len(d.errors) > 0 {
		return Mount{}, sandbox.PathRule{}, nil, errors.New(d.errors[0].Msg)
	}
	m.Lock = d.lock(m)
	d.keepAccess(m)
	for i, w := range with.Warnings {
		with.Warnings[i] = strings.TrimPrefix(w, ".source: ") // the key, which it isn't in a file
	}
	return m, with.Rules[0], with.Warnings, nil
}
