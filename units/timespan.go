package units

import (
	"math"
	"strconv"
	"strings"
)

// ParseTimespan reads a time span as systemd.time(7) has it ("90", "5min 20s",
// "1.5h", "infinity") and returns microseconds. A number without a unit counts
// seconds.
func ParseTimespan(s string) (uint64, error) {
	rest := strings.TrimLeft(s, whitespace)
	if after, ok := strings.CutPrefix(rest, "infinity"); ok {
		if strings.Trim(after, whitespace) != "" {
			return 0, strconv.ErrSyntax
		}
		return Infinity, nil
	}
	if rest == "" {
		return 0, strconv.ErrSyntax
	}
	var total uint64
	for rest != "" {
		usec, after, err := leadingTimespan(rest)
		if err != nil {
			return 0, err
		}
		if usec >= Infinity-total {
			return 0, errRange
		}
		total += usec
		rest = strings.TrimLeft(after, whitespace)
	}
	return total, nil
}

// leadingTimespan reads one number with its unit.
func leadingTimespan(s string) (usec uint64, rest string, err error) {
	if strings.HasPrefix(s, "-") {
		return 0, "", errRange
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
	multiplier, rest := timeUnit(strings.TrimLeft(after, whitespace))
	if rest == after && rest != "" {
		return 0, "", strconv.ErrSyntax // neither a blank nor a unit behind the number
	}
	var n uint64
	if whole != "" {
		if n, err = strconv.ParseUint(whole, 10, 63); err != nil || n >= math.MaxUint64/multiplier {
			return 0, "", errRange
		}
	}
	usec = n * multiplier
	for m, i := multiplier/10, 0; i < len(fraction); m, i = m/10, i+1 {
		digit := uint64(fraction[i]-'0') * m
		if digit >= Infinity-usec {
			return 0, "", errRange
		}
		usec += digit
	}
	return usec, rest, nil
}

// timeUnit cuts a unit off the front of s and returns it in microseconds; one
// second where there is none. Longer names come before their prefixes.
func timeUnit(s string) (usec uint64, rest string) {
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
				return u.usec, after
			}
		}
	}
	return 1e6, s
}

// FormatTimespan writes microseconds in the syntax that ParseTimespan reads,
// in the largest units that fit.
func FormatTimespan(usec uint64) string {
	switch usec {
	case Infinity:
		return "infinity"
	case 0:
		return "0"
	}
	var parts []string
	for _, u := range [...]struct {
		usec uint64
		name string
	}{
		{7 * 24 * 3600e6, "w"}, {24 * 3600e6, "d"}, {3600e6, "h"}, {60e6, "min"}, {1e6, "s"}, {1e3, "ms"}, {1, "us"},
	} {
		if n := usec / u.usec; n > 0 {
			parts = append(parts, strconv.FormatUint(n, 10)+u.name)
			usec %= u.usec
		}
	}
	return strings.Join(parts, " ")
}
