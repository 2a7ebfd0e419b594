package nsinit

/*
#include <stdlib.h>
#include "payload.h"
*/
import "C"

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"berth/internal/kernel"
)

// stepNames are the steps of payload.h.
var stepNames = [...]string{
	C.SESSION: "make a session", C.TERMINAL: "take the terminal", C.LIMIT: "set the resource limits",
	C.USER: "become the user", C.KEYRING: "make a keyring", C.CAPABILITIES: "set the capabilities",
	C.SCHEDULER: "set the scheduling policy", C.FILTER: "set the filter of system calls", C.TRAP: "trap system calls", C.EXEC: "execute",
}

// spawn forks the payload, in a session of its own, and returns its PID once
// its exec has succeeded. Held, it stays stopped there until enter.c lets it go:
// before this process is PID 1 in earnest, what it holds could be taken from it.
// That is done by tracing it, which only one can: a start that the host's root
// traces goes without.
func spawn(p Process, cmd command, terminal *os.File, hold bool) (int, error) {
	var m memory
	defer m.free()
	c, err := m.payload(p, cmd, terminal)
	if err != nil {
		return 0, err
	}
	if hold {
		c.hold = 1
	}
	if pid := C.payload_spawn(c); pid > 0 {
		return int(pid), nil
	}
	return 0, stepError(cmd, int(c.step), syscall.Errno(c.error))
}

// become turns this process into the payload.
func become(p Process, cmd command, terminal *os.File, failed func(error)) error {
	if err := dieWithLauncher(); err != nil {
		return err
	}
	var m memory // stays: the program that comes needs no berth to free it
	c, err := m.payload(p, cmd, terminal)
	if err != nil {
		return err
	}
	// This thread can't report under the payload's filters; another can.
	go func() {
		for {
			time.Sleep(time.Millisecond)
			if errno := atomic.LoadInt32((*int32)(unsafe.Pointer(&c.error))); errno != 0 {
				failed(stepError(cmd, int(c.step), syscall.Errno(errno)))
			}
		}
	}()
	C.payload_become(c)
	select {}
}

// stepError says why a step failed; where it is the exec, as shells do. ENOENT
// for a file that is there means its interpreter.
func stepError(cmd command, step int, errno syscall.Errno) error {
	if step != C.EXEC {
		return fmt.Errorf("cannot %s: %w", stepNames[step], errno)
	}
	f := execFailure(cmd.args[0], errno)
	if errno == syscall.ENOENT {
		if _, err := os.Stat(cmd.path); err == nil {
			f.Cause = "its interpreter (first line, or dynamic loader) is not in the container"
		}
	}
	return f
}

// memory is memory of C's, which Go's collector neither moves nor looks into.
type memory struct{ blocks []unsafe.Pointer }

func (m *memory) free() {
	for _, b := range m.blocks {
		C.free(b)
	}
}

func allocate[T any](m *memory, n int) []T {
	var zero T
	p := C.calloc(C.size_t(max(n, 1)), C.size_t(unsafe.Sizeof(zero))) // never nil: Go's cgo panics instead
	m.blocks = append(m.blocks, p)
	return unsafe.Slice((*T)(p), max(n, 1))
}

func (m *memory) text(s string) *C.char {
	p := C.CString(s)
	m.blocks = append(m.blocks, unsafe.Pointer(p))
	return p
}

// texts makes an array as argv is one.
func (m *memory) texts(list []string) **C.char {
	array := allocate[*C.char](m, len(list)+1)
	for i, s := range list {
		array[i] = m.text(s)
	}
	return &array[0]
}

func (m *memory) payload(p Process, cmd command, terminal *os.File) (*C.struct_payload, error) {
	a := p.Attributes
	c := &allocate[C.struct_payload](m, 1)[0]
	c.path, c.argv, c.envp = m.text(cmd.path), m.texts(cmd.args), m.texts(cmd.env)
	c.terminal = -1
	if terminal != nil {
		c.terminal = C.int(terminal.Fd())
	}
	c.uid, c.gid = C.uid_t(cmd.uid), C.gid_t(cmd.gid)
	groups := allocate[C.gid_t](m, len(cmd.groups))
	for i, g := range cmd.groups {
		groups[i] = C.gid_t(g)
	}
	c.groups, c.ngroups = &groups[0], C.size_t(len(cmd.groups))
	limits := allocate[C.struct_limit](m, len(p.Limits))
	for i, l := range p.Limits {
		number, err := l.Number()
		if err != nil {
			return nil, err
		}
		limits[i].resource = C.int(number)
		limits[i].value.rlim_cur, limits[i].value.rlim_max = C.rlim_t(l.Soft), C.rlim_t(l.Hard)
	}
	c.limits, c.nlimits = &limits[0], C.size_t(len(p.Limits))
	c.ambient, c.securebits = C.uint64_t(a.Ambient), C.uint32_t(a.SecureBits)
	c.keyring = truth(a.Keyring == "shared")
	c.no_new_privs = truth(a.NoNewPrivileges)
	c.ignore_sigpipe = truth(a.IgnoreSIGPIPE)
	c.reset_on_fork = truth(a.Scheduler != nil && a.Scheduler.ResetOnFork)
	c.filters, c.filter_flags, c.nfilters = m.filters(p.Filters)
	if p.Trap != nil {
		trap, flags, _ := m.filters([]kernel.Filter{*p.Trap})
		c.trap, c.trap_flags = trap, *flags
	}
	return c, nil
}

func (m *memory) filters(filters []kernel.Filter) (*C.struct_sock_fprog, *C.uint, C.size_t) {
	programs := allocate[C.struct_sock_fprog](m, len(filters))
	flags := allocate[C.uint](m, len(filters))
	for i, f := range filters {
		code := allocate[byte](m, len(f.Code))
		copy(code, f.Code)
		programs[i].len = C.ushort(len(f.Code) / int(unsafe.Sizeof(unix.SockFilter{})))
		programs[i].filter = (*C.struct_sock_filter)(unsafe.Pointer(&code[0]))
		flags[i] = C.uint(f.Flags)
	}
	return &programs[0], &flags[0], C.size_t(len(filters))
}

func truth(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
