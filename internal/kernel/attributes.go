package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Attributes are what a process takes through fork and exec beside its user: what
// systemd.exec(5) calls process properties, capabilities and security. A nil
// pointer or empty string leaves an attribute as it is inherited.
type Attributes struct {
	Bounding        Caps    `json:"bounding"`                    // capabilities(7), the bounding set
	Ambient         Caps    `json:"ambient,omitempty"`           // a subset of Bounding
	SecureBits      uint32  `json:"secure_bits,omitempty"`       // capabilities(7), SECBIT_*
	NoNewPrivileges bool    `json:"no_new_privileges,omitempty"` // PR_SET_NO_NEW_PRIVS(2const)
	DenyWriteExec   bool    `json:"deny_write_exec,omitempty"`   // PR_SET_MDWE(2const), Linux 6.3
	Keyring         string  `json:"keyring,omitempty"`           // inherit, private or shared; "" is private
	UMask           uint32  `json:"umask"`                       //
	Personality     *uint32 `json:"personality,omitempty"`       // personality(2)
	IgnoreSIGPIPE   bool    `json:"ignore_sigpipe,omitempty"`    //
	TimerSlack      *uint64 `json:"timer_slack_ns,omitempty"`    // PR_SET_TIMERSLACK(2const), nanoseconds
	MemoryKSM       *bool   `json:"memory_ksm,omitempty"`        // PR_SET_MEMORY_MERGE, Linux 6.4
	DisableTHP      bool    `json:"disable_thp,omitempty"`       // PR_SET_THP_DISABLE(2const)

	// What may take more rights than the container has, or a /proc that isn't the
	// container's: it is set on its first process from outside.
	OOMScoreAdjust *int        `json:"oom_score_adjust,omitempty"` // -1000 … 1000
	CoredumpFilter *uint64     `json:"coredump_filter,omitempty"`  // core(5)
	Nice           *int        `json:"nice,omitempty"`             // -20 … 19
	IO             *IOPriority `json:"io,omitempty"`               //
	Scheduler      *Scheduler  `json:"scheduler,omitempty"`        //
	CPUAffinity    []int       `json:"cpu_affinity,omitempty"`     // numbers of CPUs; none: all
	NUMA           *NUMAPolicy `json:"numa,omitempty"`             //
}

// IOPriority is a class and a priority in it, as ioprio_set(2) has them.
type IOPriority struct {
	Class    string `json:"class"` // realtime, best-effort, idle, none
	Priority int    `json:"priority"`
}

// Scheduler is a CPU scheduling policy. See sched(7).
type Scheduler struct {
	Policy      string `json:"policy"`   // other, batch, idle, fifo, rr, ext
	Priority    int    `json:"priority"` // of fifo and rr: 1 … 99
	ResetOnFork bool   `json:"reset_on_fork,omitempty"`
}

// NUMAPolicy is set_mempolicy(2)'s.
type NUMAPolicy struct {
	Policy string `json:"policy"` // default, preferred, bind, interleave, local
	Nodes  []int  `json:"nodes,omitempty"`
}

// Rlimit is a resource limit. See getrlimit(2).
type Rlimit struct {
	Name string `json:"type"` // RLIMIT_NOFILE …
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// Filter is a seccomp(2) filter program.
type Filter struct {
	Code  []byte `json:"code"`            // struct sock_filter, one after another, in the machine's byte order
	Flags uint32 `json:"flags,omitempty"` // SECCOMP_FILTER_FLAG_*
}

// Number is the kernel's number of the resource. An unknown name is an error.
func (l Rlimit) Number() (int, error) {
	for number, name := range rlimitNames {
		if name == l.Name {
			return number, nil
		}
	}
	return 0, fmt.Errorf("internal error: no resource limit %q", l.Name)
}

// rlimitNames by number, of asm-generic/resource.h, which all of berth's
// architectures share.
var rlimitNames = [...]string{
	unix.RLIMIT_CPU: "RLIMIT_CPU", unix.RLIMIT_FSIZE: "RLIMIT_FSIZE", unix.RLIMIT_DATA: "RLIMIT_DATA",
	unix.RLIMIT_STACK: "RLIMIT_STACK", unix.RLIMIT_CORE: "RLIMIT_CORE", unix.RLIMIT_RSS: "RLIMIT_RSS",
	unix.RLIMIT_NPROC: "RLIMIT_NPROC", unix.RLIMIT_NOFILE: "RLIMIT_NOFILE", unix.RLIMIT_MEMLOCK: "RLIMIT_MEMLOCK",
	unix.RLIMIT_AS: "RLIMIT_AS", unix.RLIMIT_LOCKS: "RLIMIT_LOCKS", unix.RLIMIT_SIGPENDING: "RLIMIT_SIGPENDING",
	unix.RLIMIT_MSGQUEUE: "RLIMIT_MSGQUEUE", unix.RLIMIT_NICE: "RLIMIT_NICE", unix.RLIMIT_RTPRIO: "RLIMIT_RTPRIO",
	unix.RLIMIT_RTTIME: "RLIMIT_RTTIME",
}

// RaiseLimits gives a process hard limits at least as high as those of limits,
// which it can then lower to them by itself. Where berth itself may not raise
// one, it stays as it is. See prlimit(2).
func RaiseLimits(pid int, limits []Rlimit) error {
	for _, l := range limits {
		number, err := l.Number()
		if err != nil {
			return err
		}
		var have unix.Rlimit
		if err := unix.Prlimit(pid, number, nil, &have); err != nil {
			return fmt.Errorf("prlimit %s: %w", l.Name, err)
		}
		if have.Max >= l.Hard {
			continue
		}
		have.Max = l.Hard
		if err := unix.Prlimit(pid, number, &have, nil); err != nil && err != unix.EPERM {
			return fmt.Errorf("prlimit %s: %w", l.Name, err)
		}
	}
	return nil
}

// SetInherited sets on the calling thread what its children inherit and takes no
// more rights than a container has.
func (a Attributes) SetInherited() error {
	unix.Umask(int(a.UMask))
	if a.Personality != nil {
		if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, uintptr(*a.Personality), 0, 0); errno != 0 {
			return fmt.Errorf("personality %#x: %w", *a.Personality, errno)
		}
	}
	for _, p := range a.prctls() {
		if err := unix.Prctl(p.option, p.value, 0, 0, 0); err != nil {
			return fmt.Errorf("prctl %s: %w", p.name, err)
		}
	}
	return nil
}

type prctl struct {
	name   string
	option int
	value  uintptr
}

// PR_SET_MDWE(2const), of include/uapi/linux/prctl.h.
const (
	prSetMDWE        = 65
	prGetMDWE        = 66
	mdweRefuseExec   = 1
	prSetMemoryMerge = 67
)

func (a Attributes) prctls() []prctl {
	var list []prctl
	if a.TimerSlack != nil {
		list = append(list, prctl{"PR_SET_TIMERSLACK", unix.PR_SET_TIMERSLACK, uintptr(*a.TimerSlack)})
	}
	if a.MemoryKSM != nil {
		list = append(list, prctl{"PR_SET_MEMORY_MERGE", prSetMemoryMerge, bit(*a.MemoryKSM)})
	}
	if a.DisableTHP {
		list = append(list, prctl{"PR_SET_THP_DISABLE", unix.PR_SET_THP_DISABLE, 1})
	}
	if a.DenyWriteExec {
		list = append(list, prctl{"PR_SET_MDWE", prSetMDWE, mdweRefuseExec})
	}
	return list
}

func bit(b bool) uintptr {
	if b {
		return 1
	}
	return 0
}
