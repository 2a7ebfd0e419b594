package fsguard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Rule says on which file systems files may be opened.
type Rule struct {
	Allow  bool     `json:"allow"`  // true: only on these, false: on all but these
	Magics []uint64 `json:"magics"` // types by their numbers in statfs(2)
}

// Guard is a rule in the kernel. It holds as long as the cgroup that it is
// attached to; Close lets go of it here.
type Guard struct {
	program  *ebpf.Program
	exempted *ebpf.Map // by task
}

// Exemption says how long a process may open any file.
type Exemption uint64

const (
	// BeforeExec ends when the process executes a program, whose file is judged
	// already.
	BeforeExec Exemption = 1
	// ThroughExec ends when the process has executed a program, with the first
	// file that this opens.
	ThroughExec Exemption = 2
)

// exemptionSize is that of an entry of the map: u64 the Exemption, or 0 where it
// has ended; u64 the address of the process's memory, which an exec changes, or 0
// before it was seen.
const exemptionSize = 16

// flagNoPrealloc is BPF_F_NO_PREALLOC, which task storage demands.
const flagNoPrealloc = 1

// name is the program's, as bpftool shows it. Of finds it by it.
const name = "berth_fsguard"

// New makes a guard that guards nothing yet. The running kernel's layout is read
// from BTF, or from l's cache.
func New(r Rule, l Layout) (*Guard, error) {
	places, err := l.load()
	if err != nil {
		return nil, err
	}
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	exempted, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: name, Type: ebpf.TaskStorage, KeySize: 4, ValueSize: exemptionSize, Flags: flagNoPrealloc,
		Key: number, Value: &btf.Array{Index: number, Type: &btf.Int{Name: "long", Size: 8}, Nelems: exemptionSize / 8},
	})
	if err != nil {
		return nil, fmt.Errorf("bpf BPF_MAP_CREATE: %w", err)
	}
	g := &Guard{exempted: exempted}
	if g.program, err = load(r, places, exempted.FD()); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// Of returns the guard that holds for a cgroup, given its directory, so that
// processes may be exempted from it: its own, else the nearest one above, else
// nil.
func Of(cgroup *os.File) (*Guard, error) {
	result, err := link.QueryPrograms(link.QueryOptions{
		Target: int(cgroup.Fd()), Attach: ebpf.AttachLSMCgroup, QueryFlags: unix.BPF_F_QUERY_EFFECTIVE,
	})
	runtime.KeepAlive(cgroup)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, ebpf.ErrNotSupported) {
		return nil, nil // before Linux 6.0 there is no such program
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the BPF programs of a cgroup: %w", err)
	}
	for _, attached := range result.Programs {
		g, err := fromID(attached.ID)
		if g != nil || err != nil {
			return g, err
		}
	}
	return nil, nil
}

// fromID returns a guard by its program, and nil for another's program.
func fromID(id ebpf.ProgramID) (*Guard, error) {
	program, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return nil, fmt.Errorf("cannot open a BPF program: %w", err)
	}
	g := &Guard{program: program}
	info, err := program.Info()
	if err != nil {
		g.Close()
		return nil, fmt.Errorf("cannot look at a BPF program: %w", err)
	}
	maps, _ := info.MapIDs()
	if info.Name != name || len(maps) != 1 {
		return nil, g.Close()
	}
	if g.exempted, err = ebpf.NewMapFromID(maps[0]); err != nil {
		g.Close()
		return nil, fmt.Errorf("cannot open a BPF map: %w", err)
	}
	return g, nil
}

// Exempt lets a process, with all its threads, open any file for a while. Its
// children are judged. Nobody that the guard is for may be able to control the
// process during that time.
func (g *Guard) Exempt(pidfd *os.File, e Exemption) error {
	value := binary.NativeEndian.AppendUint64(nil, uint64(e))
	value = append(value, make([]byte, exemptionSize-len(value))...)
	err := g.exempted.Put(uint32(pidfd.Fd()), value)
	runtime.KeepAlive(pidfd)
	if err != nil {
		return fmt.Errorf("bpf BPF_MAP_UPDATE_ELEM: %w", err)
	}
	return nil
}

// Attach puts the guard on the cgroup whose directory is open. What cgroups above
// and below have attached holds as well: each may refuse.
func (g *Guard) Attach(cgroup *os.File) error {
	err := link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: int(cgroup.Fd()), Program: g.program, Attach: ebpf.AttachLSMCgroup, Flags: unix.BPF_F_ALLOW_MULTI,
	})
	runtime.KeepAlive(cgroup)
	if err != nil {
		return fmt.Errorf("bpf BPF_PROG_ATTACH: %w", err)
	}
	return nil
}

// Close lets go of the guard. An attached one goes on.
func (g *Guard) Close() error { return errors.Join(g.program.Close(), g.exempted.Close()) }
