package launcher

import (
	"path/filepath"
	"strings"
	"testing"

	"berth/config"
	"berth/sandbox"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// What comes later wins, and nothing survives UnsetEnvironment=.
func TestEnvironmentOrder(t *testing.T) {
	d := draftOf("", &sandbox.Settings{
		Environment:      []string{"A=setting", "B=setting", "C=setting", "D=setting", "STATE_DIRECTORY=/mine"},
		UnsetEnvironment: []string{"GONE", "HOME", "VALUE=this"},
		Directories:      []sandbox.Directory{{Kind: "State", Name: "x"}, {Kind: "Runtime", Name: "x"}},
	})
	d.Process = config.Process{Environment: map[string]string{"C": "process", "D": "process", "E": "process"}}
	d.host.Environment = HostEnvironment{
		Passed: []string{"A=passed", "P=passed", "GONE=passed"},
		Files: []EnvironmentFile{
			{Variables: []string{"D=file", "F=first", "GONE=file", "VALUE=this"}},
			{Variables: []string{"F=second", "container=file"}},
		},
	}
	env, unset := d.environment([]string{"container=berth", "TERM=x", "E=process"})
	want := []string{
		"A=setting", "B=setting", "C=process", "D=file", "E=process", "F=second", "P=passed", "RUNTIME_DIRECTORY=/run/x",
		"STATE_DIRECTORY=/mine", "TERM=x", "container=file",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"GONE", "HOME", "VALUE=this"}, unset); diff != "" {
		t.Error(diff)
	}
}

func TestUnsetOneValue(t *testing.T) {
	got := withoutVariables([]string{"A=1", "B=1", "AB=1"}, []string{"A=2", "B=1", "A"})
	if diff := cmp.Diff([]string{"AB=1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadEnvironment(t *testing.T) {
	dir := files(t, map[string]string{
		"a.conf": "A=1\n", "b.conf": "A=2\nexport B=2\n", ".c.conf": "A=3\n", "bad.env": "A=\x00\n", "sub/x.conf": "S=1\n",
	})
	if err := unix.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path     string
		optional bool
		want     []string
		err      string
		ignored  int
	}{
		{path: "a.conf", want: []string{"A=1"}},
		{path: "*.conf", want: []string{"A=1", "A=2"}, ignored: 1},
		{path: "*/*.conf", want: []string{"S=1"}},
		{path: ".*.conf", want: []string{"A=3"}},
		{path: "[!a]*.conf", want: []string{"A=2"}, ignored: 1},
		{path: "missing", err: "no such file or directory"},
		{path: "missing", optional: true},
		{path: "missing*", err: "no such file or directory"},
		{path: "missing*", optional: true},
		{path: "bad.env", err: "has a NUL byte"},
		{path: "bad.env", optional: true},
		{path: "pipe", err: dir + "/pipe is not a regular file"},
		{path: "sub", err: dir + "/sub is not a regular file"},
		{path: "pipe", optional: true},
	} {
		t.Run(test.path, func(t *testing.T) {
			got := readEnvironment(sandbox.Path{Path: filepath.Join(dir, test.path), Optional: test.optional})
			if diff := cmp.Diff(test.want, got.Variables); diff != "" || got.Err != test.err || len(got.Ignored) != test.ignored {
				t.Errorf("got %+v", got)
			}
		})
	}
	for path, want := range map[string]string{"/dev/null": "", "/dev/zero": "/dev/zero is not a regular file"} {
		if got := readEnvironment(sandbox.Path{Path: path}); got.Err != want || got.Variables != nil {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestEnvironmentFileIsMissing(t *testing.T) {
	d := draftOf("", &sandbox.Settings{})
	d.Sandbox = []config.Setting{{Name: "EnvironmentFile", Values: []string{"-/x", "/y"}, Pos: config.Position{Line: 3}}}
	d.host.Environment.Files = []EnvironmentFile{{Path: "/y", Err: "no such file or directory"}}
	d.environment(nil)
	if len(d.errors) != 1 || d.errors[0].Pos.Line != 3 || !strings.Contains(d.errors[0].Msg, `"/y"`) {
		t.Errorf("got %v", d.errors)
	}
}

func TestPassEnvironment(t *testing.T) {
	t.Setenv("BERTH_TEST_A", "a b=c")
	t.Setenv("BERTH_TEST_B", "not asked for")
	got := lookAtEnvironment(&sandbox.Settings{PassEnvironment: []string{"BERTH_TEST_A", "BERTH_TEST_MISSING"}}).Passed
	if diff := cmp.Diff([]string{"BERTH_TEST_A=a b=c"}, got); diff != "" {
		t.Error(diff)
	}
}
