package unitfile

import (
	"math"
	"testing"
)

func TestNumbers(t *testing.T) {
	unsigned := func(s string) (uint64, error) { return Unsigned(s) }
	signed := func(s string) (uint64, error) { n, err := Integer(s, -20, 100); return uint64(n), err }
	mode := func(s string) (uint64, error) { n, err := FileMode(s); return uint64(n), err }
	seconds := func(s string) (uint64, error) { return Microseconds(s, 1e6) }
	bytes := func(s string) (uint64, error) { return Size(s, 1024) }
	const bad = math.MaxUint64 - 1
	tests := []struct {
		name  string
		parse func(string) (uint64, error)
		text  string
		want  uint64
	}{
		{"decimal", unsigned, "42", 42},
		{"hexadecimal", unsigned, "0x1f", 31},
		{"octal", unsigned, "010", 8},
		{"blanks before it", unsigned, " 1", 1},
		{"a plus", unsigned, "+1", 1},
		{"a minus", unsigned, "-1", bad},
		{"minus nothing", unsigned, "-0", 0},
		{"nothing", unsigned, "", bad},
		{"underscores, as in Go", unsigned, "1_0", bad},
		{"garbage behind", unsigned, "1x", bad},
		{"too large", unsigned, "18446744073709551616", bad},
		{"negative", signed, "-20", math.MaxUint64 - 19},
		{"below", signed, "-21", bad},
		{"above", signed, "101", bad},
		{"beyond an int", signed, "99999999999", bad},
		{"two signs", signed, "--1", bad},
		{"mode", mode, "0755", 0o755},
		{"mode without 0", mode, "755", 0o755},
		{"mode with bits", mode, "7777", 0o7777},
		{"mode too large", mode, "10000", bad},
		{"mode with a plus", mode, "+755", bad},
		{"decimal mode", mode, "798", bad},
		{"bytes", bytes, "512", 512},
		{"kilobytes", bytes, "4K", 4096},
		{"a fraction", bytes, "1.5G", 3 << 29},
		{"a sum", bytes, "1G 512M", 1<<30 + 1<<29},
		{"a sum of growing units", bytes, "1M 1G", bad},
		{"exabytes", bytes, "15E", 15 << 60},
		{"too many exabytes", bytes, "16E", bad},
		{"a long fraction", bytes, "0.12345678901234567890K", bad},
		{"a size without digits", bytes, "K", bad},
		{"seconds", seconds, "90", 90e6},
		{"units", seconds, "1min 30s", 90e6},
		{"without a blank", seconds, "1h30min", 5400e6},
		{"a fraction of an hour", seconds, "1.5h", 5400e6},
		{"no span", seconds, "", bad},
		{"a negative span", seconds, "-1s", bad},
		{"infinity", seconds, "infinity", Infinity},
		{"infinity and more", seconds, "infinity 1s", bad},
		{"nanoseconds", Nanoseconds, "50", 50},
		{"nanoseconds by name", Nanoseconds, "50ns 1nsec", 51},
		{"microseconds in nanoseconds", Nanoseconds, "50us", 50000},
		{"nanoseconds where there are none", seconds, "50ns", bad},
		{"a span that is too long", Nanoseconds, "1000y", bad},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.parse(test.text)
			if test.want == bad {
				if err == nil {
					t.Errorf("got %d, want an error", got)
				}
			} else if err != nil || got != test.want {
				t.Errorf("got %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	for _, test := range []struct{ path, absolute, relative string }{
		{"/", "/", ""},
		{"//a/./b//", "/a/b", ""},
		{"a/b/", "", "a/b"},
		{"./a", "", "a"},
		{".", "", ""},
		{"", "", ""},
		{"/a/../b", "", ""},
		{"..", "", ""},
		{"/a..b", "/a..b", ""},
		{"/a\nb", "", ""},
		{"/a\xff", "", ""},
	} {
		absolute, _ := AbsolutePath(test.path)
		relative, _ := RelativePath(test.path)
		if absolute != test.absolute || relative != test.relative {
			t.Errorf("%q: got %q and %q, want %q and %q", test.path, absolute, relative, test.absolute, test.relative)
		}
	}
}
