package mountguard

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// The file systems of a container's initial mounts, by their devices.
const (
	rootFS = iota + 1
	procFS
	sysFS
	dataFS
	tmpFS
	cgroupFS
	guestFS // made inside
)

// initialMounts are those of a container whose root is the host's and read-only.
// Their IDs begin at 100, as those of the container's own mounts do at 200.
func initialMounts() []Initial {
	mount := func(id, parent, device uint64, root string) Mount {
		return Mount{ID: id, Parent: parent, Device: device, Root: root}
	}
	return []Initial{
		{Mount: mount(100, 1, rootFS, "/"), Path: "/", Locked: ReadOnly, Fixed: true, Host: true},
		{Mount: mount(101, 100, procFS, "/"), Path: "/proc", Locked: NoSUID | NoDev | NoExec, Fixed: true, Host: true},
		{Mount: mount(102, 101, procFS, "/sys"), Path: "/proc/sys", Locked: Lockable, Fixed: true, Host: true},
		{Mount: mount(103, 101, tmpFS, "/inaccessible"), Path: "/proc/kcore", Locked: Lockable, Fixed: true, Host: true},
		{Mount: mount(104, 100, sysFS, "/"), Path: "/sys", Locked: Lockable, Fixed: true, Host: true},
		{Mount: mount(105, 104, cgroupFS, "/"), Path: "/sys/fs/cgroup", Locked: NoSUID | NoDev | NoExec, Fixed: true, Host: true, Common: true},
		{Mount: mount(106, 100, dataFS, "/srv"), Path: "/data", Locked: ReadOnly | NoSUID, Host: true},
		{Mount: mount(107, 106, tmpFS, "/inner"), Path: "/data/inner", Locked: ReadOnly | NoExec, Host: true},
		{Mount: mount(108, 100, dataFS, "/srv/www"), Path: "/www", Locked: NoSUID, Host: true},
		{Mount: mount(109, 100, tmpFS, "/tmp"), Path: "/tmp", Locked: NoDev},
		{Mount: mount(110, 200, dataFS, "/added"), Path: "/mnt/added", Locked: ReadOnly, Host: true},
		{Mount: mount(111, 101, dataFS, "/own"), Path: "/proc/own", Host: true},
	}
}

// on returns the place of an initial mount.
func on(id uint64) *Place {
	return &Place{Mount: NewTable(initialMounts()).byID[id].Mount, Top: true}
}

// copied returns the place of a copy of a part of a file system, made by the
// container.
func copied(device uint64, root string) *Place {
	return &Place{Mount: Mount{ID: 201, Parent: 300, Device: device, Root: root}, Top: true}
}

// hiding returns the place of a copy that is mounted in a copy of a procfs.
func hiding(device uint64, root, point string) *Place {
	p := copied(device, root)
	p.On, p.Point = &Mount{ID: 300, Device: procFS, Root: "/"}, point
	return p
}

// below is a path to a directory in a mount.
func below(p *Place) *Place {
	p.Top = false
	return p
}

func TestJudge(t *testing.T) {
	refused := func(errno syscall.Errno, rule Rule, path string) Verdict {
		return Verdict{Action: Refuse, Errno: errno, Rule: rule, Path: path}
	}
	goesOn := Verdict{Action: Continue}
	view := Verdict{Action: Perform, Rule: MaskedView}
	moved := Verdict{Action: Perform, Rule: NoMove}
	usual := Policy{Enabled: true, Unmounts: true}
	denied := Policy{Enabled: true}
	keeping := Policy{Enabled: true, Unmounts: true, KeepProc: true}
	remount := func(drops Attr) Call { return Call{Name: "mount", Operation: Remount, Drops: drops} }
	setAttr := func(drops Attr) Call { return Call{Name: "mount_setattr", Operation: SetAttr, Drops: drops} }
	tree := func(drops Attr) Call {
		return Call{Name: "mount_setattr", Operation: SetAttr, Drops: drops, Recursive: true}
	}
	clone := func(drops Attr) Call { return Call{Name: "open_tree_attr", Operation: CloneAttr, Drops: drops} }
	unmount := Call{Name: "umount2", Operation: Unmount}
	move := Call{Name: "move_mount", Operation: Move}
	beneath := Call{Name: "move_mount", Operation: Move, Flags: moveBeneath}
	reconfigure := Call{Name: "mount", Operation: Reconfigure, Flags: unix.MS_REMOUNT}
	pick := Call{Name: "fspick", Operation: Reconfigure}
	cases := []struct {
		name   string
		policy Policy
		call   Call
		meets  Situation
		want   Verdict
	}{
		// Flags.
		{"read-only stays", usual, remount(ReadOnly), Situation{Target: on(106)}, refused(unix.EPERM, KeepFlags, "/data")},
		{"nosuid stays", usual, remount(NoSUID), Situation{Target: on(108)}, refused(unix.EPERM, KeepFlags, "/www")},
		{"what isn't locked may go", usual, remount(NoDev | NoExec), Situation{Target: on(106)}, goesOn},
		{"read-only and back", usual, remount(ReadOnly), Situation{Target: on(108)}, goesOn},
		{"nothing is dropped", usual, remount(0), Situation{Target: on(106)}, goesOn},
		{"not the root of a mount", usual, remount(ReadOnly), Situation{Target: below(on(106))}, goesOn},
		{"nowhere", usual, remount(ReadOnly), Situation{}, goesOn},
		{"a mount of the container's", usual, remount(Lockable), Situation{Target: copied(guestFS, "/")}, goesOn},
		{"a copy", usual, setAttr(NoSUID), Situation{Target: copied(dataFS, "/srv/www/x")}, refused(unix.EPERM, KeepFlags, "/data")},
		{"a copy of one or the other", usual, setAttr(ReadOnly), Situation{Target: copied(dataFS, "/srv/www")}, goesOn},
		{"a copy of a directory beside", usual, setAttr(ReadOnly), Situation{Target: copied(dataFS, "/srv2")}, goesOn},
		{"a copy of the root", usual, setAttr(ReadOnly), Situation{Target: copied(rootFS, "/etc")}, refused(unix.EPERM, KeepFlags, "/")},
		{"a copy of a mask", usual, setAttr(ReadOnly), Situation{Target: copied(procFS, "/sys")}, goesOn},
		{"another file system with an ID that is used again", usual, remount(Lockable),
			Situation{Target: &Place{Mount: Mount{ID: 106, Device: guestFS, Root: "/srv"}, Top: true}}, goesOn},
		{"a cgroup2 that was mounted inside", usual, remount(NoExec), Situation{Target: copied(cgroupFS, "/")}, goesOn},
		{"the initial cgroup2", usual, remount(NoExec), Situation{Target: on(105)}, refused(unix.EPERM, KeepFlags, "/sys/fs/cgroup")},
		{"a tree with locked mounts", usual, tree(NoSUID), Situation{Target: on(100)}, refused(unix.EPERM, KeepFlags, "/proc")},
		{"a tree below which one is fixed", usual, tree(ReadOnly), Situation{Target: on(101)}, refused(unix.EPERM, KeepFlags, "/proc/sys")},
		{"a tree whose locked mount may be gone", usual, tree(NoExec), Situation{Target: on(106)}, goesOn},
		{"one mount of a tree", usual, setAttr(ReadOnly), Situation{Target: on(101)}, goesOn},
		{"a clone of a directory", usual, clone(ReadOnly), Situation{Target: below(on(106))}, refused(unix.EPERM, KeepFlags, "/data")},
		{"a clone of what isn't locked", usual, clone(NoExec), Situation{Target: below(on(106))}, goesOn},

		// Places.
		{"unmount /", usual, unmount, Situation{Target: on(100)}, refused(unix.EBUSY, KeepInPlace, "/")},
		{"unmount /proc", usual, unmount, Situation{Target: on(101)}, refused(unix.EBUSY, KeepInPlace, "/proc")},
		{"unmount /sys", denied, unmount, Situation{Target: on(104)}, refused(unix.EBUSY, KeepInPlace, "/sys")},
		{"unmount a mask", usual, unmount, Situation{Target: on(103)}, refused(unix.EBUSY, KeepInPlace, "/proc/kcore")},
		{"unmount what /proc has got on top", usual, unmount, Situation{Target: on(111)}, goesOn},
		{"unmount /data", usual, unmount, Situation{Target: on(106)}, goesOn},
		{"unmount /data where that is denied", denied, unmount, Situation{Target: on(106)}, refused(unix.EPERM, KeepMounted, "/data")},
		{"unmount a directory", denied, unmount, Situation{Target: below(on(106))}, goesOn},
		{"unmount nothing", denied, unmount, Situation{}, goesOn},
		{"unmount a copy of /data", denied, unmount, Situation{Target: copied(dataFS, "/srv")}, goesOn},
		{"unmount a copy of /", usual, unmount, Situation{Target: copied(rootFS, "/")}, goesOn},
		{"unmount a copy of a mask that hides", usual, unmount, Situation{Target: hiding(tmpFS, "/inaccessible", "/kcore")}, refused(unix.EBUSY, KeepInPlace, "/proc/kcore")},
		{"unmount a copy of a mask, who knows where", usual, unmount, Situation{Target: hiding(procFS, "/sys", "")}, refused(unix.EBUSY, KeepInPlace, "/proc/sys")},
		{"unmount a copy of a mask elsewhere in /proc", usual, unmount, Situation{Target: hiding(procFS, "/sys", "/acpi")}, goesOn},
		{"unmount a copy of a mask elsewhere", usual, unmount, Situation{Target: copied(procFS, "/sys")}, goesOn},
		{"unmount a copy of /proc", usual, unmount,
			Situation{Target: &Place{Mount: Mount{ID: 201, Device: procFS, Root: "/"}, Top: true, On: &Mount{ID: 100, Device: rootFS, Root: "/"}, Point: "/mnt/proc"}}, goesOn},
		{"unmount a cgroup2 that was mounted inside", usual, unmount,
			Situation{Target: &Place{Mount: Mount{ID: 201, Device: cgroupFS, Root: "/"}, Top: true, On: &Mount{ID: 300, Device: sysFS, Root: "/"}, Point: "/fs/cgroup"}}, goesOn},

		// Moves.
		{"move /data", usual, move, Situation{Own: true, Source: on(106), Target: on(109)}, refused(unix.EPERM, NoMove, "/data")},
		{"move a mount of the container's", usual, move, Situation{Own: true, Source: copied(guestFS, "/"), Target: on(106)}, moved},
		{"move a copy", usual, move, Situation{Own: true, Source: copied(dataFS, "/srv"), Target: on(106)}, moved},
		{"move what carries an initial mount", usual, move,
			Situation{Own: true, Source: &Place{Mount: Mount{ID: 200, Device: guestFS, Root: "/"}, Top: true}}, refused(unix.EPERM, NoMove, "/mnt/added")},
		{"move a directory", usual, move, Situation{Own: true, Source: below(on(106)), Target: on(109)}, moved},
		{"move nothing", usual, move, Situation{Own: true}, moved},
		{"move elsewhere", usual, move, Situation{Source: copied(dataFS, "/srv")}, goesOn},
		{"move beneath /data", usual, beneath, Situation{Own: true, Source: copied(guestFS, "/"), Target: on(106)}, refused(unix.EPERM, NoMove, "/data")},
		{"move beneath another mount", usual, beneath, Situation{Own: true, Source: copied(guestFS, "/"), Target: copied(guestFS, "/")}, moved},
		{"pivot_root", usual, Call{Name: "pivot_root", Operation: Pivot}, Situation{Own: true}, refused(unix.EPERM, KeepRoot, "/")},
		{"pivot_root elsewhere", usual, Call{Name: "pivot_root", Operation: Pivot}, Situation{}, goesOn},

		// Superblocks.
		{"reconfigure the host's", usual, pick, Situation{Own: true, Target: on(106)}, refused(unix.EPERM, KeepSuperblock, "/data")},
		{"reconfigure the container's", usual, pick, Situation{Own: true, Target: on(109)}, goesOn},
		{"reconfigure one made inside", usual, pick, Situation{Own: true, Target: copied(guestFS, "/")}, goesOn},
		{"reconfigure nothing", usual, pick, Situation{Own: true}, goesOn},
		{"remount the host's", usual, reconfigure, Situation{Own: true, Target: on(108)}, Verdict{Action: Perform, Rule: FlagsOnly, Path: "/www"}},
		{"remount the host's elsewhere", usual, reconfigure, Situation{Target: on(108)}, refused(unix.EPERM, KeepSuperblock, "/www")},
		{"remount a copy of the host's", usual, reconfigure, Situation{Own: true, Target: copied(dataFS, "/srv/www")}, refused(unix.EPERM, KeepSuperblock, "/www")},
		{"remount with options", usual, Call{Name: "mount", Operation: Reconfigure, Data: "size=1"}, Situation{Own: true, Target: on(108)}, refused(unix.EPERM, KeepSuperblock, "/www")},
		{"remount with a superblock's flag", usual, Call{Name: "mount", Operation: Reconfigure, Flags: unix.MS_REMOUNT | unix.MS_SYNCHRONOUS}, Situation{Own: true, Target: on(108)}, refused(unix.EPERM, KeepSuperblock, "/www")},
		{"remount that drops", usual, Call{Name: "mount", Operation: Reconfigure, Drops: NoSUID}, Situation{Own: true, Target: on(108)}, refused(unix.EPERM, KeepFlags, "/www")},
		{"remount of the container's that drops", usual, Call{Name: "mount", Operation: Reconfigure, Drops: NoDev}, Situation{Own: true, Target: on(109)}, refused(unix.EPERM, KeepFlags, "/tmp")},
		{"keeping /proc: the container's", keeping, pick, Situation{Own: true, Target: on(109)}, refused(unix.EPERM, KeepSuperblock, "/tmp")},
		{"keeping /proc: one made inside", keeping, pick, Situation{Own: true, Target: copied(guestFS, "/")}, refused(unix.EPERM, KeepSuperblock, "")},
		{"keeping /proc: nothing", keeping, reconfigure, Situation{}, refused(unix.EPERM, KeepSuperblock, "")},
		{"keeping /proc: flags", keeping, reconfigure, Situation{Own: true, Target: on(108)}, Verdict{Action: Perform, Rule: FlagsOnly, Path: "/www"}},
		{"keeping /proc: fsconfig", keeping, Call{Name: "fsconfig", Operation: Configure}, Situation{}, refused(unix.EPERM, KeepSuperblock, "")},
		{"fsconfig", usual, Call{Name: "fsconfig", Operation: Configure}, Situation{}, goesOn},

		// New mounts.
		{"procfs", usual, Call{Name: "mount", Operation: NewMount, FS: "proc"}, Situation{}, view},
		{"sysfs", usual, Call{Name: "fsopen", Operation: OpenFS, FS: "sysfs"}, Situation{}, view},
		{"tmpfs", usual, Call{Name: "mount", Operation: NewMount, FS: "tmpfs"}, Situation{Own: true}, goesOn},
		{"a type that only begins like proc", usual, Call{Name: "mount", Operation: NewMount, FS: "proc.x"}, Situation{}, goesOn},
		{"fsmount of the guard's", usual, Call{Name: "fsmount", Operation: MakeMount}, Situation{Context: true}, view},
		{"fsmount of the caller's", usual, Call{Name: "fsmount", Operation: MakeMount}, Situation{}, goesOn},
		{"bind", usual, Call{Name: "mount", Operation: Bind}, Situation{Own: true}, goesOn},
		{"propagation", usual, Call{Name: "mount", Operation: Propagation}, Situation{Own: true}, goesOn},
		{"nothing known", usual, Call{}, Situation{}, refused(unix.EPERM, Internal, "")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := c.policy.Judge(NewTable(initialMounts()), c.call, c.meets)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// immutable_remounts = "allow" unlocks what the mounts themselves have: what stays
// locked is in the table.
func TestJudgeUnlocked(t *testing.T) {
	table := NewTable(initialMounts())
	data := initialMounts()[6]
	data.Locked = 0
	call := Call{Name: "mount", Operation: Remount, Drops: Lockable}
	policy := Policy{Enabled: true, Remounts: true}
	if got := policy.Judge(table.With(data), call, Situation{Target: on(106)}); got.Action != Continue {
		t.Errorf("unlocked: %+v", got)
	}
	if got := policy.Judge(table, call, Situation{Target: on(106)}); got.Action != Refuse {
		t.Errorf("locked: %+v", got)
	}
}

func TestUndecoded(t *testing.T) {
	cases := []struct {
		name string
		err  error
		want Verdict
	}{
		{"the kernel's", failure{"mount", unix.EINVAL, true}, Verdict{Action: Continue}},
		{"the guard's", failure{"move_mount", unix.EFAULT, false}, Verdict{Action: Refuse, Errno: unix.EFAULT, Rule: BadArguments}},
		{"wrapped", fmt.Errorf("cannot answer: %w", failure{"move_mount", unix.EFAULT, false}), Verdict{Action: Refuse, Errno: unix.EFAULT, Rule: BadArguments}},
		{"no errno", errors.New("broken"), Verdict{Action: Refuse, Errno: unix.EPERM, Rule: Internal}},
		{"an errno that is none", syscall.Errno(0), Verdict{Action: Refuse, Errno: unix.EPERM, Rule: Internal}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Undecoded(c.err)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}
