package sandbox

import (
	"berth/internal/kernel"
	"berth/sandbox/seccomp"
)

// Facts are what the decision depends on besides the settings.
type Facts struct {
	SystemdVersion int           // whose groups of system calls are meant
	MDWE           bool          // the kernel has PR_SET_MDWE
	BPFLSM         bool          // Decision.FileSystems will be enforced
	Unprivileged   bool          // the payload's user isn't root
	Nodes          map[int][]int // the CPUs of each NUMA node of the host; needed for NUMAMask=all and CPUAffinity=numa
}

// Problem says why a setting can't be carried out. It is written to stand behind
// "sandbox.SETTING: ".
type Problem struct {
	Setting       string
	Reason        string
	Contradiction bool // another host couldn't do it either: the settings contradict each other
}

// Decision is all that settings come to. Nothing in it is carried out here.
type Decision struct {
	Mounts      []Mount           // in the order in which they are made
	Paths       []PathRule        // in no order: the longest path wins, of equal ones the strictest; below an inaccessible path all is
	Proc        ProcOptions       //
	Namespaces  PrivateNamespaces //
	Process     kernel.Attributes //
	Limits      map[string]Limit  // RLIMIT_NOFILE …
	Filter      []seccomp.Layer   // each is a filter of its own, the strictest answer wins
	Devices     DevicePolicy      //
	FileSystems *FileSystems      // nil: files of all file systems may be opened
}

// PathRule is what a file or directory of the container, and all below it, may be
// used for.
type PathRule struct {
	Path     string `json:"path"`               // absolute and clean; symlinks are followed inside the root
	Access   Access `json:"access,omitempty"`   // "" leaves what holds above
	Exec     Exec   `json:"exec,omitempty"`     // "" leaves what holds above
	Optional bool   `json:"optional,omitempty"` // passed over where it is missing
	Setting  string `json:"setting,omitempty"`  // whose rule it is: "ProtectSystem"
}

// Access says how a path may be used.
type Access string

const (
	Inaccessible Access = "inaccessible"
	ReadOnly     Access = "read-only"
	ReadWrite    Access = "read-write" // as without the rules above it: never writable against the mount itself
)

// Exec says whether programs below a path may be executed.
type Exec string

const (
	NoExec  Exec = "noexec"
	MayExec Exec = "exec"
)

// Mount is a mount that a setting asks for.
type Mount struct {
	Type      string   // bind or tmpfs
	Source    string   // bind: on the host
	Target    string   // in the container
	ReadOnly  bool     //
	Recursive bool     // bind
	Optional  bool     // passed over where Source is missing; tmpfs: where Target is
	Options   []string // words of mount(8)
	Setting   string   // whose mount it is
}

// FileSystems says on which file systems files may be opened. It takes a BPF
// program at the hook file_open, for all processes of the container.
type FileSystems struct {
	Allow  bool     // true: only on these, false: on all but these
	Magics []uint64 // the types by their numbers in statfs(2)
}

// ProcOptions are mount options of procfs(5).
type ProcOptions struct {
	HidePID string // "", noaccess, invisible, ptraceable
	Subset  string // "" or pid
}

// PrivateNamespaces are namespaces that settings demand. A container has all
// but the network's anyway.
type PrivateNamespaces struct{ Network bool }

// DevicePolicy is what the unit's device access needs. See
// systemd.resource-control(5), DevicePolicy=.
type DevicePolicy struct {
	Closed bool     // DevicePolicy=closed, where it would be auto
	Allow  []string // DeviceAllow=, such as "char-rtc r"
}
