package config

// Container is what a file says, validated and with defaults filled in. Every
// path in it is absolute and clean. Nothing in it depends on the host.
type Container struct {
	File        string // path of the TOML file, for messages
	Name        string // [a-z0-9][a-z0-9-]{0,62}
	Description string

	// Profile is the name of a profile, or the path of one, which has a slash. What
	// the file gives as a relative path begins with the file's directory.
	Profile string

	Root       Root
	Process    Process
	Users      Users
	Mounts     []Mount
	Resources  []Setting // systemd.resource-control(5), in the order of the file
	Sandbox    []Setting // systemd.exec(5), in the order of the file
	MountGuard MountGuard
	Network    Network

	positions map[string]Position
}

// Setting is one of systemd's own settings, not yet interpreted: its name as
// in the man page and its value in unit-file syntax. A TOML array gives one
// value per element, anything else exactly one; true is "yes", false "no". Each
// value is one assignment, as a line of a unit file.
type Setting struct {
	Name   string
	Values []string
	Pos    Position
}

// Root says which file system tree becomes "/".
type Root struct {
	Directory string // absolute, never "/"; "" is the host's own tree
	Volatile  Volatile
	ReadOnly  bool
}

// Volatile says which part of the root forgets its changes, as
// systemd-nspawn --volatile does.
type Volatile string

const (
	VolatileNo      Volatile = "no"      // changes are kept in the directory
	VolatileOverlay Volatile = "overlay" // the whole tree, changes in memory
	VolatileState   Volatile = "state"   // the tree read-only, /var a new tmpfs
	VolatileYes     Volatile = "yes"     // a new tmpfs with the tree's /usr read-only
)

// Process is the payload.
type Process struct {
	Command          []string // empty only when Boot, whose init gets it as arguments
	Environment      map[string]string
	User             string // USER or USER:GROUP inside the root, names or numbers; "" is root
	WorkingDirectory string
	Hostname         string
	Terminal         *bool // nil: when berth itself has a terminal
	Boot             bool
	StopSignal       string // full name: SIGTERM, SIGRTMIN+3 …; Signal gives its number
}

// Users is the container's user namespace.
type Users struct {
	Map     string // "auto", "base", or "host" for none: whether the profile allows that is not known here
	Base    uint32 // the first host ID, a multiple of Size, when Map is "base"
	Size    uint32 // how many IDs, a power of two from 256 to 65536; 0 when Map is "host"
	MapRoot bool   // false: uid 0 does not exist inside, and Process.User is another
}

// Mount is one entry of [[mounts]].
type Mount struct {
	Type     string   // bind, tmpfs or overlay
	Source   string   // bind: absolute host path
	Lower    []string // overlay: absolute host paths, uppermost first (source = "/a:/b" or an array)
	Upper    string   // overlay: absolute host path, or "" for a tmpfs
	Work     string   // overlay: given exactly when Upper is
	Target   string   // absolute path in the container, never "/", nor in /proc or /sys; no two are equal
	ReadOnly bool
	IDMap    string // owner, identity or no; "" for tmpfs

	// Options are words of mount(8), none contradicting another: nosuid, suid,
	// nodev, dev, noexec, exec, noatime, relatime, strictatime, nodiratime,
	// nosymfollow; always nosuid or suid, nodev or dev. A bind mount also has
	// rbind or norbind where the file says so, a tmpfs size= in
	// bytes or percent, mode= in octal, nr_inodes= as a number.
	Options []string
}

// Network is the container's network.
type Network struct {
	Mode string // private or host
}

// Pos tells where a key was given: "root.directory", "mounts[0].source",
// "resources.MemoryMax". For a key the file doesn't give it is the position of
// the nearest table above it that is there, at last the file alone.
func (c *Container) Pos(key string) Position { return lookupPosition(c.positions, c.File, key) }
