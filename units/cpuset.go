package units

import (
	"strconv"
	"strings"

	"berth/internal/unitfile"
)

const (
	anyCPUs = "indices and ranges such as 0-3,8"
	maxCPUs = 8192 // the kernel's largest CONFIG_NR_CPUS, and systemd's limit
)

// convertCPUSet merges all values: each property replaces the set on the bus,
// while each assignment of a unit file adds to it.
func convertCPUSet(s *Setting, values []string) ([]Property, error) {
	mask := []byte{}
	for _, v := range values {
		if v == "" {
			mask = []byte{}
			continue
		}
		var err error
		if mask, err = addCPUs(mask, v); err != nil {
			return nil, err
		}
	}
	return []Property{NewProperty(s.Name, mask)}, nil
}

// addCPUs sets the bits of the CPUs in v, the lowest in the first byte.
func addCPUs(mask []byte, v string) ([]byte, error) {
	list, err := words(strings.ReplaceAll(v, ",", " "))
	if err != nil {
		return nil, err
	}
	for _, word := range list {
		low, high, isRange := strings.Cut(word, "-")
		a, err := unitfile.Unsigned(low)
		b := a
		if err == nil && isRange {
			b, err = unitfile.Unsigned(high)
		}
		if err != nil || a > b || b >= maxCPUs {
			return nil, mustBe(anyCPUs, word)
		}
		for len(mask) <= int(b/8) {
			mask = append(mask, 0)
		}
		for cpu := a; cpu <= b; cpu++ {
			mask[cpu/8] |= 1 << (cpu % 8)
		}
	}
	return mask, nil
}

// cpuRanges writes a mask as indices and ranges.
func cpuRanges(mask []byte) string {
	var ranges []string
	isSet := func(cpu int) bool { return cpu < len(mask)*8 && mask[cpu/8]&(1<<(cpu%8)) != 0 }
	for first := 0; first < len(mask)*8; first++ {
		if !isSet(first) {
			continue
		}
		end := first
		for isSet(end + 1) {
			end++
		}
		text := strconv.Itoa(first)
		if end > first {
			text += "-" + strconv.Itoa(end)
		}
		ranges = append(ranges, text)
		first = end
	}
	return strings.Join(ranges, ",")
}
