package launcher

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/config"
	"berth/idpool"
	"berth/profiles"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenBlock is the block of every plan in a test.
var goldenBlock = idpool.Block{Base: 1048576, Size: 65536}

// goldenHost is a host that has everything: systemd 257, all controllers, and
// every source as a directory of user and group 1000.
func goldenHost(c *config.Container) Host {
	h := Host{
		SystemdVersion: 257,
		Controllers:    []string{"cpuset", "cpu", "io", "memory", "pids"},
		Sources:        map[string]Source{},
	}
	settings, _ := parseSandbox(c)
	for _, path := range sourcesOf(c, settings) {
		h.Sources[path] = Source{IsDir: path != resolvConf, UID: 1000, GID: 1000}
	}
	return h
}

// loadOffline reads a file with its profile, of those built in.
func loadOffline(file string) (*config.Container, error) {
	c, err := config.Load(file, config.Overrides{})
	if err != nil {
		return nil, err
	}
	if errs := applyProfile(c, profiles.Search{}); len(errs) > 0 {
		return nil, errs
	}
	return c, nil
}

// TestPlanGolden plans every example and the files in testdata/plan, which has
// what no example shows.
func TestPlanGolden(t *testing.T) {
	examples, err := filepath.Glob("../examples/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(examples) == 0 {
		t.Fatal("no examples")
	}
	own, err := filepath.Glob("testdata/plan/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(examples, own...) {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		t.Run(name, func(t *testing.T) {
			c, err := loadOffline(file)
			if err != nil {
				t.Fatal(err)
			}
			block := goldenBlock
			block.Size = c.Users.Size
			p, err := MakePlan(c, goldenHost(c), block, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := p.WriteText(&got); err != nil {
				t.Fatal(err)
			}
			got.WriteString("\n")
			for i := range p.Filter { // hundreds of lines, which package seccomp tests
				p.Filter[i].Rules = nil
			}
			if err := p.WriteJSON(&got); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata/plan", name+".golden"), got.String())
		})
	}
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: go test ./launcher -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("differs from %s (-want +got):\n%s", file, diff)
	}
}

// A plan is the same however often it is made, and its JSON can be parsed.
func TestPlanJSON(t *testing.T) {
	c := parse(t, "process.command = ['true']\nprocess.environment = {C='3', A='1', B='2'}\nresources.MemoryMax = '1M'")
	var first bytes.Buffer
	for i := range 10 {
		p, err := MakePlan(c, goldenHost(c), goldenBlock, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := p.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = b
		} else if diff := cmp.Diff(first.String(), b.String()); diff != "" {
			t.Fatal(diff)
		}
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(first.Bytes(), &top); err != nil {
		t.Fatal(err)
	}
	if len(top) != 2 || top["plan"] == nil || top["oci"] == nil {
		t.Errorf("got the keys of %v, want plan and oci", top)
	}
}

// What a file says can neither add a line nor reach the terminal.
func TestPlanTextIsTame(t *testing.T) {
	c := parse(t, `description = "a\u202eb"
process.command = ["a b", "", "\u001b[2J\n", "it's"]
process.environment.A = "x\n  user  root"`)
	p, err := MakePlan(c, goldenHost(c), goldenBlock, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{`"a\u202eb"`, `"a b" "" "\x1b[2J\n" it's`, `"A=x\n  user  root"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	if i := strings.IndexFunc(got, func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 {
		t.Errorf("a control character at %d: %q", i, got[i:])
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestPlanTextReportsWriteError(t *testing.T) {
	c := parse(t, "process.command = ['true']")
	p, err := MakePlan(c, goldenHost(c), goldenBlock, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WriteText(failingWriter{}); err != os.ErrClosed {
		t.Errorf("got %v, want %v", err, os.ErrClosed)
	}
}

func parse(t *testing.T, text string) *config.Container {
	t.Helper()
	c, err := config.Parse("x.toml", []byte(text), config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
