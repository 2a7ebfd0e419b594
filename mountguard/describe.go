package mountguard

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Text shows a call as far as it is known, for people:
//
//	mount(MS_REMOUNT|MS_BIND, target "/data")
//
// What comes from the caller is quoted as Go quotes strings.
func (c Call) Text() string {
	var args []string
	if names := c.FlagNames(); len(names) > 0 {
		args = append(args, strings.Join(names, "|"))
	}
	if c.Operation == SetAttr || c.Operation == CloneAttr {
		if c.Drops != 0 {
			args = append(args, "clear "+strings.Join(names(uint64(c.Drops), attrNames()), "|"))
		}
	}
	if c.FS != "" {
		args = append(args, fmt.Sprintf("type %q", c.FS))
	}
	if c.Operation == MakeMount || c.Operation == Configure {
		args = append(args, fmt.Sprintf("context %d", c.FD))
	}
	if p := c.Source.text(); p != "" {
		args = append(args, "source "+p)
	}
	if p := c.Target.text(); p != "" {
		args = append(args, "target "+p)
	}
	if c.Data != "" {
		args = append(args, fmt.Sprintf("options %q", c.Data))
	}
	return c.Name + "(" + strings.Join(args, ", ") + ")"
}

// text is "" for the path of a call that has none.
func (p Path) text() string {
	at := fmt.Sprintf("descriptor %d", p.Dir)
	if p.Dir == unix.AT_FDCWD {
		at = "the working directory"
	}
	switch {
	case p.Name == "" && p.Empty:
		return at
	case p.Name == "":
		return ""
	case p.Dir == unix.AT_FDCWD || strings.HasPrefix(p.Name, "/"):
		return fmt.Sprintf("%q", p.Name)
	}
	return fmt.Sprintf("%q in %s", p.Name, at)
}

// FlagNames returns the names of a call's flags, as its man page has them, in the
// order of their bits. Bits without a name come last, as a number.
func (c Call) FlagNames() []string {
	switch c.Name {
	case "mount":
		return names(c.Flags, mountNames())
	case "umount2":
		return names(c.Flags, []flagName{
			{unix.MNT_FORCE, "MNT_FORCE"}, {unix.MNT_DETACH, "MNT_DETACH"},
			{unix.MNT_EXPIRE, "MNT_EXPIRE"}, {unix.UMOUNT_NOFOLLOW, "UMOUNT_NOFOLLOW"},
		})
	case "move_mount":
		return names(c.Flags, []flagName{
			{unix.MOVE_MOUNT_F_SYMLINKS, "MOVE_MOUNT_F_SYMLINKS"},
			{unix.MOVE_MOUNT_F_AUTOMOUNTS, "MOVE_MOUNT_F_AUTOMOUNTS"},
			{unix.MOVE_MOUNT_F_EMPTY_PATH, "MOVE_MOUNT_F_EMPTY_PATH"},
			{unix.MOVE_MOUNT_T_SYMLINKS, "MOVE_MOUNT_T_SYMLINKS"},
			{unix.MOVE_MOUNT_T_AUTOMOUNTS, "MOVE_MOUNT_T_AUTOMOUNTS"},
			{unix.MOVE_MOUNT_T_EMPTY_PATH, "MOVE_MOUNT_T_EMPTY_PATH"},
			{moveSetGroup, "MOVE_MOUNT_SET_GROUP"}, {moveBeneath, "MOVE_MOUNT_BENEATH"},
		})
	case "mount_setattr":
		return names(c.Flags, atNames())
	case "open_tree_attr":
		own := []flagName{{unix.OPEN_TREE_CLONE, "OPEN_TREE_CLONE"}, {openTreeNamespace, "OPEN_TREE_NAMESPACE"}}
		return names(c.Flags, append(append(own, atNames()...), flagName{unix.OPEN_TREE_CLOEXEC, "OPEN_TREE_CLOEXEC"}))
	case "fsopen":
		return names(c.Flags, []flagName{{unix.FSOPEN_CLOEXEC, "FSOPEN_CLOEXEC"}})
	case "fsmount":
		return names(c.Flags, []flagName{{unix.FSMOUNT_CLOEXEC, "FSMOUNT_CLOEXEC"}})
	case "fspick":
		return names(c.Flags, []flagName{
			{unix.FSPICK_CLOEXEC, "FSPICK_CLOEXEC"}, {unix.FSPICK_SYMLINK_NOFOLLOW, "FSPICK_SYMLINK_NOFOLLOW"},
			{unix.FSPICK_NO_AUTOMOUNT, "FSPICK_NO_AUTOMOUNT"}, {unix.FSPICK_EMPTY_PATH, "FSPICK_EMPTY_PATH"},
		})
	}
	return nil
}

type flagName struct {
	bit  uint64
	name string
}

// names takes flags in the order in which known has them.
func names(flags uint64, known []flagName) []string {
	var list []string
	for _, f := range known {
		if flags&f.bit != 0 {
			list = append(list, f.name)
			flags &^= f.bit
		}
	}
	if flags != 0 {
		list = append(list, fmt.Sprintf("%#x", flags))
	}
	return list
}

func mountNames() []flagName {
	return []flagName{
		{unix.MS_RDONLY, "MS_RDONLY"}, {unix.MS_NOSUID, "MS_NOSUID"}, {unix.MS_NODEV, "MS_NODEV"},
		{unix.MS_NOEXEC, "MS_NOEXEC"}, {unix.MS_SYNCHRONOUS, "MS_SYNCHRONOUS"}, {unix.MS_REMOUNT, "MS_REMOUNT"},
		{unix.MS_MANDLOCK, "MS_MANDLOCK"}, {unix.MS_DIRSYNC, "MS_DIRSYNC"}, {unix.MS_NOSYMFOLLOW, "MS_NOSYMFOLLOW"},
		{unix.MS_NOATIME, "MS_NOATIME"}, {unix.MS_NODIRATIME, "MS_NODIRATIME"}, {unix.MS_BIND, "MS_BIND"},
		{unix.MS_MOVE, "MS_MOVE"}, {unix.MS_REC, "MS_REC"}, {unix.MS_SILENT, "MS_SILENT"},
		{unix.MS_POSIXACL, "MS_POSIXACL"}, {unix.MS_UNBINDABLE, "MS_UNBINDABLE"}, {unix.MS_PRIVATE, "MS_PRIVATE"},
		{unix.MS_SLAVE, "MS_SLAVE"}, {unix.MS_SHARED, "MS_SHARED"}, {unix.MS_RELATIME, "MS_RELATIME"},
		{unix.MS_KERNMOUNT, "MS_KERNMOUNT"}, {unix.MS_I_VERSION, "MS_I_VERSION"},
		{unix.MS_STRICTATIME, "MS_STRICTATIME"}, {unix.MS_LAZYTIME, "MS_LAZYTIME"},
	}
}

func atNames() []flagName {
	return []flagName{
		{unix.AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"}, {unix.AT_NO_AUTOMOUNT, "AT_NO_AUTOMOUNT"},
		{unix.AT_EMPTY_PATH, "AT_EMPTY_PATH"}, {unix.AT_RECURSIVE, "AT_RECURSIVE"},
	}
}

func attrNames() []flagName {
	return []flagName{
		{uint64(ReadOnly), "MOUNT_ATTR_RDONLY"}, {uint64(NoSUID), "MOUNT_ATTR_NOSUID"},
		{uint64(NoDev), "MOUNT_ATTR_NODEV"}, {uint64(NoExec), "MOUNT_ATTR_NOEXEC"},
	}
}
