package unitfile

import (
	"math"
	"strconv"
	"strings"
)

// Infinity is what the time span "infinity" becomes.
const Infinity uint64 = math.MaxUint64

// Microseconds reads a time span such as "90", "5min 20s", "1.5h" or "infinity".
// A number without a unit counts that many microseconds: 1e6 where seconds are
// meant.
func Microseconds(s string, unit uint64) (uint64, error) { return timespan(s, unit, 1) }

// Nanoseconds reads a time span as Microseconds does. A number without a unit
// counts nanoseconds.
func Nanoseconds(s string) (uint64, error) { return timespan(s, 1, 1000) }

// timespan reads a time span in parts of a microsecond.
func timespan(s string, unit, parts uint64) (uint64, error) {
	rest := strings.TrimLeft(s, Blanks)
	if after, ok := strings.CutPrefix(rest, "infinity"); ok {
		if strings.Trim(after, Blanks) != "" {
			return 0, strconv.ErrSyntax
		}
		return Infinity, nil
	}
	if rest == "" {
		return 0, strconv.ErrSyntax
	}
	var total uint64
	for rest != "" {
		n, after, err := leadingTimespan(rest, unit, parts)
		if err != nil {
			return 0, err
		}
		if n >= Infinity-total {
			return 0, ErrRange
		}
		total += n
		rest = strings.TrimLeft(after, Blanks)
	}
	return total, nil
}

// leadingTimespan reads one number with its unit.
func leadingTimespan(s string, unit, parts uint64) (n uint64, rest string, err error) {
	if strings.HasPrefix(s, "-") {
		return 0, "", ErrRange
	}
	s = strings.TrimPrefix(s, "+")
	whole := leadingDigits(s)
	after := s[len(whole):]
	fraction, point := "", strings.HasPrefix(after, ".")
	if point {
		fraction = leadingDigits(after[1:])
		after = after[1+len(fraction):]
	}
	if whole == "" && !point || point && fraction == "" {
		return 0, "", strconv.ErrSyntax
	}
	multiplier, rest := timeUnit(strings.TrimLeft(after, Blanks), unit, parts)
	if rest == after && rest != "" {
		return 0, "", strconv.ErrSyntax // neither a blank nor a unit behind the number
	}
	if whole != "" {
		if n, err = strconv.ParseUint(whole, 10, 63); err != nil || n >= math.MaxUint64/multiplier {
			return 0, "", ErrRange
		}
	}
	n *= multiplier
	for m, i := multiplier/10, 0; i < len(fraction); m, i = m/10, i+1 {
		digit := uint64(fraction[i]-'0') * m
		if digit >= Infinity-n {
			return 0, "", ErrRange
		}
		n += digit
	}
	return n, rest, nil
}

// timeUnit cuts a unit off the front of s. Longer names come before their
// prefixes.
func timeUnit(s string, none, parts uint64) (multiplier uint64, rest string) {
	for _, u := range [...]struct {
		usec  uint64
		names string
	}{
		{1e6, "seconds second sec s"},
		{60e6, "minutes minute min"},
		{2629800e6, "months month M"},
		{1e3, "msec ms"},
		{60e6, "m"},
		{3600e6, "hours hour hr h"},
		{24 * 3600e6, "days day d"},
		{7 * 24 * 3600e6, "weeks week w"},
		{31557600e6, "years year y"},
		{1, "usec us μs µs"},
	} {
		for name := range strings.FieldsSeq(u.names) {
			if after, ok := strings.CutPrefix(s, name); ok {
				return u.usec * parts, after
			}
		}
	}
	if parts == 1000 {
		for _, name := range [...]string{"nsec", "ns"} {
			if after, ok := strings.CutPrefix(s, name); ok {
				return 1, after
			}
		}
	}
	return none, s
}
