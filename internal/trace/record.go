package trace

import "golang.org/x/sys/unix"

// ABI is one of the sets of system calls that a kernel accepts.
type ABI uint32

const (
	Native ABI = iota // x86-64, arm64
	Compat            // i386, 32-bit arm
	X32               // on x86-64
)

// maxCalls is above the number of any system call; mainline's are below 500.
const maxCalls = 1024

// Record is what was seen, the uses of files aside. Nothing in it is in any order.
type Record struct {
	Calls        []Called
	Arguments    []Argument
	Checks       []Check
	ChecksKnown  bool // checks of capabilities were recorded at all
	Addresses    []Address
	GainedRights bool // a program was executed that has more rights than who executed it
	Lost         int  // what came too fast, or was too long, to be kept
}

// Call is a system call.
type Call struct {
	ABI    ABI
	Number int
}

// Called is a system call that was made.
type Called struct {
	Call
	Refused bool // it never did anything but fail with EPERM or ENOSYS
}

// Argument is what a watched system call was called with.
type Argument struct {
	Call
	Values [2]uint64 // masked, as the watch says
}

// Check is a capability that was asked for in a system call, and was there. The
// container's own user namespace is meant, none that was made inside.
type Check struct {
	Capability int
	Call       Call
}

// Address is one that a socket was bound to.
type Address struct {
	Family int // AF_INET or AF_INET6
	Port   int
	IP     [16]byte // the first four of AF_INET
}

// Use is something that was done to a file or directory. Each is told once, more
// or less.
type Use struct {
	Path   string // absolute; symlinks in it, and "..", are as the process said
	Access Access // of the watch
	Flags  uint64 // of the watch: those of open(2)
	PID    int    // of the process, in its own PID namespace
	User   uint32 // its fsuid, in numbers of the first user namespace
}

// Access is how a file was used.
type Access uint32

const (
	Open    Access = 1 + iota // as Flags say
	Execute                   // executed; an ELF's or script's interpreter is not told
	Map                       // mapped with PROT_EXEC
	Entry                     // the entry was made, removed or renamed, which changes its directory
	Alter                     // its mode, owner, size, times or extended attributes were changed
)

// Watch has a system call's arguments recorded, where it succeeds. A call may
// have two.
type Watch struct {
	Call
	Kind   Kind
	A, B   int       // indices of arguments
	Masks  [2]uint64 // of what is recorded
	Offset int       // added to a pointer

	// Of Path only.
	Flags   int    // index of an argument for Use.Flags, masked by Masks[0]; -1: none
	Pointer bool   // of a pointer to them
	Require uint64 // flags of which there must be one; 0: any
	Access  Access
}

// Kind says what of a call is recorded.
type Kind uint8

const (
	Values Kind = 1 + iota // arguments A and B
	Memory                 // the eight bytes that A points to, and B
	Bound                  // the socket address that A points to: an address, or a path's Entry
	Path                   // the path that A points to, from the working directory
	PathAt                 // the same, from the directory that descriptor B is
	File                   // the file that descriptor B is
)

// The families of socket addresses that are told.
const (
	inet  = unix.AF_INET
	inet6 = unix.AF_INET6
)
