package require

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Cgroup makes a cgroup (version 2) for the length of the test, and opens its
// directory. It takes root.
func Cgroup(t testing.TB) *os.File {
	t.Helper()
	Root(t)
	root := "/sys/fs/cgroup"
	if !isUnified(root) {
		root += "/unified"
		That(t, isUnified(root), "a hierarchy of cgroups of version 2")
	}
	dir, err := os.MkdirTemp(root, "berth-test-")
	if err != nil {
		t.Fatal(err)
	}
	return open(t, dir)
}

// CgroupBelow makes one inside another.
func CgroupBelow(t testing.TB, parent *os.File) *os.File {
	t.Helper()
	dir := parent.Name() + "/below"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return open(t, dir)
}

// open opens a cgroup, and removes it after the test.
func open(t testing.TB, dir string) *os.File {
	t.Helper()
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func isUnified(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
}
