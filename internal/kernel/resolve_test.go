package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// build makes a tree of lines such as "dir a", "file a/b" and "symlink c a".
func build(t *testing.T, lines ...string) string {
	t.Helper()
	top := t.TempDir()
	for _, line := range lines {
		f := strings.Fields(line)
		name := filepath.Join(top, f[1])
		var err error
		switch f[0] {
		case "dir":
			err = os.MkdirAll(name, 0o755)
		case "file":
			err = os.WriteFile(name, nil, 0o644)
		case "symlink":
			err = os.Symlink(f[2], name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return top
}

func TestMkdirInStaysInside(t *testing.T) {
	outside := t.TempDir()
	for _, test := range []struct {
		name, link, make, where string
	}{
		{"an absolute symlink", "symlink a " + outside, "/a/b", outside + "/b"},
		{"one with dots", "symlink a ../../../../../../.." + outside, "/a/b", outside + "/b"},
		{"a dangling one", "symlink a " + outside + "/new", "/a", outside + "/new"},
		{"a chain", "symlink a /c", "/a/b", "/c/b"},
		{"none", "dir a", "/a/b/c", "/a/b/c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			top := build(t, test.link)
			root, err := OpenPath(top)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			made, err := MkdirIn(root, test.make)
			if err != nil {
				t.Fatal(err)
			}
			made.Close()
			if _, err := os.Stat(filepath.Join(top, test.where)); err != nil {
				t.Errorf("not made inside: %v", err)
			}
			if entries, _ := os.ReadDir(outside); len(entries) > 0 {
				t.Errorf("made outside: %v", entries)
			}
		})
	}
}

func TestCreateIn(t *testing.T) {
	for _, test := range []struct {
		name, line string
		want       error
	}{
		{"missing", "dir x", nil},
		{"there", "file f", nil},
		{"a loop", "symlink f f", unix.ELOOP},
		{"through a file", "file d", unix.ENOTDIR},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, err := OpenPath(build(t, test.line))
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			name := "/f"
			if test.want == unix.ENOTDIR {
				name = "/d/f"
			}
			f, err := CreateIn(root, name)
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err == nil {
				f.Close()
			}
		})
	}
}

// A second thread exchanges a directory with a symlink to the outside, as fast
// as it can.
func TestMkdirInWhileRenamed(t *testing.T) {
	outside := t.TempDir()
	top := build(t, "dir a", "symlink b "+outside)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, top+"/a", unix.AT_FDCWD, top+"/b", unix.RENAME_EXCHANGE)
			}
		}
	}()
	root, err := OpenPath(top)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for range 2000 {
		if f, err := MkdirIn(root, "/a/sub"); err == nil { // it may lose the race
			f.Close()
		}
		_ = os.Remove(top + "/a/sub")
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("made outside: %v", entries)
	}
}

func TestOpenSource(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving files to others takes root")
	}
	top := build(t, "dir own", "dir roots", "symlink mine own", "symlink theirs roots", "symlink roots2 roots", "symlink loop loop")
	for _, name := range []string{"own", "mine", "theirs"} {
		if err := os.Lchown(filepath.Join(top, name), 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ name, err string }{
		{"own", ""}, {"roots", ""}, {"roots2", ""}, {"mine", ""}, {"roots2/../own", ""},
		{"theirs", "a symlink of user 12345 leads to what belongs to user 0"},
		{"loop", "too many levels of symbolic links"},
		{"missing", "no such file or directory"},
	} {
		f, err := OpenSource(filepath.Join(top) + "/" + test.name)
		if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.err)
		}
		if err == nil {
			f.Close()
		}
	}
}
