package sandbox

import (
	"berth/internal/kernel"
	"berth/sandbox/seccomp"
)

// Facts are what the decision depends on besides the settings.
type Facts struct {
	SystemdVersion int  // whose groups of system calls are meant
	MDWE           bool // the kernel has PR_SET_MDWE
	BPFLSM         bool // RestrictFileSystems= can be enforced
	IDs            uint32
}

// Decision is all that settings come to. Nothing in it is carried out here.
type Decision struct {
	Mounts     []Mount           // in the order in which they are made
	Paths      []PathRule        // in no order: the longest path wins, of equal ones the strictest
	Proc       ProcOptions       //
	Namespaces PrivateNamespaces //
	Process    kernel.Attributes //
	Limits     map[string]Limit  // RLIMIT_NOFILE …
	Filter     []seccomp.Layer   // each is a filter of its own, the strictest answer wins
	Devices    DevicePolicy      //
	Tunables   bool              // /proc/sys and its like are read-only altogether
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
	ReadWrite    Access = "read-write"
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
	IDMap     bool     // bind: the IDs on disk are the container's
	Optional  bool     // passed over where Source is missing
	Options   []string // words of mount(8)
	Setting   string   // whose mount it is
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
	Closed bool     // DevicePolicy=closed
	Allow  []string // DeviceAllow=, such as "char-rtc r"
}
