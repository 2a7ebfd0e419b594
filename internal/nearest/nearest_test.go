package nearest

import (
	"strings"
	"testing"
)

func TestWord(t *testing.T) {
	known := []string{"name", "root", "process", "mounts", "read_only", "MemoryMax", "MemoryHigh", "CPUQuota"}
	tests := []struct {
		name, word, want string
	}{
		{"a letter missing", "proces", "process"},
		{"a letter too many", "roots", "root"},
		{"two letters swapped", "nmae", "name"},
		{"an underscore missing", "readonly", "read_only"},
		{"case alone", "memorymax", "MemoryMax"},
		{"case and an underscore", "memory_max", "MemoryMax"},
		{"the nearer of two", "MemoryHgih", "MemoryHigh"},
		{"itself", "CPUQuota", "CPUQuota"},
		{"something else", "quux", ""},
		{"one letter", "n", ""},
		{"nothing", "", ""},
		{"far too long", strings.Repeat("mounts", 20), ""},
		{"not UTF-8", "\xff\xfe\xfd", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := Word(test.word, known)
			if !ok {
				got = ""
			}
			if got != test.want {
				t.Errorf("Word(%q) = %q, %v, want %q", test.word, got, ok, test.want)
			}
		})
	}
}

func TestWordAmongEquals(t *testing.T) {
	if got, ok := Word("abcd", []string{"abcx", "abcy"}); !ok || got != "abcx" {
		t.Errorf("Word = %q, %v, want the first, abcx", got, ok)
	}
}

func TestWordKnowsNone(t *testing.T) {
	if got, ok := Word("name", nil); ok || got != "" {
		t.Errorf("Word among none = %q, %v, want none", got, ok)
	}
}
