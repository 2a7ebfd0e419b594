package units

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Infinity is what a size or a time span of "infinity" becomes on the bus.
const Infinity uint64 = math.MaxUint64

// errRange is for a number that is well-formed and too large or too small.
var errRange = errors.New("out of range")

// ParseBoolean reads a boolean as a unit file has it: yes, true, on, y, t, 1
// or no, false, off, n, f, 0, in any case.
func ParseBoolean(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, fmt.Errorf("must be a boolean such as yes or no, not %q", s)
}

// ParseSize reads a size in bytes with the suffixes K, M, G, T, P and E as
// multiples of base, which is 1024 (memory) or 1000 (bandwidth). Fractions and
// sums are accepted ("1.5G", "1G 512M"); "infinity" and percentages are not.
func ParseSize(s string, base uint64) (uint64, error) {
	const suffixes = "EPTGMKB"
	var total uint64
	rest, next := strings.TrimLeft(s, whitespace), 0
	for first := true; first || rest != ""; first = false {
		n, frac, after, err := leadingNumber(rest)
		if err != nil {
			return 0, err
		}
		unit := len(suffixes)
		if after != "" {
			if i := strings.IndexByte(suffixes, after[0]); i >= 0 {
				unit, after = i, after[1:]
			}
		}
		if unit < next { // units must become smaller, and nothing follows a number without one
			return 0, strconv.ErrSyntax
		}
		factor := uint64(1)
		for range len(suffixes) - 1 - min(unit, len(suffixes)-1) {
			factor *= base
		}
		if n > math.MaxUint64/factor || frac > 0 && n == math.MaxUint64/factor {
			return 0, errRange
		}
		part := n*factor + uint64(frac*float64(factor))
		if part > math.MaxUint64-total {
			return 0, errRange
		}
		total += part
		rest, next = strings.TrimLeft(after, whitespace), unit+1
		if rest == "" && after != "" {
			return 0, strconv.ErrSyntax // a suffix followed by blanks, as systemd has it
		}
	}
	return total, nil
}

// leadingNumber reads digits with an optional fraction and the blanks after
// them. A point needs no digit behind it.
func leadingNumber(s string) (n uint64, frac float64, rest string, err error) {
	s = strings.TrimPrefix(s, "+")
	digits := leadingDigits(s)
	if digits == "" {
		if strings.HasPrefix(s, "-") {
			return 0, 0, "", errRange
		}
		return 0, 0, "", strconv.ErrSyntax
	}
	if n, err = strconv.ParseUint(digits, 10, 64); err != nil {
		return 0, 0, "", errRange
	}
	rest = s[len(digits):]
	if point, ok := strings.CutPrefix(rest, "."); ok {
		digits = leadingDigits(point)
		rest = point[len(digits):]
		if digits != "" {
			f, err := strconv.ParseUint(digits, 10, 64)
			if err != nil {
				return 0, 0, "", errRange
			}
			frac = float64(f)
			for range digits {
				frac /= 10
			}
		}
	}
	return n, frac, strings.TrimLeft(rest, whitespace), nil
}

func leadingDigits(s string) string {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i]
}

// parseUint reads an unsigned number: decimal, 0x hexadecimal, 0o or 0 octal,
// 0b binary.
func parseUint(s string) (uint64, error) {
	digits := strings.TrimLeft(s, whitespace)
	negative := strings.HasPrefix(digits, "-")
	if negative || strings.HasPrefix(digits, "+") {
		digits = digits[1:]
	}
	if strings.ContainsAny(digits, "_+-") {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(digits, 0, 64)
	if errors.Is(err, strconv.ErrRange) || negative && n != 0 {
		return 0, errRange
	}
	if err != nil {
		return 0, strconv.ErrSyntax
	}
	return n, nil
}

// parsePermyriad reads a percentage with up to two decimals, or a number of ‰
// or ‱, as ten-thousandths. It may be larger than the whole.
func parsePermyriad(s string) (uint64, error) {
	for _, unit := range [...]struct {
		symbol   string
		decimals int
	}{{"‱", 0}, {"‰", 1}, {"%", 2}} {
		if number, ok := strings.CutSuffix(s, unit.symbol); ok {
			return fixedPoint(number, unit.decimals)
		}
	}
	return 0, strconv.ErrSyntax
}

// fixedPoint reads a number with at most the given decimals, scaled by ten to
// their power. A point needs a digit behind it.
func fixedPoint(s string, decimals int) (uint64, error) {
	whole, fraction, point := strings.Cut(s, ".")
	if point && (fraction == "" || len(fraction) > decimals || leadingDigits(fraction) != fraction) {
		return 0, strconv.ErrSyntax
	}
	n, err := parseUint(whole)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt32 {
		return 0, errRange
	}
	for i := range decimals {
		n *= 10
		if i < len(fraction) {
			n += uint64(fraction[i] - '0')
		}
	}
	if n > math.MaxInt32 {
		return 0, errRange
	}
	return n, nil
}

// scale turns ten-thousandths into the fraction of 2^32-1 that properties
// whose names end in Scale carry.
func scale(permyriad uint64) uint32 {
	return uint32((min(permyriad, 10000)*math.MaxUint32 + 5000) / 10000)
}
