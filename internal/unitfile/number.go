package unitfile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrRange is for a number that is well-formed and too large or too small.
var ErrRange = errors.New("out of range")

// Boolean reads yes, true, on, y, t, 1 or no, false, off, n, f, 0, in any case.
func Boolean(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, fmt.Errorf("must be a boolean such as yes or no, not %q", s)
}

// Unsigned reads a number: decimal, 0x hexadecimal, 0o or 0 octal, 0b binary.
func Unsigned(s string) (uint64, error) {
	digits, negative, err := sign(s)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(digits, 0, 64)
	if errors.Is(err, strconv.ErrRange) || negative && n != 0 {
		return 0, ErrRange
	}
	if err != nil {
		return 0, strconv.ErrSyntax
	}
	return n, nil
}

// Integer reads a number as Unsigned does, with a sign, from low to high.
func Integer(s string, low, high int) (int, error) {
	digits, negative, err := sign(s)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(digits, 0, 31)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, strconv.ErrSyntax
	}
	value := int(n)
	if negative {
		value = -value
	}
	if err != nil || value < low || value > high {
		return 0, ErrRange
	}
	return value, nil
}

// sign takes blanks and a sign off the front, and refuses what Go's literals
// have and unit files don't.
func sign(s string) (digits string, negative bool, err error) {
	digits = strings.TrimLeft(s, Blanks)
	negative = strings.HasPrefix(digits, "-")
	if negative || strings.HasPrefix(digits, "+") {
		digits = digits[1:]
	}
	if strings.ContainsAny(digits, "_+-") {
		return "", false, strconv.ErrSyntax
	}
	return digits, negative, nil
}

// FileMode reads an octal mode up to 7777.
func FileMode(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o7777 {
		return 0, fmt.Errorf("must be an octal file mode such as 0755, not %q", s)
	}
	return uint32(n), nil
}

// Size reads a number of bytes with the suffixes K, M, G, T, P and E, multiples of
// base: 1024, or 1000 for bandwidths. Fractions and sums are accepted ("1.5G", "1G 512M"); "infinity" is not.
func Size(s string, base uint64) (uint64, error) {
	const suffixes = "EPTGMKB"
	var total uint64
	rest, next := strings.TrimLeft(s, Blanks), 0
	for first := true; first || rest != ""; first = false {
		n, fraction, after, err := leadingNumber(rest)
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
		if n > math.MaxUint64/factor || fraction > 0 && n == math.MaxUint64/factor {
			return 0, ErrRange
		}
		part := n*factor + uint64(fraction*float64(factor))
		if part > math.MaxUint64-total {
			return 0, ErrRange
		}
		total += part
		rest, next = strings.TrimLeft(after, Blanks), unit+1
		if rest == "" && after != "" {
			return 0, strconv.ErrSyntax // a suffix followed by blanks, as systemd has it
		}
	}
	return total, nil
}

// leadingNumber reads digits with an optional fraction and the blanks after
// them. A point needs no digit behind it.
func leadingNumber(s string) (n uint64, fraction float64, rest string, err error) {
	s = strings.TrimPrefix(s, "+")
	digits := leadingDigits(s)
	if digits == "" {
		if strings.HasPrefix(s, "-") {
			return 0, 0, "", ErrRange
		}
		return 0, 0, "", strconv.ErrSyntax
	}
	if n, err = strconv.ParseUint(digits, 10, 64); err != nil {
		return 0, 0, "", ErrRange
	}
	rest = s[len(digits):]
	if point, ok := strings.CutPrefix(rest, "."); ok {
		digits = leadingDigits(point)
		rest = point[len(digits):]
		if digits != "" {
			if fraction, err = strconv.ParseFloat("0."+digits, 64); err != nil || len(digits) > 19 {
				return 0, 0, "", ErrRange
			}
		}
	}
	return n, fraction, strings.TrimLeft(rest, Blanks), nil
}

func leadingDigits(s string) string {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i]
}
