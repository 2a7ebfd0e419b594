package integration

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"berth/test/host"
)

func TestPayloadStatus(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, test := range []struct {
			name    string
			command []string
			want    int
		}{
			{"success", []string{"true"}, 0},
			{"three", []string{"sh", "-c", "exit 3"}, 3},
			{"highest", []string{"sh", "-c", "exit 255"}, 255},
			{"terminated by itself", []string{"sh", "-c", "kill -TERM $$"}, 128 + 15},
			{"killed", []string{"sh", "-c", "kill -KILL $$"}, 128 + 9},
			{"aborted", []string{"sh", "-c", "kill -ABRT $$"}, 128 + 6},
			{"not there", []string{"/no/such/program"}, 127},
			{"not in PATH", []string{"no-such-program"}, 127},
			{"below a file", []string{"/etc/passwd/program"}, 127},
			{"not executable", []string{"/etc/passwd"}, 126},
			{"a directory", []string{"/etc"}, 126},
		} {
			t.Run(test.name, func(t *testing.T) {
				got := runContainer(t, h, "box", "", test.command...)
				if got.Status != test.want {
					t.Errorf("got %+v, want status %d", got, test.want)
				}
				if test.want == 126 || test.want == 127 {
					oneLine(t, got.Stderr, fmt.Sprintf("berth: cannot execute %q", test.command[0]))
				}
			})
		}
	})
}

func TestPayloadStreams(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "[process]\ncommand = [\"sh\", \"-c\", \"cat; echo to stderr >&2; exit 7\"]\n")
		got := runWithInput(t, h, "from stdin\n", "berth", "run", "box")
		if want := (result{Stdout: "from stdin\n", Stderr: "to stderr\n", Status: 7}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// A shell's pipeline is what users write; each of these hangs or loses bytes
// when a pipe end is kept too long or let go too early.
func TestPayloadInPipeline(t *testing.T) {
	const tenMegabytes = 10 << 20
	sum := func(line string, times int) string {
		return fmt.Sprintf("%x  -", sha256.Sum256([]byte(strings.Repeat(line, times))))
	}
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		for _, test := range []struct{ name, script, want string }{
			{"end of input reaches the payload", "echo x | timeout 10 berth run box -- cat", "x"},
			{"no input", "timeout 10 berth run box -- cat < /dev/null", ""},
			{"input nobody reads", "head -c 1000000 /dev/zero | timeout 10 berth run box -- echo done", "done"},
			{"10 MB out", fmt.Sprintf("berth run box -- sh -c 'yes 123456789012345 | head -c %d' | cat | sha256sum", tenMegabytes), sum("123456789012345\n", tenMegabytes/16)},
			{"10 MB in", fmt.Sprintf("yes 123456789012345 | head -c %d | berth run box -- sha256sum", tenMegabytes), sum("123456789012345\n", tenMegabytes/16)},
			{"10 MB through", fmt.Sprintf("yes 123456789012345 | head -c %d | berth run box -- cat | sha256sum", tenMegabytes), sum("123456789012345\n", tenMegabytes/16)},
			{"reader that goes away", "timeout 10 berth run box -- yes | head -n 1", "y"},
			{"no newline at the end", "berth run box -- printf x | od -An -c | tr -d ' '", "x"},
			{"two containers", "berth run box -- echo x | berth run --name=box2 box -- tr x y", "y"},
			{"output to a file", "berth run box -- echo x > /run/out; cat /run/out; rm /run/out", "x"},
			{"both to one pipe", "berth run box -- sh -c 'echo a; echo b >&2' 2>&1 | sort | tr -d '\\n'", "ab"},
		} {
			t.Run(test.name, func(t *testing.T) {
				got := run(t, h, "timeout", "60", "sh", "-c", test.script)
				if strings.TrimSuffix(got.Stdout, "\n") != test.want || strings.Contains(got.Stderr, "berth") {
					t.Errorf("got %+v, want %q", got, test.want)
				}
			})
		}
	})
}

// Closed standard descriptors must not be replaced by something of berth's.
func TestPayloadWithClosedStreams(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		if got := shell(t, h, "timeout 10 berth run box -- cat <&-"); got != "" {
			t.Errorf("closed input: got %q", got)
		}
		got := shell(t, h, "timeout 10 berth run box -- sh -c 'echo x; exit 5' >&- 2>/dev/null || echo $?")
		if got != "5" {
			t.Errorf("closed output: got status %q, want 5", got)
		}
	})
}

func TestPayloadEnvironment(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := `
[process]
environment = { LANG = "C.UTF-8", EMPTY = "", SPACE = "a  b", HOME = "/elsewhere" }
`
		got := strings.Split(shellSorted(inside(t, h, body, "env -u PWD -u OLDPWD -u SHLVL -u _ env")), "\n")
		want := []string{
			"EMPTY=", "HOME=/elsewhere", "LANG=C.UTF-8", "LOGNAME=root",
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"SHELL=/bin/bash", "SPACE=a  b", "USER=root", "container=berth",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
	})
}

// Nothing of the caller's environment is the container's.
func TestPayloadDoesNotSeeCallersEnvironment(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		got := shell(t, h, "SECRET=token LD_PRELOAD=/nowhere.so berth run box -- env 2>/dev/null; berth run box -- cat /proc/1/environ 2>/dev/null || true")
		if strings.Contains(got, "SECRET") || strings.Contains(got, "LD_PRELOAD") {
			t.Errorf("leaked:\n%s", got)
		}
	})
}

func TestPayloadWorkingDirectoryAndHostname(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		if got := inside(t, h, "", "pwd; uname -n"); got != "/\nbox" {
			t.Errorf("by default: got %q", got)
		}
		body := "[process]\nworking_directory = \"/usr/share\"\nhostname = \"other.example\"\n"
		if got := inside(t, h, body, "pwd; uname -n"); got != "/usr/share\nother.example" {
			t.Errorf("got %q", got)
		}
		if got := shell(t, h, "uname -n"); got != "berth-host" {
			t.Errorf("the host is called %q now", got)
		}
		got := runContainer(t, h, "box", "[process]\nworking_directory = \"/no/such\"\n", "true")
		if got.Status != 125 {
			t.Errorf("missing working directory: got %+v, want status 125", got)
		}
		oneLine(t, got.Stderr, "berth: cannot", `"/no/such"`)
	})
}

func shellSorted(lines string) string {
	words := strings.Split(lines, "\n")
	return strings.Join(sorted(words), "\n")
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
