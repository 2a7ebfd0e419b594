package config

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// ParseSize reads a size as systemd writes it and returns bytes: "4096",
// "16M", "1.5G". The suffixes B, K, M, G, T, P and E count in 1024s. A sum of
// several sizes, "1G 512M", is not taken.
func ParseSize(s string) (uint64, error) {
	digits, unit := splitUnit(s)
	whole, fraction, dotted := strings.Cut(digits, ".")
	n, err := parseDigits(whole)
	if err != nil || dotted && fraction == "" {
		return 0, fmt.Errorf("%s is no size, as 16M is", quote(s))
	}
	high, size := bits.Mul64(n, unit)
	if high != 0 {
		return 0, fmt.Errorf("%s is too large", quote(s))
	}
	part, err := parseFraction(fraction, unit)
	if err != nil {
		return 0, fmt.Errorf("%s is no size, as 16M is", quote(s))
	}
	if size+part < size {
		return 0, fmt.Errorf("%s is too large", quote(s))
	}
	return size + part, nil
}

// splitUnit splits a suffix off and returns how many bytes it stands for.
func splitUnit(s string) (digits string, unit uint64) {
	if s == "" {
		return "", 1
	}
	last := len(s) - 1
	if i := strings.IndexByte("BKMGTPE", s[last]); i >= 0 {
		return s[:last], 1 << (10 * i)
	}
	return s, 1
}

// parseFraction returns the bytes that the digits after the point stand for,
// rounded down.
func parseFraction(digits string, unit uint64) (uint64, error) {
	const most = 18 // digits, below 2^63
	if digits == "" {
		return 0, nil
	}
	if len(digits) > most {
		return 0, errors.New("too many digits")
	}
	n, err := parseDigits(digits)
	if err != nil {
		return 0, err
	}
	scale := uint64(1)
	for range digits {
		scale *= 10
	}
	high, low := bits.Mul64(n, unit)
	bytes, _ := bits.Div64(high, low, scale) // n < scale, so this fits
	return bytes, nil
}

// parseDigits reads digits alone: no sign, no underscore.
func parseDigits(s string) (uint64, error) {
	if strings.IndexFunc(s, func(r rune) bool { return !isDigit(r) }) >= 0 {
		return 0, errors.New("not a number")
	}
	return strconv.ParseUint(s, 10, 64)
}
