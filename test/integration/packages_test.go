package integration

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"berth/test/host"
	"berth/test/require"
)

// moduleRoot is the checkout, seen from this package's tests.
const moduleRoot = "../.."

// TestPackages runs inside every host the tests of other packages that need a
// systemd: files that begin with "//go:build integration". Their working
// directory is their package's, read-only.
func TestPackages(t *testing.T) {
	require.Root(t)
	packages := taggedPackages(t)
	for _, dir := range packages {
		compileTests(t, dir)
	}
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		for _, dir := range packages {
			t.Run(dir, func(t *testing.T) { runTests(t, h, dir) })
		}
	})
}

// taggedPackages lists the package directories with such tests, relative to
// the checkout.
func taggedPackages(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(moduleRoot, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(source, []byte("//go:build integration\n")) {
			return err
		}
		dir, err := filepath.Rel(moduleRoot, filepath.Dir(path))
		if err == nil && (len(dirs) == 0 || dirs[len(dirs)-1] != dir) {
			dirs = append(dirs, dir)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// testProgram is where a package's tests are compiled to, relative to the
// checkout.
func testProgram(dir string) string {
	return filepath.Join("bin", "test", strings.ReplaceAll(dir, "/", "-")+".test")
}

// compileTests links statically: the roots have C libraries of other versions.
func compileTests(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("go", "test", "-c", "-tags", "integration,netgo,osusergo",
		"-ldflags", `-linkmode external -extldflags "-static"`, "-o", testProgram(dir), "./"+dir)
	cmd.Dir = moduleRoot
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot compile the tests of %s: %v\n%s", dir, err, out)
	}
}

func runTests(t *testing.T, h *host.Host, dir string) {
	t.Helper()
	args := []string{"-test.timeout=10m"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := h.Command(t.Context(), filepath.Join("/opt/berth", testProgram(dir)), args...)
	cmd.Dir = filepath.Join("/opt/berth", dir)
	cmd.Env = append(cmd.Env, "BERTH_REQUIRE=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
