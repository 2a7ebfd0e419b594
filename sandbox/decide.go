package sandbox

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"berth/internal/kernel"
)

// Decide says what the settings come to, and what of them can't be carried out.
// The decision leaves that out, and is sound otherwise.
func (s *Settings) Decide(f Facts) (*Decision, []Problem) {
	d := deciding{Settings: s, Facts: f, Decision: &Decision{}}
	d.paths()
	d.mounts()
	d.dropCovered()
	d.process()
	d.schedule()
	d.filter()
	d.fileSystems()
	if s.ProtectProc != "default" {
		d.Proc.HidePID = s.ProtectProc
	}
	if s.ProcSubset != "all" {
		d.Proc.Subset = s.ProcSubset
	}
	d.Namespaces.Network = s.PrivateNetwork
	d.Devices.Closed = s.PrivateDevices
	if s.ProtectClock && s.PrivateDevices {
		d.Devices.Allow = []string{"char-rtc r"}
	}
	return d.Decision, d.problems
}

// deciding is a decision in the making.
type deciding struct {
	*Settings
	Facts
	*Decision
	problems []Problem
}

// contradiction reports a setting that no host could carry out.
func (d *deciding) contradiction(setting, format string, args ...any) {
	d.problems = append(d.problems, Problem{setting, fmt.Sprintf(format, args...), true})
}

// unenforceable reports a setting that this host can't carry out.
func (d *deciding) unenforceable(setting, format string, args ...any) {
	d.problems = append(d.problems, Problem{setting, fmt.Sprintf(format, args...), false})
}

// process decides the attributes of the payload.
func (d *deciding) process() {
	s := d.Settings
	d.Process = kernel.Attributes{
		SecureBits:      s.SecureBits,
		NoNewPrivileges: s.NoNewPrivileges,
		DenyWriteExec:   s.MemoryDenyWriteExecute && d.MDWE,
		Keyring:         s.KeyringMode,
		UMask:           s.UMask,
		Personality:     s.Personality,
		IgnoreSIGPIPE:   s.IgnoreSIGPIPE,
		CoredumpFilter:  s.CoredumpFilter,
		TimerSlack:      s.TimerSlackNSec,
		MemoryKSM:       s.MemoryKSM,
		DisableTHP:      s.MemoryTHP == "disable",
		OOMScoreAdjust:  s.OOMScoreAdjust,
		Nice:            s.Nice,
		IO:              s.IOScheduling,
	}
	if s.MemoryTHP == "madvise" {
		d.unenforceable("MemoryTHP", "madvise cannot be set: use disable")
	}
	d.capabilities()
	d.limits()
}

// capabilities takes from the bounding set what other settings drop. What is
// ambient must be in it: the kernel gives nothing else, and systemd fails.
func (d *deciding) capabilities() {
	d.Process.Bounding = d.CapabilityBoundingSet
	dropped := map[int]string{}
	for _, drop := range [...]struct {
		setting string
		on      bool
		caps    [2]int
	}{
		{"PrivateDevices", d.PrivateDevices, [2]int{unix.CAP_MKNOD, unix.CAP_SYS_RAWIO}},
		{"ProtectKernelModules", d.ProtectKernelModules, [2]int{unix.CAP_SYS_MODULE, unix.CAP_SYS_MODULE}},
		{"ProtectKernelLogs", d.ProtectKernelLogs, [2]int{unix.CAP_SYSLOG, unix.CAP_SYSLOG}},
		{"ProtectClock", d.ProtectClock, [2]int{unix.CAP_SYS_TIME, unix.CAP_WAKE_ALARM}},
	} {
		if !drop.on {
			continue
		}
		d.Process.Bounding &^= kernel.CapSet(drop.caps[:]...)
		for _, n := range drop.caps {
			dropped[n] = drop.setting
		}
	}
	d.Process.Ambient = d.AmbientCapabilities & d.Process.Bounding
	lacking := d.AmbientCapabilities &^ d.Process.Bounding
	for n := range 64 {
		if lacking&(1<<n) == 0 {
			continue
		}
		name := kernel.CapSet(n).Names()[0]
		if by := dropped[n]; by != "" {
			d.contradiction("AmbientCapabilities", "%s is dropped by %s", name, by)
		} else {
			d.contradiction("AmbientCapabilities", "%s isn't in CapabilityBoundingSet", name)
		}
	}
}

// limits are named as setrlimit(2) does. Without realtime policies there is no
// priority to have.
func (d *deciding) limits() {
	d.Decision.Limits = map[string]Limit{}
	if d.RestrictRealtime {
		d.Decision.Limits["RLIMIT_RTPRIO"] = Limit{0, 0}
	}
	for name, limit := range d.Settings.Limits {
		d.Decision.Limits["RLIMIT_"+strings.TrimPrefix(name, "Limit")] = limit
	}
}
