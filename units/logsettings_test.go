package units

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogSettingsExport(t *testing.T) {
	const unit = "berth-x.scope"
	dir := t.TempDir()
	level := 4
	l := LogSettings{ExtraFields: []string{"A=1", "LONG=\x00\xff"}, LevelMax: &level, RateLimitInterval: 1500000, RateLimitBurst: 7}
	for range 2 { // the second time there is something already
		if err := l.export(dir, unit); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"log-extra-fields:" + unit:        "\x03\x00\x00\x00\x00\x00\x00\x00A=1\x07\x00\x00\x00\x00\x00\x00\x00LONG=\x00\xff",
		"log-level-max:" + unit:           "-> 4",
		"log-rate-limit-interval:" + unit: "-> 1500000",
		"log-rate-limit-burst:" + unit:    "-> 7",
	}
	if diff := cmp.Diff(want, readAll(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := (LogSettings{RateLimitBurst: 1}).export(dir, unit); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"log-rate-limit-burst:" + unit: "-> 1"}, readAll(t, dir)); diff != "" {
		t.Errorf("replaced (-want +got):\n%s", diff)
	}
	if err := removeLogSettings(dir, "berth-other.scope"); err != nil || len(readAll(t, dir)) != 1 {
		t.Errorf("another unit's: %v", err)
	}
	if err := removeLogSettings(dir, unit); err != nil || len(readAll(t, dir)) != 0 {
		t.Errorf("left: %v (%v)", readAll(t, dir), err)
	}
}

// readAll reads the files and symlinks of a directory.
func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if target, err := os.Readlink(path); err == nil {
			found[e.Name()] = "-> " + target
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(data)
	}
	return found
}

func TestLogSettingsFilter(t *testing.T) {
	for _, test := range []struct {
		patterns []string
		want     string
	}{
		{[]string{"a"}, "a\xff"},
		{[]string{"~b"}, "\xffb"},
		{[]string{"a", "~b", "c", "~~d"}, "a\x00c\xffb\x00~d"},
	} {
		if got := string(LogSettings{FilterPatterns: test.patterns}.filter()); got != test.want {
			t.Errorf("%q: got %q, want %q", test.patterns, got, test.want)
		}
	}
}
