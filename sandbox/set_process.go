package sandbox

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"berth/internal/unitfile"
)

func indexOf(what, word string, known []string) (int, error) {
	if i := slices.Index(known, word); i >= 0 {
		return i, nil
	}
	return 0, unknown(what, word, known)
}

// nativeArchitectures names this machine's architecture and its 32-bit one as
// systemd does.
func nativeArchitectures() (native, second string) {
	switch runtime.GOARCH {
	case "amd64":
		return "x86-64", "x86"
	case "arm64":
		return "arm64", "arm"
	}
	return runtime.GOARCH, ""
}

func setUMask(s *Settings, _ *Setting, value string) error {
	mode, err := unitfile.FileMode(value)
	if err != nil {
		return err
	}
	s.UMask = mode
	return nil
}

// setLimit takes SOFT:HARD, or one value for both.
func setLimit(s *Settings, d *Setting, value string) error {
	first, second, two := strings.Cut(value, ":")
	soft, err := limit(d.Name, first)
	if err != nil {
		return err
	}
	hard := soft
	if two {
		if hard, err = limit(d.Name, second); err != nil {
			return err
		}
	}
	if soft > hard {
		return fmt.Errorf("has a soft limit above the hard one: %q", value)
	}
	limits := maps.Clone(s.Limits)
	if limits == nil {
		limits = map[string]Limit{}
	}
	limits[d.Name] = Limit{soft, hard}
	s.Limits = limits
	return nil
}

// limit reads one value in the unit of the resource: bytes, seconds for LimitCPU,
// microseconds for LimitRTTIME, a nice level for LimitNICE, or a number.
func limit(name, value string) (n uint64, err error) {
	if value == "infinity" && name != "LimitNICE" {
		return unix.RLIM_INFINITY, nil
	}
	expected := "a number or infinity"
	switch name {
	case "LimitCPU":
		expected = "a time span such as 90 or 5min, or infinity"
		if n, err = unitfile.Microseconds(value, 1e6); err == nil && n != unitfile.Infinity {
			n = n/1e6 + min(n%1e6, 1)
		}
	case "LimitRTTIME":
		expected = "a time span such as 500ms, or infinity"
		n, err = unitfile.Microseconds(value, 1)
	case "LimitNICE":
		expected = "a nice level from -20 to +19, or a number from 0 to 40"
		n, err = niceLimit(value)
	case "LimitNOFILE", "LimitNPROC", "LimitLOCKS", "LimitSIGPENDING", "LimitRTPRIO":
		n, err = unitfile.Unsigned(value)
	default:
		expected = "a size such as 512M, or infinity"
		n, err = unitfile.Size(value, 1024)
	}
	written := n == unix.RLIM_INFINITY && (name != "LimitCPU" && name != "LimitRTTIME")
	if err != nil || written {
		return 0, fmt.Errorf("must be %s, not %q", expected, value)
	}
	return n, nil
}

// niceLimit reads a nice level with its sign, or the number that setrlimit(2)
// has for it: 20 less the level.
func niceLimit(value string) (uint64, error) {
	if value == "" {
		return 0, strconv.ErrSyntax
	}
	switch value[0] {
	case '+':
		n, err := unitfile.Integer(value[1:], 0, 19)
		return uint64(20 - n), err
	case '-':
		n, err := unitfile.Integer(value[1:], 0, 20)
		return uint64(20 + n), err
	}
	n, err := unitfile.Integer(value, 0, 40)
	return uint64(n), err
}

func setOOMScoreAdjust(s *Settings, _ *Setting, value string) error {
	return setNumber(&s.OOMScoreAdjust, value, -1000, 1000)
}

func setNice(s *Settings, _ *Setting, value string) error {
	return setNumber(&s.Nice, value, -20, 19)
}

// setNumber is for a number whose empty assignment resets it.
func setNumber(field **int, value string, low, high int) error {
	if value == "" {
		*field = nil
		return nil
	}
	n, err := number(value, low, high)
	if err != nil {
		return err
	}
	*field = &n
	return nil
}

// setTimerSlack takes a time span; a number alone is of nanoseconds.
func setTimerSlack(s *Settings, _ *Setting, value string) error {
	n, err := unitfile.Nanoseconds(value)
	if err != nil {
		return fmt.Errorf("must be a time span such as 50us or infinity, not %q", value)
	}
	s.TimerSlackNSec = &n
	if n == unitfile.Infinity {
		s.TimerSlackNSec = nil
	}
	return nil
}

// The masks of core(5), "controlling which mappings are written".
const (
	coredumpDefault = 0x33
	coredumpAll     = math.MaxUint32 // systemd's too: the kernel refuses more
)

// setCoredumpFilter adds the named mappings, or a hexadecimal mask.
func setCoredumpFilter(s *Settings, _ *Setting, value string) error {
	if value == "" {
		s.CoredumpFilter = nil
		return nil
	}
	list, err := unitfile.Split(value, 0)
	if err != nil {
		return err
	}
	names := strings.Fields("private-anonymous shared-anonymous private-file-backed shared-file-backed elf-headers " +
		"private-huge shared-huge private-dax shared-dax")
	var mask uint64
	if s.CoredumpFilter != nil {
		mask = *s.CoredumpFilter
	}
	for _, word := range list {
		bits, err := strconv.ParseUint(strings.TrimPrefix(word, "0x"), 16, 64)
		switch {
		case word == "default":
			bits = coredumpDefault
		case word == "all":
			bits = coredumpAll
		case err != nil:
			n, err := indexOf("memory of a core dump", word, names)
			if err != nil {
				return err
			}
			bits = 1 << n
		}
		mask |= bits
	}
	s.CoredumpFilter = &mask
	return nil
}

func setMemoryKSM(s *Settings, _ *Setting, value string) error {
	if value == "" {
		s.MemoryKSM = nil
		return nil
	}
	on, err := unitfile.Boolean(value)
	if err != nil {
		return err
	}
	s.MemoryKSM = &on
	return nil
}
