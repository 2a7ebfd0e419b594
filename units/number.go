package units

import (
	"math"
	"strconv"
	"strings"

	"berth/internal/unitfile"
)

// Infinity is what a size or a time span of "infinity" becomes on the bus.
const Infinity = unitfile.Infinity

// A number without a unit counts seconds in a time span.
const second = 1_000_000

const digits = "0123456789"

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
	if point && (fraction == "" || len(fraction) > decimals || strings.Trim(fraction, digits) != "") {
		return 0, strconv.ErrSyntax
	}
	n, err := unitfile.Unsigned(whole)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt32 {
		return 0, unitfile.ErrRange
	}
	for i := range decimals {
		n *= 10
		if i < len(fraction) {
			n += uint64(fraction[i] - '0')
		}
	}
	if n > math.MaxInt32 {
		return 0, unitfile.ErrRange
	}
	return n, nil
}

// scale turns ten-thousandths into the fraction of 2^32-1 that properties
// whose names end in Scale carry.
func scale(permyriad uint64) uint32 {
	return uint32((min(permyriad, 10000)*math.MaxUint32 + 5000) / 10000)
}
