package sandbox

import (
	"time"

	"berth/internal/kernel"
)

// Settings are the settings of systemd.exec(5) that make a sandbox, parsed: each
// field has the name and the meaning of the setting. Fields of systemd's that
// are booleans with further words are strings, with "no" and "yes" for the
// booleans. Make them with New, which has systemd's defaults.
type Settings struct {
	// Mounts and namespaces.
	ProtectSystem         string // no, yes, full, strict
	ProtectHome           string // no, yes, read-only, tmpfs
	ProtectProc           string // default, noaccess, invisible, ptraceable
	ProcSubset            string // all, pid
	ProtectKernelTunables bool
	ProtectKernelModules  bool
	ProtectKernelLogs     bool
	ProtectClock          bool
	ProtectControlGroups  string // no, yes, private, strict
	ProtectHostname       string // no, yes, private
	PrivateTmp            string // no, yes, disconnected; connected is yes
	PrivateDevices        bool
	PrivateNetwork        bool
	PrivateIPC            bool
	PrivatePIDs           bool
	PrivateUsers          string // no, yes, identity, full, managed; self is yes
	PrivateMounts         bool
	PrivateBPF            bool
	MountAPIVFS           bool
	BindLogSockets        bool
	ReadWritePaths        []Path
	ReadOnlyPaths         []Path
	InaccessiblePaths     []Path
	ExecPaths             []Path
	NoExecPaths           []Path
	TemporaryFileSystem   []TemporaryFileSystem
	Binds                 []Bind // BindPaths and BindReadOnlyPaths, in order

	// System calls.
	RestrictAddressFamilies CallList // of names: AF_UNIX …; second names such as AF_LOCAL are resolved
	RestrictNamespaces      Namespaces
	RestrictFileSystems     CallList // of types of file systems; groups are resolved
	RestrictRealtime        bool
	RestrictSUIDSGID        bool
	LockPersonality         bool
	MemoryDenyWriteExecute  bool
	SystemCallFilter        []FilterEntry // in the order of the assignments, "~" resolved into Deny; see FilterEntry
	SystemCallErrorNumber   int           // an errno, or 0 for "kill"
	SystemCallArchitectures []string      // native, x86-64, x86, x32, arm, arm64; none: all
	SystemCallLog           []FilterEntry

	// The process.
	CapabilityBoundingSet kernel.Caps // all by default
	AmbientCapabilities   kernel.Caps
	SecureBits            uint32 // SECBIT_*
	NoNewPrivileges       bool
	Personality           *uint32
	KeyringMode           string // inherit, private, shared
	UMask                 uint32
	Limits                map[string]Limit // by the setting's name: LimitNOFILE …
	OOMScoreAdjust        *int
	Nice                  *int
	IOScheduling          *kernel.IOPriority
	CPUScheduling         *kernel.Scheduler // its ResetOnFork is CPUSchedulingResetOnFork's
	CPUAffinity           []int
	CPUAffinityNUMA       bool               // CPUAffinity=numa: the CPUs of NUMAMask's nodes
	NUMA                  *kernel.NUMAPolicy // NUMAPolicy and NUMAMask; a Policy of "": only the mask was given
	NUMAMaskAll           bool               // NUMAMask=all: all nodes, and those of NUMA
	TimerSlackNSec        *uint64
	CoredumpFilter        *uint64
	IgnoreSIGPIPE         bool
	MemoryKSM             *bool
	MemoryTHP             string // inherit, disable, madvise, system
	RemoveIPC             bool

	// What comes from the host.
	Directories      []Directory
	Credentials      []Credential
	Environment      []string // KEY=VALUE, of Environment=
	EnvironmentFiles []Path
	PassEnvironment  []string // names
	UnsetEnvironment []string // names, or KEY=VALUE

	// The journal.
	LogExtraFields       []string // FIELD=VALUE
	SyslogIdentifier     string
	SyslogFacility       *int
	SyslogLevel          *int
	SyslogLevelPrefix    *bool
	LogLevelMax          *int
	LogRateLimitInterval *time.Duration
	LogRateLimitBurst    *uint
	LogFilterPatterns    []string // with "~" where it was

	// CPUSchedulingResetOnFork counts only where CPUScheduling is set.
	CPUSchedulingResetOnFork bool

	bounded  bool      // CapabilityBoundingSet was assigned: what follows merges
	modes    [5]uint32 // of directories, by kind
	preserve string    // RuntimeDirectoryPreserve
}

// Path is a path of a setting's list.
type Path struct {
	Path     string // absolute and clean
	Optional bool   // "-": passed over where it is missing
}

// Bind is an entry of BindPaths= or BindReadOnlyPaths=.
type Bind struct {
	Source, Target string // on the host; in the container
	ReadOnly       bool
	Optional       bool // "-": passed over where Source is missing
	Recursive      bool // rbind, the default
}

// TemporaryFileSystem is an entry of the setting of that name.
type TemporaryFileSystem struct {
	Target  string
	Options []string // words of mount(8), "ro" among them
}

// CallList is what a list with a leading "~" inverted means: only the names, or
// all but the names.
type CallList struct {
	Set   bool // the setting was given, and not reset
	Allow bool // true: only Names; false: all but Names
	Names []string
}

// Namespaces is RestrictNamespaces=.
type Namespaces struct {
	Set     bool
	Allowed uint64 // CLONE_NEW* that may be made and entered; none: RestrictNamespaces=yes
}

// FilterEntry is one word of SystemCallFilter= or SystemCallLog=.
type FilterEntry struct {
	Deny  bool   // it stands in a list that begins with "~"
	Name  string // a system call, or an @group
	Errno string // what a denied call returns: "EPERM", a number, "kill"; "": SystemCallErrorNumber
}

// Limit is a resource limit in the units of setrlimit(2).
type Limit struct{ Soft, Hard uint64 }

// Directory is an entry of StateDirectory= and the settings like it.
type Directory struct {
	Kind     string // State, Cache, Logs, Runtime, Configuration
	Name     string // relative and clean
	Symlinks []string
	ReadOnly bool   // the flag ":ro" of systemd 257
	Mode     uint32 // of StateDirectoryMode=
	Preserve string // RuntimeDirectoryPreserve=: no, yes, restart
}

// Credential is one of LoadCredential=, SetCredential=, ImportCredential= and
// their encrypted forms.
type Credential struct {
	Setting string // the setting's name
	ID      string // of Load and Set; the pattern of Import
	Rename  string // ImportCredential=PATTERN:RENAME, systemd 257
	Source  string // of Load: a path, or a name to look for; "" is ID
	Data    []byte // of Set
}
