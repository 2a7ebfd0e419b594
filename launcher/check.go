package launcher

import (
	"context"
	"errors"

	"berth/config"
	"berth/idpool"
	"berth/profiles"

	"golang.org/x/sys/unix"
)

// Load reads a file, and puts its profile under it. Where something is wrong with
// it, the error is about all of it: what the file and the profile say for
// themselves and what this host makes of them.
func Load(ctx context.Context, path string, overrides config.Overrides, o Options) (*config.Container, error) {
	overrides.Table = settingTable
	c, err := config.Load(path, overrides)
	var wrong config.Errors
	if err != nil && !errors.As(err, &wrong) || c == nil {
		return nil, err
	}
	wrong = append(wrong, applyProfile(c, profiles.Default())...)
	if len(wrong) == 0 {
		return c, nil
	}
	var more config.Errors
	errors.As(Check(ctx, c, o), &more) // what the host lacks is no fault of the file's
	wrong = append(wrong, more...)
	wrong.Sort()
	return nil, wrong
}

// Check tells whether a container could start on this host. It starts nothing
// and takes no IDs. Where nothing can start on the host, what is wrong with the
// file comes first.
func Check(ctx context.Context, c *config.Container, o Options) error {
	_, err := plan(ctx, c, idpool.Block{Base: c.Users.Base, Size: c.Users.Size}, o)
	var wrong config.Errors
	if err == nil || errors.As(err, &wrong) {
		return err
	}
	host, _ := LookAtHost(c, func() (int, error) { return 0, nil })
	if _, inFile := MakePlan(c, host, idpool.Block{Size: c.Users.Size}, Options{BestEffort: true}); inFile != nil {
		return inFile
	}
	return err
}

// Plan tells what a start would do now. It takes a block of IDs to know which,
// and gives it back; without root it can't, and Base is 0.
func (l *Launcher) Plan(ctx context.Context, c *config.Container, o Options) (*Plan, error) {
	block := idpool.Block{Base: c.Users.Base, Size: c.Users.Size}
	if unix.Geteuid() == 0 {
		held, lease, err := l.lease(ctx, c)
		if err != nil {
			return nil, err
		}
		defer lease.Close()
		block = held
	}
	return plan(ctx, c, block, o)
}

func plan(ctx context.Context, c *config.Container, block idpool.Block, o Options) (*Plan, error) {
	systemd := &lazyConnection{ctx: ctx}
	defer systemd.close()
	host, err := LookAtHost(c, systemd.version)
	if err != nil {
		return nil, err
	}
	return MakePlan(c, host, block, o)
}

// lazyConnection connects only when something has to be asked.
type lazyConnection struct {
	ctx  context.Context
	made *connection
}

func (c *lazyConnection) version() (int, error) {
	c.made = connect(c.ctx)
	return c.made.version()
}

func (c *lazyConnection) close() {
	if c.made != nil {
		c.made.close()
	}
}
