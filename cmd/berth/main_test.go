package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// asBerth makes the test's program behave as berth.
const asBerth = "BERTH_TEST_AS_BERTH"

func TestMain(m *testing.M) {
	if os.Getenv(asBerth) != "" {
		main()
	}
	os.Exit(m.Run())
}

// outcome is what a command did.
type outcome struct {
	Stdout, Stderr string
	Status         int
}

// berth runs a command in this process.
func berth(args ...string) outcome { return runRoot(newRoot(), args...) }

func runRoot(root *cobra.Command, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	root.SetArgs(args)
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	status := execute(root)
	return outcome{stdout.String(), stderr.String(), status}
}

// inDirectory makes files and works beside them.
func inDirectory(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	inDirectory(t, map[string]string{
		"wrong.toml": "nam = \"x\"\n[process]\ncommand = [\"true\"]\nuser = \"a b\"\n",
		"torn.toml":  "name = \n",
		"here.toml":  "",
		"right.toml": "process.command = [\"true\"]\n",

		"profile.toml": "[sandbox]\nProtectHme = true\n",
	})
	tests := []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{"unknown command", []string{"launch"}, 1,
			"berth: cannot run command \"launch\": there is none; berth --help lists them\n"},
		{"misspelt command", []string{"exce", "web"}, 1,
			"berth: cannot run command \"exce\": there is none, did you mean \"exec\"?\n"},
		{"unknown option of the payload's commands", []string{"run", "x", "--privileged"}, 125,
			"berth: cannot read the options: unknown flag: --privileged; see berth run --help\n"},
		{"unknown option of another command", []string{"ps", "--all"}, 1,
			"berth: cannot read the options: unknown flag: --all; see berth ps --help\n"},
		{"no file", []string{"run"}, 125,
			"berth: cannot run berth run: a FILE is missing; the usage is berth run [OPTION…] FILE [-- CMD…]\n"},
		{"no file but a command", []string{"run", "--", "ls"}, 125,
			"berth: cannot run berth run: a FILE is missing; the usage is berth run [OPTION…] FILE [-- CMD…]\n"},
		{"a command without --", []string{"run", "web", "ls"}, 125,
			"berth: cannot use \"ls\": a command stands behind \"--\", as in berth run web -- ls …\n"},
		{"a command with an option without --", []string{"exec", "web", "ls", "-l"}, 125,
			"berth: cannot use \"ls\": a command stands behind \"--\", as in berth exec web -- ls …\n"},
		{"two files", []string{"run", "a", "b", "--", "ls"}, 125,
			"berth: cannot run berth run: \"b\" is one argument too many; the usage is berth run [OPTION…] FILE [-- CMD…]\n"},
		{"no command to exec", []string{"exec", "web"}, 125,
			"berth: cannot run berth exec: a command is missing; the usage is berth exec [OPTION…] NAME -- CMD…\n"},
		{"nothing behind --", []string{"exec", "web", "--"}, 125,
			"berth: cannot run berth exec: a command is missing; the usage is berth exec [OPTION…] NAME -- CMD…\n"},
		{"no shell of two", []string{"shell", "a", "b"}, 125,
			"berth: cannot run berth shell: \"b\" is one argument too many; the usage is berth shell [OPTION…] NAME\n"},
		{"nothing to stop", []string{"stop"}, 1,
			"berth: cannot run berth stop: a NAME is missing; the usage is berth stop NAME…\n"},
		{"an empty name", []string{"exec", "", "--", "ls"}, 125,
			"berth: cannot use \"\" as a NAME: it is empty\n"},
		{"a path as a name", []string{"inspect", "../web"}, 1,
			"berth: cannot use \"../web\" as a NAME: berth ps lists the containers\n"},
		{"a file as a name", []string{"stop", "web", "web.toml"}, 1,
			"berth: cannot use \"web.toml\" as a NAME: berth ps lists the containers\n"},
		{"an empty name of logs", []string{"logs", "", "-f"}, 1,
			"berth: cannot use \"\" as a NAME: it is empty\n"},
		{"an empty file", []string{"run", ""}, 125,
			"berth: cannot use \"\" as a FILE: it is empty\n"},
		{"unknown signal", []string{"kill", "-s", "HPU", "web"}, 1,
			"berth: cannot kill: \"HPU\" is no signal, did you mean \"SIGHUP\"?\n"},
		{"an option before the name of logs", []string{"logs", "-f", "web"}, 1,
			"berth: cannot show the logs: the NAME comes before journalctl's options, as in berth logs web -f\n"},
		{"two profiles", []string{"profiles", "a", "b"}, 1,
			"berth: cannot run berth profiles: \"b\" is one argument too many; the usage is berth profiles [OPTION…] [NAME]\n"},
		{"no profile of that name", []string{"profiles", "strct"}, 1,
			"berth: cannot find the profile \"strct\": it is not built in, and there is neither /etc/berth/profiles/strct.toml nor /usr/lib/berth/profiles/strct.toml; did you mean \"strict\"?\n"},
		{"no such profile", []string{"check", "right.toml", "--profile", "./none.toml"}, 1,
			"--profile ./none.toml: profile: cannot find the profile \"./none.toml\": no such file\n"},
		{"errors of a file and its profile", []string{"check", "wrong.toml", "--profile", "profile.toml"}, 1, "" +
			"./profile.toml:2:1: sandbox.ProtectHme: unknown setting: did you mean \"ProtectHome\"?\n" +
			"wrong.toml:1:1: nam: unknown key, did you mean \"name\"?\n" +
			"wrong.toml:4:1: process.user: \"a b\" is no valid name of a user\n"},
		{"a setting in the wrong table", []string{"check", "here.toml", "-p", "sandbox.MemoryMax=1", "-p", "resources.ProtectHome=1"}, 1, "" +
			"-p resources.ProtectHome=1: resources.ProtectHome: is a sandbox setting: it belongs in [sandbox]\n" +
			"-p sandbox.MemoryMax=1: sandbox.MemoryMax: is a setting of the unit: it belongs in [resources]\n" +
			"here.toml: process.command: is required, unless boot = true\n"},
		{"a setting alone", []string{"check", "here.toml", "-p", "ProtectHome=maybe"}, 1, "" +
			"-p ProtectHome=maybe: sandbox.ProtectHome: must be no, yes, read-only or tmpfs, not \"maybe\"\n" +
			"here.toml: process.command: is required, unless boot = true\n"},
		{"unknown shell", []string{"completion", "tcsh"}, 1,
			"berth: cannot complete for \"tcsh\": it must be bash, zsh or fish\n"},
		{"no such file", []string{"check", "./none.toml"}, 1,
			"berth: cannot read \"./none.toml\": no such file or directory\n"},
		{"no file of that name", []string{"plan", "none"}, 1,
			"berth: cannot find the file of \"none\": there is neither /etc/berth/none.toml nor /usr/lib/berth/none.toml\n"},
		{"the file of that name is here", []string{"run", "here"}, 125,
			"berth: cannot find the file of \"here\": there is neither /etc/berth/here.toml nor /usr/lib/berth/here.toml; ./here.toml is the one in this directory\n"},
		{"all errors of a file to check", []string{"check", "wrong.toml"}, 1, "" +
			"wrong.toml:1:1: nam: unknown key, did you mean \"name\"?\n" +
			"wrong.toml:4:1: process.user: \"a b\" is no valid name of a user\n"},
		{"all errors of a file to run", []string{"run", "wrong.toml"}, 125, "" +
			"wrong.toml:1:1: nam: unknown key, did you mean \"name\"?\n" +
			"wrong.toml:4:1: process.user: \"a b\" is no valid name of a user\n"},
		{"errors of several files", []string{"check", "torn.toml", "wrong.toml", "-p", "process.user=root"}, 1, "" +
			"torn.toml:1:8: cannot parse TOML: unexpected character U+000A at start of value\n" +
			"wrong.toml:1:1: nam: unknown key, did you mean \"name\"?\n"},
		{"options may follow the file", []string{"check", "wrong.toml", "--name", "X"}, 1, "" +
			"--name X: name: \"X\" is no valid name: it takes 1 to 63 of a-z, 0-9 and -, not beginning with -\n" +
			"wrong.toml:1:1: nam: unknown key, did you mean \"name\"?\n" +
			"wrong.toml:4:1: process.user: \"a b\" is no valid name of a user\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(outcome{"", test.stderr, test.status}, berth(test.args...)); diff != "" {
				t.Errorf("berth %s: -want +got\n%s", strings.Join(test.args, " "), diff)
			}
		})
	}
}

func TestStatusOfPayload(t *testing.T) {
	for _, status := range []int{0, 1, 3, 126, 127, 137} {
		root := newRoot()
		root.AddCommand(&cobra.Command{Use: "payload", RunE: func(*cobra.Command, []string) error { return ended(status, nil) }})
		if diff := cmp.Diff(outcome{Status: status}, runRoot(root, "payload")); diff != "" {
			t.Errorf("payload that ends with %d: -want +got\n%s", status, diff)
		}
	}
}

func TestWithoutArguments(t *testing.T) {
	got := berth()
	if got.Status != 1 || got.Stdout != "" || got.Stderr != berth("--help").Stdout {
		t.Errorf("got %+v, want the help as an error", got)
	}
}

// TestHelpText compares the help of berth and of one command with
// testdata/help.txt; the texts of all are in the reference.
func TestHelpText(t *testing.T) {
	const file = "testdata/help.txt"
	got := "$ berth --help\n" + berth("--help").Stdout + "\n$ berth kill --help\n" + berth("kill", "--help").Stdout
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got, go test -update writes it:\n%s", diff)
	}
}

func TestHelpOfCommand(t *testing.T) {
	want := berth("run", "--help")
	if want.Status != 0 || want.Stderr != "" {
		t.Errorf("berth run --help: got %+v", want)
	}
	if diff := cmp.Diff(want, berth("help", "run")); diff != "" {
		t.Errorf("berth help run: -want +got\n%s", diff)
	}
}

// TestStartUpTime is about work at import time: the first process of every
// container pays for it as well. The fastest of many runs counts, so that what
// else the machine does is no matter.
func TestStartUpTime(t *testing.T) {
	const most = 10 * time.Millisecond
	inDirectory(t, map[string]string{"wrong.toml": "nam = \"x\"\n[resources]\nOOMPolicy = \"stop\"\n"})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--help"}, {"version"}, {"check", "wrong.toml"}} {
		fastest := time.Hour
		for range 30 {
			c := exec.Command(self, args...)
			c.Env = append(os.Environ(), asBerth+"=1")
			start := time.Now()
			out, err := c.CombinedOutput()
			fastest = min(fastest, time.Since(start))
			if wrong := args[0] == "check"; wrong != (err != nil) {
				t.Fatalf("berth %s: %v\n%s", args, err, out)
			}
		}
		if fastest > most {
			t.Errorf("berth %s takes %v, want at most %v", args, fastest, most)
		}
	}
}
