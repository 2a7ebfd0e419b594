package sandbox

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"berth/internal/kernel"
	"berth/internal/unitfile"
)

// New returns systemd's defaults for a service of the system manager.
func New() *Settings {
	return &Settings{
		ProtectSystem: "no", ProtectHome: "no", ProtectProc: "default", ProcSubset: "all",
		ProtectControlGroups: "no", ProtectHostname: "no", PrivateTmp: "no", PrivateUsers: "no",
		CapabilityBoundingSet: allCaps(),
		KeyringMode:           "private",
		UMask:                 0o022,
		IgnoreSIGPIPE:         true,
		MemoryTHP:             "inherit",
		modes:                 [...]uint32{0o755, 0o755, 0o755, 0o755, 0o755},
		preserve:              "no",
	}
}

// allCaps are the capabilities that berth knows. A newer kernel's further ones
// are never left to a container.
func allCaps() kernel.Caps {
	var all kernel.Caps
	for n, name := range kernel.Caps(math.MaxUint64).Names() {
		if strings.HasPrefix(name, "CAP_") {
			all |= 1 << n
		}
	}
	return all
}

// longest is the length of a line that systemd reads from a unit file.
const longest = 1 << 20

// Set does what the line NAME=VALUE of a unit file does: a list is added to, an
// empty value resets, a leading "~" inverts. Of specifiers such as %i nothing is
// expanded, as systemd-run --property doesn't: a per cent sign stands for itself.
// Where systemd passes over a word that it doesn't understand, that is an error
// here, and nothing is changed. See Lookup for how errors are written.
func (s *Settings) Set(name, value string) error {
	d, err := Lookup(name)
	if err != nil {
		return err
	}
	value = strings.Trim(value, unitfile.Blanks)
	switch {
	case len(value) > longest:
		return errors.New("is too long")
	case !utf8.ValidString(value):
		return errors.New("must be valid UTF-8")
	case strings.ContainsFunc(value, func(r rune) bool { return r != '\t' && unitfile.IsControl(r) }):
		return fmt.Errorf("must not have a line break or a control character: %q", value)
	}
	return d.set(s, &d, value)
}
