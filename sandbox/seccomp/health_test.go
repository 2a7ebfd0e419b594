package seccomp

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestLibraryVersion(t *testing.T) {
	if v := LibraryVersion(); !regexp.MustCompile(`^2\.\d+\.\d+$`).MatchString(v) {
		t.Errorf("libseccomp is %q", v)
	}
}

// What is said to be usable is used, and nothing else.
func TestCacheUsable(t *testing.T) {
	dir := t.TempDir()
	place := func(name string, make func(path string) error) string {
		path := filepath.Join(dir, name)
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := place("open", func(p string) error {
		if err := os.Mkdir(p, 0o700); err != nil {
			return err
		}
		return os.Chmod(p, 0o777)
	})
	file := place("file", func(p string) error { return os.WriteFile(p, nil, 0o600) })
	own := place("own", func(p string) error { return os.Mkdir(p, 0o700) })
	link := place("link", func(p string) error { return os.Symlink(own, p) })
	tests := []struct {
		name, dir string
		want      bool
	}{
		{"one's own", own, true},
		{"to be made", filepath.Join(dir, "a", "b"), true},
		{"writable for all", open, false},
		{"a file", file, false},
		{"below a file", filepath.Join(file, "a"), false},
		{"a symlink", link, false},
		{"none", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cache := Cache{Dir: test.dir}
			if err := cache.Usable(); (err == nil) != test.want {
				t.Errorf("usable: %v", err)
			}
			if test.dir == "" {
				return
			}
			layers := Hostname()
			if _, err := cache.Load(layers); err != nil {
				t.Fatal(err)
			}
			_, err := read(cache.file(layers))
			if (err == nil) != test.want {
				t.Errorf("kept: %v", err)
			}
		})
	}
}
