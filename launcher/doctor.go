package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"berth/internal/kernel"
	"berth/units"

	"golang.org/x/sys/unix"
)

// Report is what a host can do and can't.
type Report struct {
	Rows       []Row        `json:"rows"`
	Unenforced []Unenforced `json:"unenforced"` // settings that can't be enforced here, by reason
}

// Row is one thing that was looked at.
type Row struct {
	Subject string  `json:"subject"` // kernel, sandbox, ID-mapped mounts, cgroups, systemd, IDs
	Name    string  `json:"name"`
	State   Verdict `json:"state"`
	Detail  string  `json:"detail,omitempty"` // what was found; unless yes: why, and what to do
}

// Verdict is whether the host has something.
type Verdict string

const (
	VerdictYes     Verdict = "yes"
	VerdictNo      Verdict = "no"
	VerdictLimited Verdict = "limited" // there, but not as it should be
	VerdictUnknown Verdict = "unknown" // can't be found out without root
)

// Unenforced are settings of [resources] and [sandbox] that a start refuses on
// this host.
type Unenforced struct {
	Reason   string   `json:"reason"`
	Settings []string `json:"settings"`
}

// doctorTimeout is how long an unresponsive systemd can keep everybody waiting.
const doctorTimeout = 5 * time.Second

// Doctor looks at this host. What the kernel can do it finds out by trying, in a
// user namespace or on a thread of its own where that would change anything, and
// without root as far as that goes. The error is about the looking itself.
func Doctor(ctx context.Context) (*Report, error) {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	systemd := connect(ctx) // while the kernel is asked
	defer systemd.close()
	mounts, err := kernel.Mounts()
	if err != nil {
		return nil, err
	}
	d := &doctor{ctx: ctx, root: unix.Geteuid() == 0, mountList: mounts}
	d.kernel()
	d.sandbox()
	d.idmaps()
	d.cgroups()
	d.systemd(systemd)
	d.ids()
	return &Report{Rows: d.rows, Unenforced: d.unenforced()}, nil
}

// doctor is a report in the making.
type doctor struct {
	ctx       context.Context
	root      bool
	mountList []kernel.MountInfo
	rows      []Row
	subject   string
	unified   bool  // cgroups are the unified hierarchy
	host      Host  // for unenforced
	bpf       error // why systemd can't attach programs; nil also where that is unknown
}

func (d *doctor) row(name string, state Verdict, format string, args ...any) {
	d.rows = append(d.rows, Row{Subject: d.subject, Name: name, State: state, Detail: fmt.Sprintf(format, args...)})
}

// tried notes the outcome of a probe. without says what is missing when it
// fails.
func (d *doctor) tried(name string, err error, without string) {
	switch {
	case err == nil:
		d.row(name, VerdictYes, "")
	case d.needsRoot(err):
		d.row(name, VerdictUnknown, "needs root")
	case errors.Is(err, unix.ENOSYS):
		d.row(name, VerdictNo, "%s (this kernel does not have it, or a seccomp filter around berth hides it)", without)
	default:
		d.row(name, VerdictNo, "%s (%v)", without, err)
	}
}

// needsRoot tells whether a probe failed because of who tried.
func (d *doctor) needsRoot(err error) bool {
	return !d.root && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES))
}

// aside calls f on a thread that is thrown away after it.
func aside(f func() error) error {
	t := kernel.NewThread()
	defer t.Stop()
	return t.Do(f)
}

// systemd looks at systemd and its services.
func (d *doctor) systemd(c *connection) {
	d.subject = "systemd"
	manager, err := c.get()
	if err != nil {
		d.row("D-Bus", VerdictNo, "%v: nothing can be started without it", err)
	} else {
		d.row("D-Bus", VerdictYes, "the system bus answers")
		d.version(manager)
	}
	stream, err := units.OpenJournalStream(units.Stream{Identifier: "berth-doctor", Priority: priorityOut})
	if err != nil {
		d.row("journal", VerdictNo, "%v: a container's output is not kept", err)
	} else {
		stream.Close()
		d.row("journal", VerdictYes, "journald takes streams")
	}
	if manager == nil {
		return
	}
	d.service(manager, "systemd-machined", "machinectl does not list containers: the package systemd-container has it, systemctl start systemd-machined starts it")
	d.service(manager, "systemd-resolved", "nothing depends on it: with network.mode = \"host\" a container gets /etc/resolv.conf as it is")
}

func (d *doctor) version(manager *units.Manager) {
	version, err := manager.Version(d.ctx)
	switch {
	case err != nil:
		d.row("version", VerdictNo, "%v", err)
		return
	case version < oldestSystemd:
		d.row("version", VerdictLimited, "%d: berth is tested with %d and newer", version, oldestSystemd)
	default:
		d.row("version", VerdictYes, "%d", version)
	}
	d.host.SystemdVersion = version
}

func (d *doctor) service(manager *units.Manager, name, without string) {
	unit, err := manager.Unit(d.ctx, name+".service")
	switch {
	case errors.Is(err, units.ErrNoUnit):
		d.row(name, VerdictNo, "not installed: %s", without)
	case err != nil:
		d.row(name, VerdictNo, "%v", err)
	case unit.ActiveState != "active":
		d.row(name, VerdictNo, "%s: %s", unit.ActiveState, without)
	default:
		d.row(name, VerdictYes, "running")
	}
}

// unenforced asks of every setting what a plan would.
func (d *doctor) unenforced() []Unenforced {
	if !d.unified {
		return nil // there are no containers at all
	}
	if d.host.SystemdVersion == 0 {
		d.host.SystemdVersion = 1 << 30 // not known: nothing is said about it
	}
	var list byReason
	for _, name := range units.Names() {
		setting, err := units.Lookup(name)
		if err != nil {
			continue // impossible for a name from the list
		}
		reason := d.host.cannotEnforce(setting)
		if reason == "" && setting.BPF && d.bpf != nil {
			reason = fmt.Sprintf("this kernel takes no BPF programs for cgroups (%v)", d.bpf)
		}
		if reason != "" {
			list.add(reason, name)
		}
	}
	for _, p := range d.sandboxProblems() {
		list.add(p.Reason, p.Setting)
	}
	return list
}

// byReason has each reason once.
type byReason []Unenforced

func (l *byReason) add(reason, setting string) {
	i := slices.IndexFunc(*l, func(u Unenforced) bool { return u.Reason == reason })
	if i < 0 {
		i = len(*l)
		*l = append(*l, Unenforced{Reason: reason})
	}
	(*l)[i].Settings = append((*l)[i].Settings, setting)
}

// readLine returns the first line of a file, "" where there is none.
func readLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}
