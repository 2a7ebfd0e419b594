package seccomp

import (
	"fmt"
	"io"
	"os"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Program is a filter as seccomp(2) takes it.
type Program struct {
	Name  string // the layers that it comes from, for people
	Code  []byte // an array of struct sock_filter
	Flags uint32 // SECCOMP_FILTER_FLAG_*
}

// flagNewListener is SECCOMP_FILTER_FLAG_NEW_LISTENER, of the kernel's
// linux/seccomp.h.
const flagNewListener = 1 << 3

// maxInstructions is BPF_MAXINSNS, of the kernel's linux/bpf_common.h.
const maxInstructions = 4096

// Compile makes BPF programs of layers, for all ABIs that the kernel of this
// machine accepts. There are as few as possible, mostly one; they are to be loaded
// in their order. A program can't be loaded after one that denies seccomp(2).
func Compile(layers []Layer) ([]Program, error) {
	local, err := localABIs()
	if err != nil {
		return nil, err
	}
	return compile(layers, local)
}

// compile makes programs for the given ABIs.
func compile(layers []Layer, local []abi) ([]Program, error) {
	tables, err := readNumbers(local)
	if err != nil {
		return nil, err
	}
	merged, err := merge(layers, tables)
	if err != nil {
		return nil, err
	}
	var programs []Program
	listeners := 0
	for _, p := range merged {
		if p.allows() {
			continue
		}
		compiled, err := p.compile(tables)
		if err != nil {
			return nil, fmt.Errorf("cannot compile the filter of system calls of %s: %w", p.name, err)
		}
		if compiled.Flags&flagNewListener != 0 {
			listeners++
		}
		programs = append(programs, compiled)
	}
	if listeners > 1 {
		return nil, fmt.Errorf("cannot filter system calls: more than one filter notifies, and a process may have one")
	}
	return programs, nil
}

// allows tells whether all calls of all ABIs are allowed.
func (p program) allows() bool {
	for _, j := range p.abis {
		if ret, same := j.same(); !same || ret != retAllow {
			return false
		}
	}
	return true
}

// compile makes the BPF program: berth's own part for what libseccomp can't do,
// and libseccomp's for the rest.
func (p program) compile(tables []numbered) (Program, error) {
	split := split{foreign: p.foreign.ret}
	for i, j := range p.abis {
		if err := split.add(j, tables[i]); err != nil {
			return Program{}, err
		}
	}
	code, err := own(split.own)
	if err != nil {
		return Program{}, err
	}
	rest, err := split.compile()
	if err != nil {
		return Program{}, err
	}
	code = append(code, rest...)
	if len(code) > maxInstructions {
		return Program{}, fmt.Errorf("it has %d instructions, more than the kernel's %d", len(code), maxInstructions)
	}
	return Program{Name: p.name, Code: code.bytes(), Flags: code.flags()}, nil
}

// flags returns the flags that a program has to be loaded with.
func (c instructions) flags() uint32 {
	for _, i := range c {
		if i.Code == returnsConst && i.K == retNotify {
			return flagNewListener
		}
	}
	return 0
}

// split is a program in two parts: what libseccomp compiles, which knows the
// system calls of its own time and of each an action, and what berth does.
type split struct {
	otherwise uint32 // what libseccomp's part does with calls that it has no rule for
	foreign   uint32 // what it does with calls of ABIs that it has no rules for
	own       []ownPart
	lib       []libPart
}

// libPart are the calls of an ABI that libseccomp compiles.
type libPart struct {
	abi
	rules map[libseccomp.ScmpSyscall]uint32 // by what the call's name is to libseccomp, the action
}

// add puts the calls of an ABI where they belong.
func (s *split) add(j judged, table numbered) error {
	if ret, same := j.same(); same && ret == s.foreign {
		return nil // as if it were foreign
	}
	if len(s.lib) > 0 && j.unknown.ret != s.otherwise {
		return fmt.Errorf("internal error: unknown calls of %s differ", j.name)
	}
	s.otherwise = j.unknown.ret
	mine, theirs := ownPart{j.abi, map[uint32]answer{}}, libPart{j.abi, map[libseccomp.ScmpSyscall]uint32{}}
	for name, nr := range table.calls {
		a := j.calls[nr]
		if len(a.rules) == 0 && a.action.ret == s.otherwise {
			continue
		}
		call, known := libraryCall(name, nr, j.abi)
		if len(a.rules) > 0 || !known {
			mine.calls[nr] = a
		} else {
			theirs.rules[call] = a.action.ret
		}
	}
	s.own, s.lib = append(s.own, mine), append(s.lib, theirs)
	return nil
}

// libraryCall returns what libseccomp calls the system call, if it means the same
// number by it: it knows none that are newer than itself. Of x86 it isn't to know
// the calls that are also made through socketcall(2) and ipc(2), as it would make
// up rules for these two.
func libraryCall(name string, nr uint32, a abi) (libseccomp.ScmpSyscall, bool) {
	if a.name == "x86" && (viaSocketcall(name) > 0 || viaIPC(name) > 0) {
		return 0, false
	}
	there, err := libseccomp.GetSyscallFromNameByArch(name, a.lib)
	if err != nil || there < 0 || uint32(there) != nr {
		return 0, false
	}
	call, err := libseccomp.GetSyscallFromName(name) // rules are given by the machine's own numbers
	return call, err == nil
}

// compile has libseccomp compile its part.
func (s *split) compile() (instructions, error) {
	if len(s.lib) == 0 {
		return instructions{returns(s.foreign)}, nil
	}
	whole, err := s.newFilter(s.lib[0])
	if err != nil {
		return nil, err
	}
	defer whole.Release()
	for _, part := range s.lib[1:] {
		filter, err := s.newFilter(part)
		if err != nil {
			return nil, err
		}
		if err := whole.Merge(filter); err != nil {
			filter.Release()
			return nil, fmt.Errorf("merge %s: %w", part.name, err)
		}
	}
	const binaryTree = 2 // seccomp_attr_set(3), SCMP_FLTATR_CTL_OPTIMIZE
	if err := whole.SetOptimize(binaryTree); err != nil {
		return nil, err
	}
	return export(whole)
}

// newFilter makes the filter of one ABI. The caller releases it.
func (s *split) newFilter(part libPart) (*libseccomp.ScmpFilter, error) {
	filter, err := libseccomp.NewFilter(libraryAction(s.otherwise))
	if err != nil {
		return nil, err
	}
	if err := s.fill(filter, part); err != nil {
		filter.Release()
		return nil, fmt.Errorf("%s: %w", part.name, err)
	}
	return filter, nil
}

func (s *split) fill(filter *libseccomp.ScmpFilter, part libPart) error {
	if err := filter.SetBadArchAction(libraryAction(s.foreign)); err != nil {
		return err
	}
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		return err
	}
	if native != part.lib {
		if err := filter.AddArch(part.lib); err != nil {
			return err
		}
		if err := filter.RemoveArch(native); err != nil {
			return err
		}
	}
	for call, ret := range part.rules {
		if err := filter.AddRuleExact(call, libraryAction(ret)); err != nil {
			return fmt.Errorf("call %d: %w", call, err)
		}
	}
	return nil
}

// libraryAction is libseccomp's name for a value that a filter returns.
func libraryAction(ret uint32) libseccomp.ScmpAction {
	switch ret {
	case retAllow:
		return libseccomp.ActAllow
	case retLog:
		return libseccomp.ActLog
	case retNotify:
		return libseccomp.ActNotify
	case retKill:
		return libseccomp.ActKillProcess
	}
	return libseccomp.ActErrno.SetReturnCode(int16(ret & retData))
}

// export returns the program that libseccomp made. It goes through a pipe, as
// libseccomp before 2.6 only writes to files.
func export(filter *libseccomp.ScmpFilter) (instructions, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	written := make(chan error, 1)
	go func() {
		err := filter.ExportBPF(w)
		if e := w.Close(); err == nil {
			err = e
		}
		written <- err
	}()
	code, err := io.ReadAll(r)
	if e := <-written; e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	return parse(code)
}
