package seccomp

// Layer is one filter: what happens to a system call that no rule names, and the
// rules. A process may have several; the kernel takes the strictest answer, and of
// equally strict ones that of the later layer, see seccomp(2).
//
// A layer answers for a call of an ABI in Archs with the strictest of the rules
// that hold for it, or else with Default. On x86, where the calls of sockets and
// of System V IPC can also be made through socketcall(2) and ipc(2), a rule
// without arguments that is stricter than Default holds for both ways.
type Layer struct {
	Name    string   `json:"name"`            // the settings it comes from, for people
	Default Action   `json:"default"`         // for calls that no rule holds for
	Unknown Action   `json:"unknown"`         // for calls that this version knows no name of
	Archs   []string `json:"archs,omitempty"` // the ABIs it holds for, as SystemCallArchitectures= names them; none: all that the kernel accepts
	Foreign Action   `json:"foreign"`         // for calls of other ABIs
	Rules   []Rule   `json:"rules"`
}

// Rule is what happens to one system call.
type Rule struct {
	Call   string    `json:"call"`           // its name; one that an ABI doesn't have is passed over
	Args   []Compare `json:"args,omitempty"` // all must hold; none: any arguments
	Action Action    `json:"action"`
}

// Compare is a condition on an argument, all of its 64 bits and unsigned. The
// kernel looks at fewer bits of most arguments: what must not be circumvented by
// setting the others needs Mask.
type Compare struct {
	Arg   uint   `json:"arg"`            // 0 … 5
	Op    Op     `json:"op"`             //
	Mask  uint64 `json:"mask,omitempty"` // of "==": the bits that are compared; 0: all
	Value uint64 `json:"value"`
}

// Op says how an argument compares with the value.
type Op string

const (
	Equal    Op = "=="
	NotEqual Op = "!="
	Less     Op = "<"
	Greater  Op = ">"
)

// Action is "allow", "kill" (the process), "log", "notify", or an errno: its name
// such as "EPERM", or its number.
type Action string

const (
	Allow  Action = "allow"
	Kill   Action = "kill"
	Log    Action = "log"
	Notify Action = "notify"
)
