package sandbox

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// fileSystemTable has the types of file systems and the groups of them.
//
//go:embed filesystems.txt
var fileSystemTable string

// fileSystemTypes checks types and resolves @groups.
func fileSystemTypes(words []string) ([]string, error) {
	var types, known []string
	for _, word := range words {
		found := false
		for line := range strings.Lines(fileSystemTable) {
			fields := strings.Fields(line)
			if fields[0] == "#" {
				continue
			}
			known = append(known, fields[0])
			switch {
			case fields[0] != word:
				continue
			case strings.HasPrefix(word, "@"):
				types = append(types, fields[1:]...)
			default:
				types = append(types, word)
			}
			found = true
		}
		if !found {
			return nil, unknown("type of file system", word, known)
		}
	}
	return types, nil
}

// magics returns the numbers by which statfs(2) tells the types, sorted.
func magics(types []string) ([]uint64, error) {
	var numbers []uint64
	for line := range strings.Lines(fileSystemTable) {
		fields := strings.Fields(line)
		if strings.HasPrefix(fields[0], "@") || !slices.Contains(types, fields[0]) {
			continue
		}
		for _, field := range fields[1:] {
			n, err := strconv.ParseUint(field, 0, 64)
			if err != nil {
				return nil, fmt.Errorf("internal error: filesystems.txt: %q: %w", line, err)
			}
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}
