package config

import (
	"cmp"
	"fmt"
	"strings"
)

// Position says where something was written.
type Position struct {
	File   string // path of the file, or the command line's option, as "-p KEY=VALUE"
	Line   int    // from 1; 0: no particular line
	Column int    // from 1, in bytes
}

// String formats p as FILE:LINE:COLUMN, or as FILE alone.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// compare orders positions by file, line and column.
func (p Position) compare(q Position) int {
	return cmp.Or(
		cmp.Compare(p.File, q.File),
		cmp.Compare(p.Line, q.Line),
		cmp.Compare(p.Column, q.Column),
	)
}

// lookupPosition returns the position of key or of the nearest thing around
// it: of mounts[0].source, that key, then the entry mounts[0], then mounts,
// at last the file.
func lookupPosition(positions map[string]Position, file, key string) Position {
	for key != "" {
		if p, ok := positions[key]; ok {
			return p
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return Position{File: file}
}
