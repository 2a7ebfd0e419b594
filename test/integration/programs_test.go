package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// program is one in C that runs in hosts and containers, of the sources in
// test/NAME: static, and not position-independent, so that what it passes to 32-bit
// calls lies below 4 GiB.
type program struct {
	name string
	once sync.Once
	err  error
}

// file is where it is built; hosts have it below /opt/berth.
func (p *program) file() string { return filepath.Join(moduleRoot, "bin/test", p.name) }

// build compiles it, once in a run. Options are further ones of gcc.
func (p *program) build(options ...string) error {
	p.once.Do(func() { p.err = p.compile(options) })
	return p.err
}

func (p *program) compile(options []string) error {
	sources, err := filepath.Glob(filepath.Join(moduleRoot, "test", p.name, "*.c"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.file()), 0o755); err != nil {
		return err
	}
	args := []string{
		"-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror", "-O2",
		"-static", "-fno-pie", "-no-pie", "-o", p.file(),
	}
	args = append(append(args, options...), sources...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %v\n%s", p.name, err, out)
	}
	return nil
}

// compareDocument holds a document to what the test of the given name writes.
func compareDocument(t *testing.T, document, want, test string) {
	t.Helper()
	file := filepath.Join(moduleRoot, "docs", document)
	if *updateDocument {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile(file); err != nil || string(is) != want {
		t.Errorf("docs/%s is not what the tests hold (%v): go test ./test/integration -run %s -update writes it", document, err, test)
	}
}
