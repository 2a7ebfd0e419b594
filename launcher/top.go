package launcher

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"berth/internal/kernel"
	"berth/units"
)

// Usage is what a container uses. A nil number is one that this host doesn't
// count, as without the cgroup controller, or that isn't known yet: a rate needs
// two samples.
type Usage struct {
	Name     string    `json:"name"`
	State    string    `json:"state"` // as of Summary
	Scope    string    `json:"scope"`
	Started  time.Time `json:"started,omitzero"`
	CPU      *float64  `json:"cpu"`     // percent of one CPU: 200 is two
	Memory   *uint64   `json:"memory"`  // bytes
	Tasks    *uint64   `json:"tasks"`   // processes and threads
	Read     *float64  `json:"read"`    // bytes a second, from block devices
	Written  *float64  `json:"written"` // bytes a second, to block devices
	Pressure Pressure  `json:"pressure"`
	Refused  *uint64   `json:"refused"` // system calls, by mountguard since the start; nil without one
}

// Pressure is the percentage of the last ten seconds in which at least one task
// waited for a resource: "some avg10" of PSI, see Linux'
// Documentation/accounting/psi.rst.
type Pressure struct {
	CPU    *float64 `json:"cpu"`
	Memory *float64 `json:"memory"`
	IO     *float64 `json:"io"`
}

// Sample is what all containers used at one time.
type Sample struct {
	Time       time.Time `json:"time"`
	Containers []Usage   `json:"containers"` // by name
}

// Top takes samples of what the containers use:
//
//	var top launcher.Top
//	defer top.Close()
//	for range time.Tick(time.Second) {
//		sample, err := top.Sample(ctx)
//		…
//	}
//
// The zero value is ready. One goroutine may use it at a time.
type Top struct {
	manager   *units.Manager    // nil: not connected
	scopes    map[string]*scope // what is known for as long as their cgroups are there, by container
	meter     meter
	refusals  refusals
	processes processMeter
}

// scope is where a container's numbers are.
type scope struct {
	name    string
	state   string
	cgroup  string // the directory; "" while there is none
	inode   uint64 // of it
	started time.Time
}

// Close ends the connection to systemd. The next sample makes another one.
func (t *Top) Close() {
	if t.manager != nil {
		t.manager.Close()
	}
	t.manager = nil
}

// Sample looks at all containers. Rates are over the time since the sample before.
// After an error the next call connects to systemd anew.
func (t *Top) Sample(ctx context.Context) (Sample, error) {
	if err := t.look(ctx); err != nil {
		t.Close()
		return Sample{}, err
	}
	scopes := slices.SortedFunc(maps.Values(t.scopes), func(a, b *scope) int { return strings.Compare(a.name, b.name) })
	sample := Sample{Time: time.Now(), Containers: t.meter.read(scopes)}
	t.refusals.ask(scopes)
	for i := range sample.Containers {
		sample.Containers[i].Refused = t.refusals.of(sample.Containers[i].Name)
	}
	return sample, nil
}

// look finds out which containers there are, as List does. Where their cgroups are
// is systemd's to say: it is asked once for each, since the answer is long.
func (t *Top) look(ctx context.Context) (err error) {
	if t.manager == nil {
		if t.manager, err = units.Connect(ctx); err != nil {
			return err
		}
	}
	names, err := Names()
	if err != nil {
		return err
	}
	list, err := t.manager.ListScopes(ctx, "berth-")
	if err != nil {
		return err
	}
	found := make(map[string]*scope, len(list))
	for _, unit := range list {
		if unit.ActiveState == "inactive" || unit.ActiveState == "failed" {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(unit.Name, "berth-"), ".scope")
		_, supervised := slices.BinarySearch(names, name)
		s, err := t.scope(ctx, name, unit, supervised)
		if err != nil {
			return err
		}
		if s != nil {
			found[name] = s
		}
	}
	for _, name := range names {
		if found[name] == nil {
			found[name] = &scope{name: name, state: "starting"}
		}
	}
	t.scopes = found
	return ctx.Err()
}

// scope returns what is known about a scope, nil for one that has ended while it
// was looked at.
func (t *Top) scope(ctx context.Context, name string, unit units.UnitStatus, supervised bool) (*scope, error) {
	s := &scope{name: name, state: unit.SubState}
	if known := t.scopes[name]; known != nil && known.inode != 0 && inode(known.cgroup) == known.inode {
		s.cgroup, s.inode, s.started = known.cgroup, known.inode, known.started
	} else {
		all, err := t.manager.Unit(ctx, unit.Name)
		if errors.Is(err, units.ErrNoUnit) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		s.started = all.Active
		if all.ControlGroup != "" {
			s.cgroup = filepath.Join(kernel.CgroupRoot, all.ControlGroup)
			s.inode = inode(s.cgroup)
		}
	}
	if !supervised && !isSupervised(name) {
		s.state = unsupervised
		if populated, err := kernel.CgroupPopulated(s.cgroup); err != nil || !populated {
			return nil, nil
		}
	}
	return s, nil
}

// isSupervised is for a name that isn't among Names: it may have become one since
// then, or only root may know.
func isSupervised(name string) bool {
	var gone *NotRunningError
	_, err := ReadState(name)
	return !errors.As(err, &gone)
}
