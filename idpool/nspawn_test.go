package idpool

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRealNspawn starts systemd-nspawn -U beside berth's blocks, in both
// orders. It needs root, nspawn, and a systemd that owns the cgroups.
func TestRealNspawn(t *testing.T) {
	if _, err := os.Stat("/run/systemd/system"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and systemd as PID 1")
	}
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Skip(err)
	}
	pool, root := Default(), minimalRoot(t)
	name := fmt.Sprint("idpool-test-", os.Getpid())

	nspawn := startNspawn(t, root, name)
	base := nspawn.base(t)
	r := Request{Name: "web", Base: base, Size: 65536}
	wantInUse(t, pool, r, "systemd-nspawn holds")
	r.Size = 1024
	wantInUse(t, pool, r, "systemd-nspawn holds")
	if err := nspawn.end(); err != nil {
		t.Fatal(err)
	}

	// The same name makes nspawn want the same block again.
	lease := acquire(t, pool, r)
	defer lease.Close()
	if got := startNspawn(t, root, name).base(t); got == base {
		t.Errorf("nspawn took %d, of which berth holds %v", got, lease.Block())
	}
}

// startNspawn starts a container that prints the base of its block and ends
// when its standard input does.
func startNspawn(t *testing.T, root, name string) *process {
	cmd := exec.Command("systemd-nspawn", "-U", "--quiet", "--register=no", "--console=pipe", "--bind-ro=/usr",
		"-M", name, "-D", root, "/bin/sh", "-c", "read _ base _ < /proc/self/uid_map; echo $base; read _; exit 0")
	cmd.Stderr = os.Stderr
	return launch(t, cmd)
}

// minimalRoot is a root directory that borrows the host's /usr.
func minimalRoot(t *testing.T) string {
	root := t.TempDir()
	for _, dir := range []string{"", "usr", "etc", "proc", "sys", "dev", "run", "tmp", "var"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, root, "etc/os-release", "ID=test\n")
	for _, name := range []string{"bin", "lib", "lib64"} {
		if err := unix.Symlink("usr/"+name, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	// nspawn's own users must reach the root through the temporary directory.
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}
