package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"berth/internal/kernel"
	"berth/mountguard"
	"berth/units"
)

// Summary is a line of berth ps.
type Summary struct {
	Name    string    `json:"name"`
	State   string    `json:"state"` // systemd's of the scope: running, stop-sigterm …; "starting"; "paused": the freezer holds it; "unsupervised": its berth was killed
	Scope   string    `json:"scope"`
	PID     int       `json:"pid,omitempty"` // of the payload, on the host
	Started time.Time `json:"started,omitzero"`
	Base    uint32    `json:"base,omitempty"` // first host ID
	Size    uint32    `json:"size,omitempty"`
	Root    string    `json:"root,omitempty"`
	Command []string  `json:"command,omitempty"`
	Tasks   *uint64   `json:"tasks"`  // nil: not counted on this host
	Memory  *uint64   `json:"memory"` // bytes; nil: not counted on this host
}

// List lists the containers by name: those that systemd has a scope of, and those that
// are starting.
func List(ctx context.Context) ([]Summary, error) {
	manager, err := units.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer manager.Close()
	names, err := Names()
	if err != nil {
		return nil, err
	}
	scopes, err := manager.ListScopes(ctx, "berth-")
	if err != nil {
		return nil, err
	}
	list := make([]Summary, 0, len(scopes))
	listed := map[string]bool{}
	for _, scope := range scopes {
		if scope.ActiveState == "inactive" || scope.ActiveState == "failed" {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(scope.Name, "berth-"), ".scope")
		summary := summarize(name, scope.SubState)
		if summary.State == unsupervised && !populated(ctx, manager, scope.Name) {
			continue // it has ended, and systemd is about to notice
		}
		listed[name] = true
		list = append(list, summary)
	}
	for _, name := range names {
		if !listed[name] {
			list = append(list, summarize(name, "starting"))
		}
	}
	slices.SortFunc(list, func(a, b Summary) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// populated tells whether there is a process in a scope.
func populated(ctx context.Context, manager *units.Manager, scope string) bool {
	unit, err := manager.Unit(ctx, scope)
	if err != nil || unit.ControlGroup == "" {
		return false
	}
	yes, err := kernel.CgroupPopulated(filepath.Join(kernel.CgroupRoot, unit.ControlGroup))
	return err == nil && yes
}

// unsupervised is the state of a container whose berth was killed.
const unsupervised = "unsupervised"

func summarize(name, state string) Summary {
	s := Summary{Name: name, State: state, Scope: ScopeName(name)}
	known, err := ReadState(name)
	if err != nil {
		var gone *NotRunningError
		if errors.As(err, &gone) {
			s.State = unsupervised
		}
		return s
	}
	s.PID, s.Started = known.Payload.PID, known.Started
	s.Base, s.Size = known.Users.Base, known.Users.Size
	s.Root, s.Command = known.Root, known.Process.Args
	if cgroup, err := known.cgroup(); err == nil {
		if state == "running" && isFrozen(cgroup) {
			s.State = paused
		}
		s.Memory = readNumber(filepath.Join(cgroup, "memory.current"))
		s.Tasks = readNumber(filepath.Join(cgroup, "pids.current"))
	}
	return s
}

// cgroup returns the directory of the scope's cgroup.
func (s *State) cgroup() (string, error) {
	path, err := kernel.CgroupOf(s.Leader.PID)
	if err != nil {
		return "", err
	}
	before, _, found := strings.Cut(path+"/", "/"+s.Scope+"/")
	if !found {
		return "", fmt.Errorf("PID %d is not in %s", s.Leader.PID, s.Scope)
	}
	return filepath.Join(kernel.CgroupRoot, before, s.Scope), nil
}

func readNumber(file string) *uint64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// Inspection is all about one container.
type Inspection struct {
	*State
	Paused     bool              `json:"paused"`
	Unit       UnitState         `json:"unit"`
	Namespaces map[string]string `json:"namespaces"` // kind to the kernel's name of it, as in /proc/PID/ns
	UIDMap     []IDMap           `json:"uid_map"`
	GIDMap     []IDMap           `json:"gid_map"`
	Mounts     []string          `json:"mounts"` // as in /proc/PID/mountinfo
	Added      []Added           `json:"added"`  // those of the mounts that berth bind has added
	Guard      []GuardCount      `json:"guard"`  // what mountguard has answered so far; null: nothing is asked of it
}

// GuardCount is how often a call had an end.
type GuardCount = mountguard.Count

// IDMap is a line of a user namespace's map.
type IDMap = kernel.IDMap

// UnitState is the scope as systemd sees it.
type UnitState struct {
	Active       string         `json:"active_state"`
	Sub          string         `json:"sub_state"`
	Slice        string         `json:"slice"`
	ControlGroup string         `json:"control_group"`
	InvocationID string         `json:"invocation_id"`
	Properties   map[string]any `json:"properties"`
}

// namespaceKinds are the namespaces that a container has, as in /proc/PID/ns.
var namespaceKinds = []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}

// Inspect gathers all about one container from its state, systemd and /proc.
func Inspect(ctx context.Context, name string) (*Inspection, error) {
	state, err := ReadState(name)
	if err != nil {
		return nil, err
	}
	leader, err := state.Leader.open()
	if err != nil {
		return nil, &NotRunningError{name}
	}
	defer leader.Close()
	manager, err := units.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer manager.Close()
	unit, err := manager.Unit(ctx, state.Scope)
	if err != nil {
		return nil, err
	}
	state.Container = nil
	i := &Inspection{State: state, Paused: state.paused(), Namespaces: map[string]string{}, Unit: UnitState{
		Active: unit.ActiveState, Sub: unit.SubState, Slice: unit.Slice, ControlGroup: unit.ControlGroup,
		InvocationID: unit.InvocationID, Properties: unit.Properties,
	}}
	proc := filepath.Join("/proc", strconv.Itoa(state.Leader.PID))
	for _, kind := range namespaceKinds {
		if i.Namespaces[kind], err = os.Readlink(filepath.Join(proc, "ns", kind)); err != nil {
			return nil, cannot("inspect the container", err)
		}
	}
	if i.UIDMap, err = readIDMap(filepath.Join(proc, "uid_map")); err != nil {
		return nil, cannot("inspect the container", err)
	}
	if i.GIDMap, err = readIDMap(filepath.Join(proc, "gid_map")); err != nil {
		return nil, cannot("inspect the container", err)
	}
	mounts, err := os.ReadFile(filepath.Join(proc, "mountinfo"))
	if err != nil {
		return nil, cannot("inspect the container", err)
	}
	i.Mounts = strings.Split(strings.TrimSpace(string(mounts)), "\n")
	reply, err := ask(ctx, name, controlRequest{}, nil, 0)
	i.Guard, i.Added = reply.Counts, reply.Added
	return i, err
}

func readIDMap(file string) ([]kernel.IDMap, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var maps []kernel.IDMap
	for line := range strings.Lines(string(data)) {
		var m kernel.IDMap
		if _, err := fmt.Sscan(line, &m.Container, &m.Host, &m.Size); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", file, err)
		}
		maps = append(maps, m)
	}
	return maps, nil
}
