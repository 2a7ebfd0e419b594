package launcher

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"berth/internal/fsguard"
	"berth/internal/kernel"
	"berth/sandbox"
	"berth/sandbox/seccomp"

	"golang.org/x/sys/unix"
)

// sandbox looks at what settings of [sandbox] and berth learn need.
func (d *doctor) sandbox() {
	d.subject = "sandbox"
	d.filters()
	d.has("PR_SET_MDWE", kernel.HasMDWE(), "MemoryDenyWriteExecute is a filter of system calls alone; Linux 6.3 has it")
	d.host.MDWE = kernel.HasMDWE()
	d.fileSystemGuard()
	d.numa()
	d.recording()
}

// filters loads one, as a start does.
func (d *doctor) filters() {
	programs, err := seccomp.Compile(seccomp.Hostname())
	if err == nil {
		err = seccomp.Validate(programs)
	}
	d.tried("filters of system calls", err, "no container with a filter can be made, so none with the usual profiles: the kernel needs CONFIG_SECCOMP_FILTER")
	d.filterActions()
	d.row("libseccomp", VerdictYes, "%s, built in: newer system calls are filtered as well", seccomp.LibraryVersion())
	if err := (seccomp.Cache{Dir: filterCache}).Usable(); err != nil {
		d.tried("cache of filters", err, "each start compiles its filter anew, which takes some milliseconds")
	} else {
		d.row("cache of filters", VerdictYes, "%s", filterCache)
	}
}

// filterActions asks for what a filter may answer. The numbers are SECCOMP_RET_*.
func (d *doctor) filterActions() {
	var there, missing []string
	for _, a := range []struct {
		name  string
		value uint32
	}{
		{"kill", unix.SECCOMP_RET_KILL_PROCESS}, {"error", unix.SECCOMP_RET_ERRNO}, {"log", unix.SECCOMP_RET_LOG}, {"notify", unix.SECCOMP_RET_USER_NOTIF},
	} {
		if kernel.FilterAction(a.value) == nil {
			there = append(there, a.name)
		} else {
			missing = append(missing, a.name)
		}
	}
	if len(missing) > 0 {
		d.row("answers of filters", VerdictLimited, "%s: settings that need the others (%s) end the start", strings.Join(there, ", "), strings.Join(missing, ", "))
		return
	}
	d.row("answers of filters", VerdictYes, "%s", strings.Join(there, ", "))
}

// fileSystemGuard loads what RestrictFileSystems= attaches.
func (d *doctor) fileSystemGuard() {
	err := fsguard.Asked()
	if err == nil && !d.root {
		err = unix.EPERM // trying it makes a map first, whose errors tell little
	} else if err == nil {
		err = fsguard.Probe(kernelLayout())
	}
	d.tried("BPF for opening files", err, "RestrictFileSystems can't be enforced")
	d.host.BPFLSM = err == nil || d.needsRoot(err)
}

// numa looks for the nodes that NUMAMask= and CPUAffinity= may name.
func (d *doctor) numa() {
	nodes, err := kernel.NUMANodes()
	d.host.Nodes = nodes
	switch {
	case err != nil:
		d.row("NUMA", VerdictUnknown, "%v", err)
	case len(nodes) == 0:
		d.row("NUMA", VerdictNo, "CPUAffinity=numa and NUMAMask=all have nothing to go by")
	default:
		d.row("NUMA", VerdictYes, "nodes: %d", len(nodes))
	}
}

// kernelTypes describes the kernel's types in BTF. See the kernel's
// Documentation/bpf/btf.rst.
const kernelTypes = "/sys/kernel/btf/vmlinux"

// recording looks at what berth learn needs.
func (d *doctor) recording() {
	types, err := os.ReadFile(kernelTypes)
	if err == nil {
		err = kernel.ProbeBPF(unix.BPF_PROG_TYPE_RAW_TRACEPOINT, 0)
	}
	d.tried("BPF for recording", err, "berth learn traps each system call instead, which is slower and sees no capabilities: the kernel needs CONFIG_BPF_EVENTS and CONFIG_DEBUG_INFO_BTF")
	if err == nil {
		// The name of the tracepoint's type; Linux 6.15 brought it.
		there := bytes.Contains(types, []byte("\x00btf_trace_cap_capable\x00"))
		d.has("recording of capabilities", there, "berth learn guesses by the system calls which capabilities are needed; Linux 6.15 has it")
	}
}

// sandboxProblems are the settings of [sandbox] that this host can't enforce, and
// why.
func (d *doctor) sandboxProblems() []sandbox.Problem {
	settings := sandbox.New()
	for name, value := range map[string]string{"RestrictFileSystems": "tmpfs", "NUMAMask": "all", "CPUAffinity": "numa"} {
		if err := settings.Set(name, value); err != nil {
			return []sandbox.Problem{{Setting: name, Reason: fmt.Sprintf("internal error: %v", err)}}
		}
	}
	_, all := settings.Decide(sandbox.Facts{SystemdVersion: d.host.SystemdVersion, MDWE: d.host.MDWE, BPFLSM: d.host.BPFLSM, Nodes: d.host.Nodes})
	problems := slices.DeleteFunc(all, func(p sandbox.Problem) bool { return p.Contradiction })
	if v := d.host.SystemdVersion; v < filterSince {
		problems = append(problems, sandbox.Problem{Setting: "LogFilterPatterns", Reason: fmt.Sprintf("needs systemd %d or later, this is %d", filterSince, v)})
	}
	return problems
}
