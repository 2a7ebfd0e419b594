package mountguard

// Operation is what a call asks for, whichever of the system calls it came by.
type Operation string

const (
	Unmount     Operation = "unmount"     // umount2, umount
	Bind        Operation = "bind"        // mount MS_BIND
	Move        Operation = "move"        // mount MS_MOVE, move_mount
	NewMount    Operation = "mount"       // mount of a file system
	Remount     Operation = "remount"     // mount MS_REMOUNT|MS_BIND: the flags of one mount
	Reconfigure Operation = "reconfigure" // mount MS_REMOUNT, fspick: a superblock, and the flags of one mount
	Propagation Operation = "propagation" // mount MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE; move_mount MOVE_MOUNT_SET_GROUP
	SetAttr     Operation = "setattr"     // mount_setattr; open_tree_attr of a mount itself
	CloneAttr   Operation = "clone"       // open_tree_attr with OPEN_TREE_CLONE: attributes of a copy
	OpenFS      Operation = "fsopen"      // fsopen
	MakeMount   Operation = "fsmount"     // fsmount
	Configure   Operation = "fsconfig"    // fsconfig FSCONFIG_CMD_RECONFIGURE
	Pivot       Operation = "pivot_root"  // pivot_root
)

// Attr is a set of mount attributes that the kernel can lock, in the bits of
// MOUNT_ATTR_* (mount_setattr(2)).
type Attr uint32

const (
	ReadOnly Attr = 0x1 // MOUNT_ATTR_RDONLY
	NoSUID   Attr = 0x2 // MOUNT_ATTR_NOSUID
	NoDev    Attr = 0x4 // MOUNT_ATTR_NODEV
	NoExec   Attr = 0x8 // MOUNT_ATTR_NOEXEC

	Lockable = ReadOnly | NoSUID | NoDev | NoExec
)

// Path is a path as a call gives it: relative to a directory of the caller's. A
// Name that begins with a slash isn't relative to anything; Dir may be whatever
// then.
type Path struct {
	Dir      int32  // the caller's descriptor, or AT_FDCWD
	Name     string // "" only with Empty: Dir itself
	Empty    bool   // AT_EMPTY_PATH or its like was given
	NoFollow bool   // a symlink at the end is not followed
}

// Call is a decoded system call, its arguments copied. What an Operation has no
// use for is left out, as reading the caller's memory costs time: the paths of
// Bind, Propagation and Pivot, the target of a call that drops nothing.
type Call struct {
	Name      string // of the system call: "mount", "umount2", …
	Operation Operation
	Flags     uint64 // the flags word, without MS_MGC_VAL; bits that nobody knows are in there

	Target Path   // what is unmounted, changed, moved to; NewMount of proc and sysfs: mounted on
	Source Path   // Move: what is moved
	FS     string // NewMount, OpenFS: the file system type
	Data   string // Reconfigure, NewMount of proc and sysfs: the options
	FD     int32  // MakeMount, Configure: the caller's file system context

	// What the mounts concerned would be without, of Lockable, and whether those
	// below are meant as well.
	Drops     Attr
	Recursive bool
}
