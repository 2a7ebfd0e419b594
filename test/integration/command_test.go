package integration

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/test/host"
)

// buildBerth makes sure, once a run, that bin/berth is what the source says.
func buildBerth(t *testing.T) {
	t.Helper()
	if err := builtBerth(); err != nil {
		t.Fatal(err)
	}
}

var builtBerth = sync.OnceValue(func() error {
	out, err := exec.Command("make", "--no-print-directory", "-C", "../..", "build").CombinedOutput()
	if err != nil {
		return errors.New("cannot build berth: " + err.Error() + "\n" + string(out))
	}
	return nil
})

// result is how a command inside a host ended.
type result struct {
	Stdout, Stderr string
	Status         int // exit status; 128+n when signal n killed it
}

// run runs a command inside, with empty standard input, and waits for it.
func run(t *testing.T, h *host.Host, name string, args ...string) result {
	t.Helper()
	return runWithInput(t, h, "", name, args...)
}

// runWithInput is run with something on standard input.
func runWithInput(t *testing.T, h *host.Host, input, name string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := h.Command(t.Context(), name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("cannot run %s: %v", name, err)
	}
	return result{Stdout: stdout.String(), Stderr: stderr.String(), Status: cmd.Status()}
}

// shell runs a script with sh -eu inside and returns its standard output less
// the newline at its end. The test ends if the script fails.
func shell(t *testing.T, h *host.Host, script string) string {
	t.Helper()
	out, err := h.Shell(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out, "\n")
}

// writeFile writes a file inside, with the directories above it, and removes
// it after the test.
func writeFile(t *testing.T, h *host.Host, path, content string) {
	t.Helper()
	r := runWithInput(t, h, content, "/bin/sh", "-euc", `mkdir -p "${1%/*}"; cat > "$1"`, "sh", path)
	if r.Status != 0 {
		t.Fatalf("cannot write %s inside: %s", path, r.Stderr)
	}
	t.Cleanup(func() {
		if err := h.Remove(path); err != nil {
			t.Error(err)
		}
	})
}

// eventually polls until ok, and fails the test when five seconds have passed.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("still not so after 5 s: %s", what)
}
