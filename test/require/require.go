// Package require lets a test say what it needs of the machine. Where that is
// missing the test is skipped, with the reason; but a run that promised to have
// everything, by CI=true or BERTH_REQUIRE=1 in the environment, fails.
//
//	require.Root(t)
//	require.That(t, kernelHasFoo, "a kernel with foo")
//
// It is for what a machine may lack, never for what berth may lack.
package require

import (
	"os"
	"testing"
)

// Promised says whether this run has promised that nothing is missing.
func Promised() bool {
	return os.Getenv("CI") == "true" || os.Getenv("BERTH_REQUIRE") == "1"
}

// That ends the test unless ok.
func That(t testing.TB, ok bool, what string) {
	t.Helper()
	switch {
	case ok:
	case Promised():
		t.Fatalf("this needs %s, and the run promised to have it (CI or BERTH_REQUIRE is set)", what)
	default:
		t.Skipf("this needs %s", what)
	}
}

// Root ends the test unless it runs as root.
func Root(t testing.TB) {
	t.Helper()
	That(t, os.Getuid() == 0, "root")
}
