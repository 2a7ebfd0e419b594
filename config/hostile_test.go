package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestHostile holds what a file can cost that is made to be costly: an error,
// within a second and 256 MiB.
func TestHostile(t *testing.T) {
	const full = 1<<20 - 1<<10
	fill := func(s string) string { return strings.Repeat(s, full/len(s)) }
	counted := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < full; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	tests := []struct{ name, text, want string }{
		{"too large", strings.Repeat("#", 1<<20+1), "x.toml: larger than 1048576 bytes"},
		{"arrays in arrays", "a = " + fill("["), "x.toml:1:10005: cannot parse TOML: arrays and inline tables are nested more than the maximum of 10000 levels deep"},
		{"arrays in arrays, closed", "a = " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "x.toml:1:1: nested more than 16 levels deep"},
		{"tables in tables", "a = " + strings.Repeat("{a=", 9000) + "1" + strings.Repeat("}", 9000), "x.toml:1:51: nested more than 16 levels deep"},
		{"a dotted key", fill("a.") + "a = 1", "x.toml:1:33: nested more than 16 levels deep"},
		{"a dotted header", "[" + fill("a.") + "a]", "x.toml:1:34: nested more than 16 levels deep"},
		{"a long key", fill("a") + " = 1", "x.toml:1:1: key longer than 255 bytes"},
		{"keys", counted("k%d=1\n"), "x.toml:20001:1: more than 20000 keys and values"},
		{"keys on one line", "a={" + counted("k%d=1,") + "}", "more than 20000 keys and values"},
		{"tables", counted("[t%d]\n"), "x.toml:20001:2: more than 20000 keys and values"},
		{"entries", fill("[[mounts]]\n"), "more than 20000 keys and values"},
		{"elements", "a = [" + fill("1,") + "]", "more than 20000 keys and values"},
		{"elements without a place", "a = [" + fill("[],") + "]", "x.toml:1:1: more than 20000 keys and values"},
		{"a long string", `name = "` + fill("a") + `"`, `is no valid name`},
		{"a long value", "users.size = " + fill("9"), "cannot parse TOML"},
		{"a long number", "resources.A = 1" + fill("0") + ".5", ""},
		{"nothing but newlines", fill("\n"), "x.toml: process.command: is required"},
		{"an open string", `a = "` + fill("a"), "cannot parse TOML"},
		{"an open comment", "#" + fill("a"), "x.toml: process.command: is required"},
		{"no UTF-8", "name = \"\xff\"", "x.toml:1:9: cannot parse TOML: invalid UTF-8 character in basic string"},
		{"NUL", "\x00", "cannot parse TOML"},
		{"UTF-16", "\xff\xfen\x00", "cannot parse TOML"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Parse("x.toml", []byte(test.text), Overrides{})
			took := time.Since(start)
			runtime.ReadMemStats(&after)

			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %.300v, want one with %s", err, test.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
				t.Errorf("allocated %d MiB", used>>20)
			}
			if took > time.Second {
				t.Errorf("took %v", took)
			}
			if err != nil && len(err.Error()) > 100*1000 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			t.Logf("%v, %d KiB", took, (after.TotalAlloc-before.TotalAlloc)>>10)
		})
	}
}

func TestTooManyErrors(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "key%d = 1\n", i)
	}
	_, err := Parse("x.toml", []byte(text.String()), Overrides{Command: []string{"a"}})
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != maxErrors+1 || got[maxErrors] != "x.toml: too many errors" {
		t.Errorf("%d lines, the last one %q, want %d and x.toml: too many errors", len(got), got[len(got)-1], maxErrors+1)
	}
}
