package launcher

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"berth/internal/kernel"
	"berth/mountguard"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// guarded tells whether there is something for a guard to do.
func (p *Plan) guarded() bool { return p.Guard.Enabled && len(p.Traps) > 0 }

// guardTrap is the filter by which calls come to the guard; nil if there are
// none that get that far.
func guardTrap(p *Plan) (*kernel.Filter, error) {
	if !p.guarded() {
		return nil, nil
	}
	code, err := mountguard.Filter(p.Guard)
	if err != nil {
		return nil, err
	}
	// A signal can't interrupt a call that the guard has taken: Linux 5.19.
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	return &kernel.Filter{Code: code, Flags: flags}, nil
}

// startGuard makes the guard, once all initial mounts are there.
func (s *start) startGuard() error {
	pid := s.child.Pid
	namespace, err := kernel.OpenNS(pid, "mnt")
	if err != nil {
		return err
	}
	initial, err := s.initialMounts(pid, namespace)
	if err != nil {
		namespace.Close()
		return err
	}
	s.views = &views{stage: s.stage, thread: s.thread, relay: s.relay}
	s.guard, err = mountguard.New(mountguard.Options{
		Policy: s.plan.Guard, Initial: initial, Namespace: namespace, Views: s.views,
		Refused: s.logRefusal,
		Failed: func(err error) {
			s.Warn("mountguard has given up, and mounting fails in the container from now on: " + err.Error())
		},
	})
	if err != nil {
		namespace.Close()
		return cannot("start mountguard", err)
	}
	return nil
}

// stopServing ends what has served the container and other berth processes. What of
// the stage that has needed is closed on the stage's thread, by closeStage: something
// may be being carried out there.
func (s *start) stopServing() {
	if s.control != nil {
		s.control.close()
	}
	if s.binder != nil {
		s.binder.close()
	}
	if s.guard != nil {
		s.guard.Close()
	}
}

func (s *start) closeStage() error {
	if s.relay != nil {
		s.relay.close()
	}
	s.stage.close()
	return nil
}

// initialMounts lists the container's mounts as they are before anything runs
// in it, but with paths of its root to be.
func (s *start) initialMounts(pid int, namespace *os.File) ([]mountguard.Initial, error) {
	mounts, err := kernel.MountsOf(pid)
	if err != nil {
		return nil, err
	}
	ids, err := uniqueIDs(namespace)
	if err != nil {
		return nil, err
	}
	var list []mountguard.Initial
	for _, m := range mounts {
		if !within(m.Target, stageRoot) {
			continue
		}
		i := initialMount(m, ids)
		i.Path = "/" + strings.TrimPrefix(m.Target[len(stageRoot):], "/")
		i.Fixed = true // it is there, but the kernel has not locked what a mount's own tree has on top
		list = append(list, i)
	}
	for _, t := range s.stage.trees {
		s.loosen(list, t)
	}
	return list, nil
}

// initialMount is a mount as the guard knows it, without where it is.
func initialMount(m kernel.MountInfo, ids mountIDs) mountguard.Initial {
	return mountguard.Initial{
		Mount:  mountguard.Mount{ID: ids.of(m.ID), Parent: ids.of(m.Parent), Device: m.Number(), Root: m.Root},
		Locked: lockedFlags(m.Flags),
		Host:   m.Type != "proc" && m.Type != "mqueue" && m.Type != "devpts", // these the container's first process has opened
		Common: m.Type == "cgroup2" || m.Type == "mqueue",
	}
}

// loosen notes of the top of a tree what the kernel has not locked.
func (s *start) loosen(list []mountguard.Initial, t *tree) {
	for i := range slices.Backward(list) {
		if list[i].Path != t.target {
			continue
		}
		list[i].Fixed = t.fixed
		list[i].Locked &^= mountguard.Attr(t.own) // in the bits of MOUNT_ATTR_*, both
		return
	}
}

func lockedFlags(flags []string) mountguard.Attr {
	var locked mountguard.Attr
	for name, attr := range map[string]mountguard.Attr{
		"ro": mountguard.ReadOnly, "nosuid": mountguard.NoSUID, "nodev": mountguard.NoDev, "noexec": mountguard.NoExec,
	} {
		if slices.Contains(flags, name) {
			locked |= attr
		}
	}
	return locked
}

// mountIDs turns the IDs of mountinfo into those that are never used again.
// Empty, on kernels without them, it leaves them as they are.
type mountIDs map[uint64]uint64

func (ids mountIDs) of(id uint64) uint64 {
	if unique, ok := ids[id]; ok {
		return unique
	}
	return id
}

func uniqueIDs(namespace *os.File) (mountIDs, error) {
	id, err := kernel.MountNamespaceID(namespace)
	if err != nil {
		return nil, nil // Linux before 6.11
	}
	all, err := kernel.ListMounts(id, kernel.AllMounts)
	if err != nil {
		return nil, err
	}
	ids := mountIDs{}
	for _, unique := range all {
		st, err := kernel.StatMount(id, unique)
		if errors.Is(err, unix.ENOENT) {
			continue // one of the host's that is unmounted just now
		}
		if err != nil {
			return nil, err
		}
		ids[uint64(st.OldID)] = unique
	}
	return ids, nil
}

// refusedID is the MESSAGE_ID of a refusal in the journal. See
// systemd.journal-fields(7).
const refusedID = "4c1a7c5e9ab94c3aa6d1e2f0b8d3750f"

// logRefusal writes a refusal to the journal of the container's unit.
func (s *start) logRefusal(r mountguard.Refusal) {
	what := fmt.Sprintf("mountguard refused %s of %q[%d]: %s (%s)", r.Call.Text(), r.Command, r.PID, r.Errno.Error(), r.Rule)
	if r.Skipped > 0 {
		what += fmt.Sprintf("; %d more were refused before", r.Skipped)
	}
	fields := map[string]string{
		"MESSAGE_ID": refusedID, "SYSLOG_IDENTIFIER": "berth", "OBJECT_PID": strconv.Itoa(s.child.Pid),
		"CONTAINER_NAME": s.plan.Name, "CONTAINER_SCOPE": s.plan.Unit.Scope,
		"GUARD_PID": strconv.Itoa(r.PID), "GUARD_TID": strconv.Itoa(r.TID), "GUARD_COMM": r.Command,
		"GUARD_CALL": r.Call.Name, "GUARD_FLAGS": strings.Join(r.Call.FlagNames(), "|"), "GUARD_RULE": string(r.Rule),
		"GUARD_PATH": r.Call.Target.Name, "GUARD_SOURCE": r.Call.Source.Name, "GUARD_MOUNT": r.Path,
		"GUARD_ERRNO": unix.ErrnoName(r.Errno), "GUARD_CAUSE": r.Cause, "GUARD_SKIPPED": strconv.Itoa(r.Skipped),
	}
	for name, value := range fields {
		if value == "" {
			delete(fields, name)
		}
	}
	_ = journal.Send(what, journal.PriNotice, fields) // nobody waits for it
}
