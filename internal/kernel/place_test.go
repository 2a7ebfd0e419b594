package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"berth/test/require"

	"golang.org/x/sys/unix"
)

func placeIn(t *testing.T, top string, dir bool) Place {
	t.Helper()
	root, err := OpenPath(top)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return Place{Root: root, Dir: dir, Owner: Owner{UID: os.Getuid(), GID: os.Getgid()}, Trust: func(uint32) bool { return true }}
}

func TestPlace(t *testing.T) {
	for _, test := range []struct {
		name, tree string // what is there, separated by commas
		file       bool
		open, want string // want: the canonical path
		err        error
	}{
		{"there", "dir a/b", false, "/a/b", "/a/b", nil},
		{"the root", "dir a", false, "/", "/", nil},
		{"missing", "dir a", false, "/a/b/c", "/a/b/c", nil},
		{"a missing file", "dir a", true, "/a/b/c", "/a/b/c", nil},
		{"a symlink", "dir a,symlink l a", false, "/l/x", "/a/x", nil},
		{"an absolute one", "dir a/b,symlink a/l /a/b", false, "/a/l/x", "/a/b/x", nil},
		{"one that leads up", "dir a/b,symlink a/b/l ../..", false, "/a/b/l/x", "/x", nil},
		{"one that leads out", "dir a,symlink a/l ../../../../../..", false, "/a/l/x", "/x", nil},
		{"one to nothing", "symlink l a/b", false, "/l", "/a/b", nil},
		{"a chain", "dir a,symlink l m,symlink m n/../a,dir n", false, "/l/x", "/a/x", nil},
		{"a loop", "symlink l m,symlink m l", false, "/l", "", unix.ELOOP},
		{"through a file", "file f", false, "/f/x", "", unix.ENOTDIR},
	} {
		t.Run(test.name, func(t *testing.T) {
			top := build(t, strings.Split(test.tree, ",")...)
			f, canonical, err := placeIn(t, top, !test.file).Open(test.open)
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			defer f.Close()
			is, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			there, err := os.Lstat(filepath.Join(top, test.want))
			if canonical != test.want || err != nil || !os.SameFile(is, there) || is.IsDir() == test.file {
				t.Errorf("got %s (directory: %v), want %s: %v", canonical, is.IsDir(), test.want, err)
			}
		})
	}
}

func TestPlaceFollowsTheTrusted(t *testing.T) {
	require.Root(t)
	top := build(t, "dir a", "symlink l a")
	if err := os.Lchown(filepath.Join(top, "l"), 1234, 1234); err != nil {
		t.Fatal(err)
	}
	p := placeIn(t, top, true)
	p.Trust = func(uid uint32) bool { return uid != 1234 }
	var untrusted *UntrustedLinkError
	if _, _, err := p.Open("/l/x"); !errors.As(err, &untrusted) || untrusted.UID != 1234 {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(top, "a/x")); err == nil {
		t.Error("it was followed")
	}
}

// What is missing is made with the owner's rights, not with root's.
func TestPlaceMakesAsOwner(t *testing.T) {
	require.Root(t)
	top := build(t, "dir a")
	for dir := top; dir != "/"; dir = filepath.Dir(dir) {
		if dir != os.TempDir() {
			_ = os.Chmod(dir, 0o755)
		}
	}
	p := placeIn(t, top, true)
	p.Owner = Owner{UID: 1234, GID: 1234}
	if _, _, err := p.Open("/a/b"); !errors.Is(err, unix.EACCES) {
		t.Errorf("in another's directory: got %v, want EACCES", err)
	}
	if err := os.Chown(filepath.Join(top, "a"), 1234, 1234); err != nil {
		t.Fatal(err)
	}
	f, _, err := p.Open("/a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Uid != 1234 || st.Gid != 1234 {
		t.Errorf("it belongs to %d:%d (%v)", st.Uid, st.Gid, err)
	}
}

// Somebody swaps a directory of the path for a symlink that leads out, all the time.
func TestPlaceStaysInsideUnderAttack(t *testing.T) {
	outside := t.TempDir()
	top := build(t, "dir a/b", "dir c", "symlink evil "+strings.Repeat("../", 12)+strings.TrimPrefix(outside, "/"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20000 {
			_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(top, "a"), unix.AT_FDCWD, filepath.Join(top, "evil"), unix.RENAME_EXCHANGE)
		}
	}()
	p := placeIn(t, top, true)
	for opened := 0; ; {
		select {
		case <-done:
			if opened == 0 {
				t.Error("it never came through")
			}
			if entries, _ := os.ReadDir(outside); len(entries) > 0 {
				t.Errorf("made outside: %v", entries)
			}
			return
		default:
		}
		f, canonical, err := p.Open("/a/b/new")
		if err != nil {
			continue
		}
		opened++
		where, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
		if err != nil || !strings.HasPrefix(where, top+"/") {
			t.Errorf("%s is %s (%v)", canonical, where, err)
		}
		f.Close()
	}
}
