package launcher

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"berth/config"
	"berth/internal/kernel"
	"berth/internal/nsinit"
	"berth/internal/trace"
	"berth/learn"

	"golang.org/x/sys/unix"
)

// Learn runs a container as Run does, but without the walls of its sandbox, and
// returns what its payload did. What its profile and its file give the payload,
// such as mounts, directories and limits, is as ever. A payload that fails is no
// error: what it did until then is known.
func (l *Launcher) Learn(ctx context.Context, c *config.Container, o Options) (learn.Recording, int, error) {
	names, err := readNames()
	if err != nil {
		return learn.Recording{}, 0, err
	}
	run, learner := *l, &learner{names: names}
	run.observer = learner
	status, err := run.Run(ctx, withoutWalls(c), o)
	recordings := make([]learn.Recording, 0, len(learner.recorders))
	for _, r := range learner.recorders {
		recording, stopErr := r.stop()
		err = errors.Join(err, stopErr)
		recordings = append(recordings, recording)
	}
	all := learn.Merge(recordings...)
	all.Name = c.Name
	return all, status, err
}

// LearnedFrom makes the profile of what was recorded of a container, for a
// version of systemd.
func LearnedFrom(c *config.Container, r learn.Recording, version int) (learn.Profile, error) {
	settings, _ := parseSandbox(c)
	p := learn.Derive(r, learn.Facts{
		SystemdVersion:   version,
		PrivateNetwork:   c.Network.Mode == "private" || settings.PrivateNetwork,
		HostUsers:        c.Users.Map == "host",
		WorkingDirectory: c.Process.WorkingDirectory,
		Ambient:          upper(settings.AmbientCapabilities.Names()),
	})
	p.Description = "learned from " + c.Name
	p.Sandbox = append(given(c, p.Sandbox), p.Sandbox...)
	before, err := AssessSecurity(c, version)
	if err != nil {
		return p, err
	}
	after, err := AssessSecurity(withProfile(c, p), version)
	if err != nil {
		return p, err
	}
	p.Comments = []string{
		"Learned by berth from what " + c.Name + " did. To use it, write in the container's",
		"file: profile = \"./THIS.toml\"",
		"",
		"Exposure, as systemd-analyze security scores it: " + score(before) + " before, " + score(after) + " with this.",
	}
	if r.Lost > 0 {
		p.Comments = append(p.Comments, "", "Some of what it did could not be kept: it may lack something here.")
	}
	return p, nil
}

func score(s *Security) string { return s.Report.Exposure.String() + " " + string(s.Report.Rating) }

func upper(words []string) []string {
	for i, w := range words {
		words[i] = strings.ToUpper(w)
	}
	return words
}

// walls are the settings that only take something away: those that learning turns
// off for the recording, and finds anew.
func walls() []string {
	return []string{
		"ProtectSystem", "ProtectHome", "ProtectProc", "ProcSubset", "ProtectKernelTunables", "ProtectKernelModules",
		"ProtectKernelLogs", "ProtectClock", "ProtectControlGroups", "ProtectHostname", "PrivateDevices", "PrivateBPF",
		"ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths",
		"RestrictAddressFamilies", "RestrictNamespaces", "RestrictFileSystems", "RestrictRealtime", "RestrictSUIDSGID",
		"LockPersonality", "MemoryDenyWriteExecute", "NoNewPrivileges", "SecureBits", "CapabilityBoundingSet",
		"SystemCallFilter", "SystemCallErrorNumber", "SystemCallArchitectures", "SystemCallLog",
	}
}

// resourceWalls are those among the unit's settings.
func resourceWalls() []string {
	return []string{"IPAddressAllow", "IPAddressDeny", "SocketBindAllow", "SocketBindDeny", "RestrictNetworkInterfaces"}
}

// withoutWalls is the container as it is recorded.
func withoutWalls(c *config.Container) *config.Container {
	open := *c
	open.Sandbox = slices.DeleteFunc(slices.Clone(c.Sandbox), func(s config.Setting) bool { return slices.Contains(walls(), s.Name) })
	open.Resources = slices.DeleteFunc(slices.Clone(c.Resources), func(s config.Setting) bool {
		return slices.Contains(resourceWalls(), s.Name) || s.Name == "TasksMax" && s.Pos.File != c.File // a profile's
	})
	return &open
}

// given are the settings of the container's profile that are no walls: a profile
// in its place has to give the same.
func given(c *config.Container, learned []learn.Assignment) []learn.Assignment {
	var kept []learn.Assignment
	for _, s := range withoutWalls(c).Sandbox {
		if s.Pos.File == c.File || slices.ContainsFunc(learned, func(a learn.Assignment) bool { return a.Name == s.Name }) {
			continue
		}
		kept = append(kept, learn.Assignment{Name: s.Name, Values: s.Values})
	}
	return kept
}

// withProfile is the container with a profile in place of its own, and nothing of
// the walls of its file.
func withProfile(c *config.Container, p learn.Profile) *config.Container {
	with := withoutWalls(c)
	with.Sandbox = slices.DeleteFunc(with.Sandbox, func(s config.Setting) bool { return s.Pos.File != c.File })
	var sandbox, resources []config.Setting
	for _, a := range p.Sandbox {
		sandbox = append(sandbox, config.Setting{Name: a.Name, Values: a.Values})
	}
	for _, a := range p.Resources {
		resources = append(resources, config.Setting{Name: a.Name, Values: a.Values})
	}
	with.Sandbox = slices.Concat(sandbox, with.Sandbox)
	with.Resources = mergeResources(slices.Concat(resources, with.Resources))
	return with
}

// learner records each life of a container: with BPF, and where the kernel has
// none, by trapping the payload's system calls, which slows it down.
type learner struct {
	names     *callNames
	recorders []*recorder
}

// recorder records one life of a container.
type recorder struct {
	trace interface{ Stop() (trace.Record, error) } // nil: there is no payload yet
	files *fileLog
	names *callNames
}

func (l *learner) observe(cgroup string, child int) (trap bool, err error) {
	r := &recorder{files: &fileLog{child: child}, names: l.names}
	o := r.options()
	o.Cgroup = filepath.Join(kernel.CgroupRoot, cgroup)
	tracing, err := trace.Start(o)
	var unavailable *trace.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		trap = true
	case err != nil:
		return false, err
	default:
		r.trace = tracing
	}
	l.recorders = append(l.recorders, r)
	return trap, nil
}

func (r *recorder) options() trace.Options {
	return trace.Options{Watches: r.names.watches(), Use: r.files.add}
}

func (l *learner) trap() *kernel.Filter {
	f := trace.NotifyFilter(nsinit.LauncherFD)
	code := unsafe.Slice((*byte)(unsafe.Pointer(&f[0])), len(f)*int(unsafe.Sizeof(f[0])))
	return &kernel.Filter{Code: code, Flags: unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}
}

func (l *learner) trapped(listener *os.File) error {
	r := l.recorders[len(l.recorders)-1]
	listening, err := trace.Listen(listener, r.options())
	if err != nil {
		return err
	}
	r.trace = listening
	return nil
}

func (r *recorder) stop() (learn.Recording, error) {
	if r.trace == nil {
		return learn.Recording{}, nil // it did not get as far as the payload
	}
	record, err := r.trace.Stop()
	if err != nil {
		return learn.Recording{}, cannot("end the recording", err)
	}
	recording := r.names.recording(record)
	recording.Files = r.files.list()
	return recording, nil
}
