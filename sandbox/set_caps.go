package sandbox

import (
	"math"
	"strconv"
	"strings"

	"berth/internal/kernel"
	"berth/internal/unitfile"
)

// setBoundingSet merges: the first assignment replaces the full set, later ones
// add, or take away with a "~". An empty one leaves nothing, "~" alone all, as if
// never assigned. For systemd 262 what follows it adds to the full set, which
// older ones replace.
func setBoundingSet(s *Settings, _ *Setting, value string) error {
	set, err := mergeCaps(value, s.CapabilityBoundingSet, s.bounded)
	if err != nil {
		return err
	}
	s.CapabilityBoundingSet, s.bounded = set, set != allCaps()
	return nil
}

// setAmbient merges likewise, but an empty set counts as never assigned: "~" and
// capabilities make it all but these.
func setAmbient(s *Settings, _ *Setting, value string) error {
	set, err := mergeCaps(value, s.AmbientCapabilities, s.AmbientCapabilities != 0)
	if err != nil {
		return err
	}
	s.AmbientCapabilities = set
	return nil
}

func mergeCaps(value string, current kernel.Caps, assigned bool) (kernel.Caps, error) {
	if value == "" {
		return 0, nil
	}
	list, invert := inverted(value)
	words, err := unitfile.Split(list, unitfile.Unquote)
	if err != nil {
		return 0, err
	}
	var parsed kernel.Caps
	for _, word := range words {
		n, err := capability(word)
		if err != nil {
			return 0, err
		}
		parsed |= 1 << n
	}
	replace := parsed == 0 || !assigned
	switch {
	case replace && invert:
		return allCaps() &^ parsed, nil
	case replace:
		return parsed, nil
	case invert:
		return current &^ parsed, nil
	default:
		return current | parsed, nil
	}
}

// capability reads a name, in any case, or a number.
func capability(word string) (int, error) {
	var known []string
	for n, name := range kernel.Caps(math.MaxUint64).Names() {
		if !strings.HasPrefix(name, "CAP_") {
			break
		}
		if strings.EqualFold(word, name) || word == strconv.Itoa(n) {
			return n, nil
		}
		known = append(known, name)
	}
	return 0, unknown("capability", word, known)
}

// setSecureBits replaces the flags, see capabilities(7).
func setSecureBits(s *Settings, _ *Setting, value string) error {
	words, err := unitfile.Split(value, unitfile.Unquote)
	if err != nil {
		return err
	}
	names := strings.Fields("noroot noroot-locked no-setuid-fixup no-setuid-fixup-locked keep-caps keep-caps-locked " +
		"no-cap-ambient-raise no-cap-ambient-raise-locked exec-restrict-file exec-restrict-file-locked " +
		"exec-deny-interactive exec-deny-interactive-locked")
	var bits uint32
	for _, word := range words {
		n, err := indexOf("secure bit", word, names)
		if err != nil {
			return err
		}
		bits |= 1 << n
	}
	s.SecureBits = bits
	return nil
}

// The execution domains of personality(2), from linux/personality.h.
const (
	perLinux   = 0x0000
	perLinux32 = 0x0008
)

// setPersonality takes the name of an architecture that programs of this machine
// can be of.
func setPersonality(s *Settings, _ *Setting, value string) error {
	if value == "" {
		s.Personality = nil
		return nil
	}
	native, second := nativeArchitectures()
	n, err := indexOf("architecture of this machine", value, []string{native, second})
	if err != nil {
		return err
	}
	personality := [...]uint32{perLinux, perLinux32}[n]
	s.Personality = &personality
	return nil
}
