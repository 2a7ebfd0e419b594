package mountguard

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestText(t *testing.T) {
	cases := []struct {
		name string
		call Call
		want string
	}{
		{"remount", Call{Name: "mount", Operation: Remount, Flags: unix.MS_REMOUNT | unix.MS_BIND, Target: at("/data"), Drops: Lockable},
			`mount(MS_REMOUNT|MS_BIND, target "/data")`},
		{"new proc", Call{Name: "mount", Operation: NewMount, Flags: unix.MS_NOSUID | unix.MS_RELATIME, FS: "proc", Target: at("/proc"), Data: "hidepid=2"},
			`mount(MS_NOSUID|MS_RELATIME, type "proc", target "/proc", options "hidepid=2")`},
		{"move", Call{Name: "mount", Operation: Move, Flags: unix.MS_MOVE, Source: at("/a"), Target: at("b")},
			`mount(MS_MOVE, source "/a", target "b")`},
		{"move_mount", Call{Name: "move_mount", Operation: Move, Flags: 0x244, Source: Path{Dir: 5, Empty: true}, Target: Path{Dir: 6, Name: "x"}},
			`move_mount(MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH|MOVE_MOUNT_BENEATH, source descriptor 5, target "x" in descriptor 6)`},
		{"umount2", Call{Name: "umount2", Operation: Unmount, Flags: unix.MNT_DETACH | unix.UMOUNT_NOFOLLOW, Target: at("/proc")},
			`umount2(MNT_DETACH|UMOUNT_NOFOLLOW, target "/proc")`},
		{"umount", Call{Name: "umount", Operation: Unmount, Target: at("/proc")}, `umount(target "/proc")`},
		{"mount_setattr", Call{Name: "mount_setattr", Operation: SetAttr, Flags: 0x9000, Target: Path{Dir: unix.AT_FDCWD, Empty: true}, Drops: ReadOnly | NoExec},
			`mount_setattr(AT_EMPTY_PATH|AT_RECURSIVE, clear MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOEXEC, target the working directory)`},
		{"open_tree_attr", Call{Name: "open_tree_attr", Operation: CloneAttr, Flags: 0x80001, Target: at("/data"), Drops: NoSUID},
			`open_tree_attr(OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC, clear MOUNT_ATTR_NOSUID, target "/data")`},
		{"fsopen", Call{Name: "fsopen", Operation: OpenFS, Flags: 1, FS: "sysfs"}, `fsopen(FSOPEN_CLOEXEC, type "sysfs")`},
		{"fsmount", Call{Name: "fsmount", Operation: MakeMount, Flags: 1, FD: 4}, `fsmount(FSMOUNT_CLOEXEC, context 4)`},
		{"fspick", Call{Name: "fspick", Operation: Reconfigure, Flags: 0xf, Target: Path{Dir: 3, Empty: true}},
			`fspick(FSPICK_CLOEXEC|FSPICK_SYMLINK_NOFOLLOW|FSPICK_NO_AUTOMOUNT|FSPICK_EMPTY_PATH, target descriptor 3)`},
		{"fsconfig", Call{Name: "fsconfig", Operation: Configure, FD: 4}, `fsconfig(context 4)`},
		{"pivot_root", Call{Name: "pivot_root", Operation: Pivot}, `pivot_root()`},
		{"a name that would be two lines", Call{Name: "umount2", Operation: Unmount, Target: at("/a\n\xffb\"")}, `umount2(target "/a\n\xffb\"")`},
		{"an absolute path beside a descriptor", Call{Name: "fspick", Operation: Reconfigure, Target: Path{Dir: 9, Name: "/x"}}, `fspick(target "/x")`},
		{"unknown flags", Call{Name: "umount2", Operation: Unmount, Flags: 0x12}, `umount2(MNT_DETACH|0x10)`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := c.call.Text(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// No name is for a bit that has got one before, and all are in order.
func TestFlagNames(t *testing.T) {
	for _, n := range calls() {
		names := Call{Name: n.name, Flags: 1<<32 - 1}.FlagNames()
		seen := map[string]bool{}
		for _, name := range names {
			if seen[name] {
				t.Errorf("%s: %s twice", n.name, name)
			}
			seen[name] = true
		}
	}
	for _, table := range [][]flagName{mountNames(), atNames(), attrNames()} {
		if !slices.IsSortedFunc(table, func(a, b flagName) int { return int(int64(a.bit) - int64(b.bit)) }) {
			t.Errorf("%v isn't in order", table)
		}
	}
}
