package mountguard

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// Policy is what a container's file says about its initial mounts.
type Policy struct {
	Enabled bool `json:"enabled"`
	// Remounts: what was mounted read-only, nosuid, nodev or noexec may be made
	// otherwise. It is Initial.Locked that has the consequences.
	Remounts bool `json:"immutable_remounts"`
	Unmounts bool `json:"immutable_unmounts"` // initial mounts may be unmounted
	// KeepProc: /proc hides processes or files by its options, which its superblock
	// has. No superblock can be reconfigured then.
	KeepProc bool `json:"keep_proc"`
}

// Situation is what a call meets: where its paths lead at this moment. What is
// nil could not be found out.
type Situation struct {
	Own     bool // the caller is in the container's own mount namespace
	Target  *Place
	Source  *Place
	Context bool // MakeMount: the context is one that the guard has opened
	View    bool // Unmount: the target is a procfs or sysfs with masks on it, and nothing else
	Made    bool // Move: the source is a mount that the guard has made, attached nowhere yet
}

// Action is what becomes of a call.
type Action string

const (
	// Continue lets the kernel carry the call out with the caller's arguments,
	// which another thread may have changed by then: only for what the kernel's own
	// locks keep within bounds, whatever the arguments say.
	Continue Action = "continue"
	// Perform: the guard carries it out, with the arguments that it has copied.
	Perform Action = "perform"
	// Refuse: it fails with the verdict's errno.
	Refuse Action = "refuse"
)

// Verdict is the policy's answer.
type Verdict struct {
	Action Action
	Errno  syscall.Errno // Refuse: never 0
	Rule   Rule          // Refuse and Perform
	Path   string        // of the initial mount that it is about, in the container; "" for none
}

// Rule names why, for people and for who searches the journal.
type Rule string

const (
	KeepFlags      Rule = "keep-flags"      // read-only, nosuid, nodev and noexec of an initial mount stay
	KeepInPlace    Rule = "keep-in-place"   // /, /proc, /sys and masks can't be unmounted
	KeepMounted    Rule = "keep-mounted"    // immutable_unmounts = "deny"
	NoMove         Rule = "no-move"         // initial mounts stay where they are
	KeepSuperblock Rule = "keep-superblock" // it is the host's, or hides what it shall hide
	KeepRoot       Rule = "keep-root"       // the container's own mount namespace keeps its root
	MaskedView     Rule = "masked-view"     // a procfs or sysfs with the masks of the container's
	FlagsOnly      Rule = "flags-only"      // of a remount, the flags of the one mount
	BadArguments   Rule = "bad-arguments"   // the kernel would refuse it as well
	Internal       Rule = "internal-error"  // the guard failed, and refuses
)

// Judge decides about a call. It is pure: the same arguments have the same answer.
//
// Each Continue is safe because the kernel decides once more, on arguments that
// may have changed, by locks that were set when the initial mounts came into the
// container: flags of Initial.Locked stay on each copy, what is Initial.Fixed
// stays in place, a procfs or sysfs without the masks is never made, and a
// superblock of the host's is never reconfigured. What registers say can't change:
// a call stays what it is, Move and Pivot above all, which nothing locks.
func (p Policy) Judge(t *Table, c Call, s Situation) Verdict {
	switch c.Operation {
	case Unmount:
		return p.unmount(t, c, s)
	case Move:
		return move(t, c, s)
	case NewMount, OpenFS:
		if isView(c.FS) {
			return Verdict{Action: Perform, Rule: MaskedView}
		}
	case MakeMount:
		if s.Context {
			return Verdict{Action: Perform, Rule: MaskedView}
		}
	case Remount, SetAttr, CloneAttr:
		return keepFlags(t, c, s.Target)
	case Reconfigure:
		return p.reconfigure(t, c, s)
	case Configure:
		if p.KeepProc {
			return refuse(syscall.EPERM, KeepSuperblock, nil)
		}
	case Pivot:
		if s.Own {
			return Verdict{Action: Refuse, Errno: syscall.EPERM, Rule: KeepRoot, Path: "/"}
		}
	case Bind, Propagation:
		// Copies keep the locks, and what is the host's is slave only.
	default:
		return refuse(syscall.EPERM, Internal, nil)
	}
	return Verdict{Action: Continue}
}

// Undecoded is the verdict on a call with which Decode returned an error.
func Undecoded(err error) Verdict {
	var errno syscall.Errno
	switch {
	case errors.Is(err, ErrKernelRefuses):
		return Verdict{Action: Continue}
	case errors.As(err, &errno) && errno != 0:
		return refuse(errno, BadArguments, nil)
	}
	return refuse(syscall.EPERM, Internal, nil)
}

func refuse(errno syscall.Errno, rule Rule, about *Initial) Verdict {
	v := Verdict{Action: Refuse, Errno: errno, Rule: rule}
	if about != nil {
		v.Path = about.Path
	}
	return v
}

// unmount: what is fixed stays, also what /proc and /sys hide in a copy of the
// container's mounts for another namespace. The errno is not the kernel's EINVAL,
// which says that nothing is mounted there.
//
// The masks of a view that the guard has made would keep its top busy for ever:
// it is unmounted with them.
func (p Policy) unmount(t *Table, c Call, s Situation) Verdict {
	at := s.Target
	if at == nil || !at.Top {
		return Verdict{Action: Continue}
	}
	i := t.exact(at.Mount)
	if i == nil {
		if i = t.mask(at); i == nil {
			if s.View && c.Flags&^(unmountForce|unmountNoFollow) == 0 {
				return Verdict{Action: Perform, Rule: MaskedView}
			}
			return Verdict{Action: Continue}
		}
		return refuse(syscall.EBUSY, KeepInPlace, i)
	}
	switch {
	case i.Path == "/" || i.Path == "/proc" || i.Path == "/sys":
		return refuse(syscall.EBUSY, KeepInPlace, i)
	case i.Fixed && inView(i.Path):
		return refuse(syscall.EBUSY, KeepInPlace, i)
	case !p.Unmounts:
		return refuse(syscall.EPERM, KeepMounted, i)
	case i.Fixed:
		return refuse(syscall.EPERM, KeepInPlace, i)
	}
	return Verdict{Action: Continue}
}

// move: no kernel lock keeps an initial mount that may be unmounted from being
// moved, so that in the container's own mount namespace every move is the
// guard's. In others there are copies only.
//
// An initial mount moves with what it is mounted on, which is another initial one
// unless it was added on a mount of the container's, or the container puts a mount
// between them.
func move(t *Table, c Call, s Situation) Verdict {
	if s.Made { // the guard lets go of it then
		return Verdict{Action: Perform, Rule: MaskedView}
	}
	if !s.Own {
		return Verdict{Action: Continue}
	}
	if s.Source != nil && s.Source.Top {
		if i := t.exact(s.Source.Mount); i != nil {
			return refuse(syscall.EPERM, NoMove, i)
		}
		if i := t.on(s.Source.Mount); i != nil {
			return refuse(syscall.EPERM, NoMove, i)
		}
	}
	if c.beneath() && s.Target != nil && s.Target.Top {
		if i := t.exact(s.Target.Mount); i != nil {
			return refuse(syscall.EPERM, NoMove, i)
		}
	}
	return Verdict{Action: Perform, Rule: NoMove}
}

func (c Call) beneath() bool { return c.Name == "move_mount" && c.Flags&moveBeneath != 0 }

// keepFlags refuses what the kernel would refuse as well. Other than a copy, a
// mount is changed by a path to its root directory only.
func keepFlags(t *Table, c Call, at *Place) Verdict {
	if at == nil || c.Drops == 0 || !at.Top && c.Operation != CloneAttr {
		return Verdict{Action: Continue}
	}
	if i := t.dropped(at, c.Drops, c.Recursive); i != nil {
		return refuse(syscall.EPERM, KeepFlags, i)
	}
	return Verdict{Action: Continue}
}

// reconfigure: a remount that says nothing but flags of a mount is one of the
// mount, where the superblock is the host's.
func (p Policy) reconfigure(t *Table, c Call, s Situation) Verdict {
	if v := keepFlags(t, c, s.Target); v.Action == Refuse {
		return v
	}
	var i *Initial
	if s.Target != nil && s.Target.Top {
		i = t.original(s.Target.Mount)
	}
	switch {
	case i != nil && i.Host && s.Own && t.exact(s.Target.Mount) != nil && c.flagsOnly():
		return Verdict{Action: Perform, Rule: FlagsOnly, Path: i.Path}
	case p.KeepProc || i != nil && i.Host:
		return refuse(syscall.EPERM, KeepSuperblock, i)
	}
	return Verdict{Action: Continue}
}

// flagsOnly tells whether a Reconfigure asks for nothing that only a superblock
// has.
func (c Call) flagsOnly() bool {
	const superblock = unix.MS_SYNCHRONOUS | unix.MS_MANDLOCK | unix.MS_DIRSYNC |
		unix.MS_POSIXACL | unix.MS_I_VERSION | unix.MS_LAZYTIME
	return c.Name == "mount" && c.Data == "" && c.Flags&superblock == 0
}

// Flags of umount2(2) with which it is still plain.
const (
	unmountForce    = 0x1 // MNT_FORCE
	unmountNoFollow = 0x8 // UMOUNT_NOFOLLOW
)
