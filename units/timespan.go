package units

import (
	"strconv"
	"strings"
)

// FormatTimespan writes microseconds in the syntax of systemd.time(7),
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
