package kernel_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"berth/internal/kernel"
	"berth/test/require"

	"golang.org/x/sys/unix"
)

func openDir(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestOpenAtFollowsNothing(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "sub"), 0o755),
		os.Symlink("sub", filepath.Join(dir, "link")),
		os.Symlink("/", filepath.Join(dir, "slash")),
		unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		want error
	}{
		{"sub", nil},
		{"fifo", unix.ENOTDIR}, // and not for ever
		{"link", unix.ENOTDIR},
		{"slash", unix.ENOTDIR},
		{"..", unix.EXDEV},
		{"missing", unix.ENOENT},
		{"", unix.EINVAL},
		{"sub/..", unix.EINVAL},
	} {
		f, err := kernel.OpenAt(openDir(t, dir), test.name, unix.O_RDONLY|unix.O_DIRECTORY)
		if err == nil {
			f.Close()
		}
		if !errors.Is(err, test.want) && !(test.want == unix.ENOTDIR && errors.Is(err, unix.ELOOP)) {
			t.Errorf("%q: got %v, want %v", test.name, err, test.want)
		}
	}
}

func TestMakeDirAt(t *testing.T) {
	dir := openDir(t, t.TempDir())
	for i, wantMade := range []bool{true, false} {
		f, made, err := kernel.MakeDirAt(dir, "new", 0o700)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if made != wantMade {
			t.Errorf("time %d: made %v", i, made)
		}
	}
	if err := os.Symlink("new", filepath.Join(dir.Name(), "link")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := kernel.MakeDirAt(dir, "link", 0o700); err == nil {
		t.Error("a symlink was followed")
	}
}

func TestChownTree(t *testing.T) {
	require.Root(t)
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	for _, err := range []error{
		os.WriteFile(outside, nil, 0o644),
		os.MkdirAll(filepath.Join(dir, "a/b"), 0o755),
		os.WriteFile(filepath.Join(dir, "a/b/program"), nil, 0o755),
		os.Chmod(filepath.Join(dir, "a/b/program"), 0o755|os.ModeSetuid),
		os.Symlink(outside, filepath.Join(dir, "a/link")),
		unix.Mkfifo(filepath.Join(dir, "a/fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := kernel.ChownTree(openDir(t, dir), kernel.Owner{UID: 1234, GID: 4321}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, dir + "/a", dir + "/a/b", dir + "/a/b/program", dir + "/a/link", dir + "/a/fifo"} {
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			t.Fatal(err)
		}
		if st.Uid != 1234 || st.Gid != 4321 || st.Mode&(unix.S_ISUID) != 0 {
			t.Errorf("%s: owner %d:%d, mode %o", name, st.Uid, st.Gid, st.Mode)
		}
	}
	var st unix.Stat_t
	if err := unix.Lstat(outside, &st); err != nil || st.Uid != 0 {
		t.Errorf("a symlink was followed: owner %d (%v)", st.Uid, err)
	}
}
