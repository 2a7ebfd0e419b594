package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/test/host"
)

// Where the probe lies on hosts, and so in containers of their tree.
const probeProgram = "/usr/local/bin/probe-program"

// answers are what one run of the probe printed: by the name of what was tried,
// "ok", an errno, a signal, or a value with its kind before it. See
// test/probe/probe.h.
type answers map[string]string

var probe = program{name: "probe"}

// withProbe puts the probe and all that it looks for on a host, for the length of
// the test.
func withProbe(t *testing.T, h *host.Host) {
	t.Helper()
	if err := probe.build("-ffreestanding", "-nostdlib", "-fno-stack-protector", "-mno-red-zone"); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(probe.file())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		probeProgram, "/opt/probe-program", "/srv/probe/program", "/srv/probe/inner/program",
	} {
		putOutside(t, h, path, program, 0o755)
	}
	for _, path := range []string{
		"/srv/probe/data", "/srv/probe/inner/data", "/srv/probe/other/data", "/srv/probe/empty/.kept",
		"/home/probe-marker", "/root/probe-marker", "/var/tmp/probe-marker", "/usr/lib/modules/probe-marker",
		"/srv/probe/bound", // a mount point that would be made, and stay
	} {
		putOutside(t, h, path, []byte("content of "+path), 0o644)
	}
	putOutside(t, h, "/srv/probe/environment", []byte("FROM_FILE=yes\nQUOTED=\"a b\"\n"), 0o644)
	for _, path := range []string{"/tmp/probe-marker", "/run/probe-marker", "/run/user/probe-marker", "/dev/shm/probe-marker"} {
		writeFile(t, h, path, "content of "+path)
	}
}

// putOutside writes a file of the host's root directory, faster than writeFile.
func putOutside(t *testing.T, h *host.Host, path string, content []byte, mode os.FileMode) {
	t.Helper()
	file := filepath.Join(h.RootDir(), path)
	var made string
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		made = dir
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, mode); err != nil {
		t.Fatal(err)
	}
	if made == "" {
		made = file
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(made); err != nil {
			t.Error(err)
		}
	})
}

// probeArguments are the probe's: which namespaces are the host's.
func probeArguments(t *testing.T, h *host.Host) []string {
	t.Helper()
	return strings.Fields(shell(t, h, "cd /proc/1/ns; readlink cgroup ipc mnt net pid time user uts"))
}

// probeOutput reads what the probe printed, to its last line.
func probeOutput(text string) (answers, error) {
	found := answers{}
	for line := range strings.Lines(text) {
		name, answer, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			return nil, fmt.Errorf("the probe printed %q", line)
		}
		if _, twice := found[name]; twice {
			return nil, fmt.Errorf("the probe printed %q twice", name)
		}
		found[name] = answer
	}
	if found["probe end"] != "ok" {
		return nil, fmt.Errorf("the probe did not come to its end: %d lines", len(found))
	}
	for _, name := range volatileVariables {
		delete(found, "environment "+name)
	}
	return found, nil
}

// volatileVariables differ in every run.
var volatileVariables = []string{
	"INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
	"CREDENTIALS_DIRECTORY", "MAINPID", "TERM", "PWD", "SHLVL", "_",
}
