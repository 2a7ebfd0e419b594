package launcher

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"berth/internal/fsguard"
	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// layoutCache is where it is kept what RestrictFileSystems= has to know about the
// running kernel.
const layoutCache = "/var/cache/berth/kernel"

func kernelLayout() fsguard.Layout { return fsguard.Layout{Dir: layoutCache} }

// canRestrictFileSystems tells whether the kernel enforces RestrictFileSystems=.
// Who isn't root can't try it out; a start does.
func canRestrictFileSystems() bool {
	if unix.Geteuid() != 0 {
		return fsguard.Asked() == nil
	}
	return fsguard.Probe(kernelLayout()) == nil
}

// fileSystems decides on which file systems files may be opened. Opening a file of
// an overlay opens one of a layer as well, and that one is judged: the overlays
// that this plan makes, where systemd's services see the layer itself, need not be
// named among the allowed. What is written to an overlay without a directory of
// its own lies on a tmpfs, and takes that type.
func (d *draft) fileSystems() {
	decided := d.decision.FileSystems
	if decided == nil {
		return
	}
	rule := &fsguard.Rule{Allow: decided.Allow, Magics: slices.Clone(decided.Magics)}
	overlaid := d.plan.Root.Type == "overlay" || slices.ContainsFunc(d.plan.Mounts, func(m Mount) bool { return m.Type == "overlay" })
	if rule.Allow && overlaid && !slices.Contains(rule.Magics, unix.OVERLAYFS_SUPER_MAGIC) {
		rule.Magics = append(rule.Magics, unix.OVERLAYFS_SUPER_MAGIC)
	}
	d.plan.FileSystems = rule
}

// guardFiles has the kernel judge every file that a process of the scope opens,
// from before there is a payload, whose program is the first. The container's
// first process is excepted: it reads the root's user database, and then either
// becomes the payload or executes berth's own PID 1.
func (s *start) guardFiles(scope string) error {
	if s.plan.FileSystems == nil {
		return nil
	}
	guard, err := fsguard.New(*s.plan.FileSystems, kernelLayout())
	if err != nil {
		return cannot("restrict the file systems", err)
	}
	defer guard.Close()
	exempt := fsguard.ThroughExec
	if s.plan.Setup.Process.Boot {
		exempt = fsguard.BeforeExec
	}
	if err := exemptProcess(guard, s.child.Pid, exempt); err != nil {
		return cannot("restrict the file systems", err)
	}
	cgroup, err := kernel.OpenPath(scope)
	if err != nil {
		return err
	}
	defer cgroup.Close()
	if err := guard.Attach(cgroup); err != nil {
		return cannot("restrict the file systems", err)
	}
	return nil
}

func exemptProcess(guard *fsguard.Guard, pid int, e fsguard.Exemption) error {
	pidfd, err := kernel.OpenPidfd(pid)
	if err != nil {
		return err
	}
	defer pidfd.Close()
	return guard.Exempt(pidfd, e)
}

// enterGuarded moves a command that is ready to be told what to do into the
// guarded cgroup of its container. It could not have been started there: berth
// itself may lie on a file system that the container has no use for.
func enterGuarded(guard *fsguard.Guard, pid int, cgroup *os.File) error {
	if err := exemptProcess(guard, pid, fsguard.BeforeExec); err != nil {
		return err
	}
	procs, err := kernel.OpenAt(cgroup, "cgroup.procs", unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer procs.Close()
	if _, err := procs.WriteString(strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("cannot enter the container's cgroup: %w", err)
	}
	return nil
}
