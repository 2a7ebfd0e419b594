package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

// withBerth runs test once for each suite, at the same time, with berth built
// and the promise kept that nothing is left behind.
func withBerth(t *testing.T, test func(t *testing.T, h *host.Host)) {
	t.Helper()
	onEverySuite(t, withBerthOn(test))
}

// withBerthOnce is withBerth on the thorough suite.
func withBerthOnce(t *testing.T, test func(t *testing.T, h *host.Host)) {
	t.Helper()
	onThoroughSuite(t, withBerthOn(test))
}

func withBerthOn(test func(t *testing.T, h *host.Host)) func(t *testing.T, h *host.Host) {
	return func(t *testing.T, h *host.Host) {
		t.Helper()
		buildBerth(t)
		t.Parallel() // with other suites: every test has the hosts for itself
		leavesNothing(t, h)
		// What is below is root's alone, as /var/lib/machines is: else berth warns.
		if err := os.Chmod(filepath.Join(h.RootDir(), "srv"), 0o700); err != nil {
			t.Fatal(err)
		}
		test(t, h)
	}
}

// attackProgram is where containers find the attack program on their host.
const attackProgram = "/opt/berth/bin/test/attack"

// withAttacks makes sure, once a run, that the attack program is there.
func withAttacks(t *testing.T) {
	t.Helper()
	if err := builtAttacks(); err != nil {
		t.Fatal(err)
	}
}

var builtAttacks = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-o", filepath.Join("bin", "test", "attack"), "./test/attack")
	cmd.Dir, cmd.Env = moduleRoot, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the attacks: %v\n%s", err, out)
	}
	return nil
})

// define writes a container's file as /etc/berth/NAME.toml, for the length of
// the test.
func define(t *testing.T, h *host.Host, name, body string) {
	t.Helper()
	writeFile(t, h, "/etc/berth/"+name+".toml", body)
}

// unrestricted begins the file of a container whose profile leaves it all that
// the container itself does.
const unrestricted = "profile = \"system\"\n"

// patience is how long a command of berth's may take, in seconds.
const patience = "20"

// berth runs a command of berth's to its end.
func berth(t *testing.T, h *host.Host, args ...string) result {
	t.Helper()
	got := run(t, h, "timeout", append([]string{"--kill-after=2", patience, "berth"}, args...)...)
	if got.Status == 124 {
		t.Fatalf("berth %s: hangs\n%s%s", strings.Join(args, " "), got.Stdout, got.Stderr)
	}
	return got
}

// runContainer defines a container and runs it to its end.
func runContainer(t *testing.T, h *host.Host, name, body string, command ...string) result {
	t.Helper()
	define(t, h, name, body)
	args := []string{"run", name}
	if len(command) > 0 {
		args = append(append(args, "--"), command...)
	}
	return berth(t, h, args...)
}

// inside runs a script with sh -eu as a container's payload and returns its
// standard output less the newline at its end. The test ends if it fails.
func inside(t *testing.T, h *host.Host, body, script string) string {
	t.Helper()
	got := runContainer(t, h, "box", body, "/bin/sh", "-euc", script)
	if got.Status != 0 {
		t.Fatalf("in a container: %s: status %d\n%s%s", script, got.Status, got.Stdout, got.Stderr)
	}
	return strings.TrimSuffix(got.Stdout, "\n")
}

// output collects what a running command writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(data)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// background is a command of the host that runs beside the test.
type background struct {
	t              *testing.T
	h              *host.Host
	cmd            *host.Cmd
	stdin          io.WriteCloser
	stdout, stderr output
	ended          chan struct{}
}

// begin starts a command, which is ended after the test if it still runs.
func begin(t *testing.T, h *host.Host, name string, args ...string) *background {
	t.Helper()
	// Not t.Context(): it ends, and would kill the command, before the cleanup.
	b := &background{t: t, h: h, cmd: h.Command(context.Background(), name, args...), ended: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr = &b.stdout, &b.stderr
	var err error
	if b.stdin, err = b.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	b.launch()
	return b
}

func (b *background) launch() {
	b.t.Helper()
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		b.cmd.Wait()
		close(b.ended)
	}()
	b.t.Cleanup(func() {
		b.cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-b.ended:
		case <-time.After(2 * time.Second):
			b.cmd.Process.Kill()
			<-b.ended
		}
	})
}

func (b *background) running() bool {
	select {
	case <-b.ended:
		return false
	default:
		return true
	}
}

func (b *background) signal(s unix.Signal) {
	b.t.Helper()
	if err := b.cmd.Process.Signal(s); err != nil {
		b.t.Fatal(err)
	}
}

// wait returns how the command ended, at the latest after ten seconds.
func (b *background) wait() result {
	b.t.Helper()
	select {
	case <-b.ended:
	case <-time.After(10 * time.Second):
		b.t.Fatalf("%s still runs after 10 s\n%s%s", b.cmd.Args, &b.stdout, &b.stderr)
	}
	return result{Stdout: b.stdout.String(), Stderr: b.stderr.String(), Status: b.cmd.Status()}
}

// waitFor waits for a text on the command's standard output.
func (b *background) waitFor(text string) {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if strings.Contains(b.stdout.String(), text) {
			return
		}
		if !b.running() || time.Now().After(deadline) {
			b.t.Fatalf("no %q on the standard output of %s:\n%s%s", text, b.cmd.Args, &b.stdout, &b.stderr)
		}
	}
}

// container is one that runs in the background, and its berth.
type container struct {
	*background
	name  string
	began time.Time
}

// start defines a container, runs it, and returns when it is there.
func start(t *testing.T, h *host.Host, name, body string, command ...string) *container {
	t.Helper()
	define(t, h, name, body)
	return startDefined(t, h, name, command...)
}

func startDefined(t *testing.T, h *host.Host, name string, command ...string) *container {
	t.Helper()
	args := []string{"run", name}
	if len(command) > 0 {
		args = append(append(args, "--"), command...)
	}
	c := beginContainer(t, h, name, args...)
	c.awaitStart()
	return c
}

// beginContainer runs berth with arguments that start a container of that name.
func beginContainer(t *testing.T, h *host.Host, name string, args ...string) *container {
	t.Helper()
	began := time.Now().Add(-10 * time.Millisecond) // files have the time of the last tick
	return &container{begin(t, h, "berth", args...), name, began}
}

// idle starts a container that does nothing until it is stopped.
func idle(t *testing.T, h *host.Host, name, body string) *container {
	t.Helper()
	c := start(t, h, name, body, "/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done")
	eventually(t, "PID 1, the shell and its child run", func() bool { return len(processesBelow(t, c.scope())) == 3 })
	return c
}

func (c *container) awaitStart() {
	c.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if info, err := os.Stat(c.stateFile()); err == nil && info.ModTime().After(c.began) { // an older one is of a killed berth
			return
		}
		if !c.running() || time.Now().After(deadline) {
			c.t.Fatalf("%s did not start:\n%s%s", c.name, &c.stdout, &c.stderr)
		}
	}
}

// stateFile is the container's state as seen from outside the host.
func (c *container) stateFile() string {
	return filepath.Join("/proc", strconv.Itoa(c.h.PID()), "root/run/berth", c.name, "state.json")
}

// scope is the directory of the container's cgroup outside.
func (c *container) scope() string {
	return filepath.Join(c.h.CgroupDir(), "machine.slice", "berth-"+c.name+".scope")
}

// leader is the PID outside of the container's PID 1.
func (c *container) leader() int {
	c.t.Helper()
	for _, pid := range processesBelow(c.t, c.scope()) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil && strings.HasSuffix(statusLine(status, "NSpid"), "\t1") {
			return pid
		}
	}
	c.t.Fatalf("%s has no PID 1 in %s", c.name, c.scope())
	return 0
}

func statusLine(status []byte, key string) string {
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, key+":\t"); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	return ""
}

// processesBelow lists the PIDs outside of all in a cgroup.
func processesBelow(t *testing.T, cgroup string) []int {
	t.Helper()
	files, err := filepath.Glob(cgroup + "/cgroup.procs")
	if err != nil {
		t.Fatal(err)
	}
	deeper, _ := filepath.Glob(cgroup + "/*/cgroup.procs")
	deepest, _ := filepath.Glob(cgroup + "/*/*/cgroup.procs")
	var pids []int
	for _, file := range append(append(files, deeper...), deepest...) {
		data, _ := os.ReadFile(file)
		for word := range strings.FieldsSeq(string(data)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// sh runs a script beside the payload, by berth exec, and returns its standard
// output less the newline at its end. The test ends if it fails.
func (c *container) sh(script string) string {
	c.t.Helper()
	got := berth(c.t, c.h, "exec", c.name, "--", "/bin/sh", "-euc", script)
	if got.Status != 0 {
		c.t.Fatalf("berth exec %s: %s: status %d\n%s%s", c.name, script, got.Status, got.Stdout, got.Stderr)
	}
	return strings.TrimSuffix(got.Stdout, "\n")
}

// stop ends the container by its berth and returns how that ended.
func (c *container) stop() result {
	c.t.Helper()
	c.signal(unix.SIGTERM)
	return c.wait()
}

// property is one of systemd's for the container's scope.
func (c *container) property(name string) string {
	c.t.Helper()
	return shell(c.t, c.h, "systemctl show --value -p "+name+" berth-"+c.name+".scope")
}

// berthJSON decodes what a berth command prints.
func berthJSON(t *testing.T, h *host.Host, into any, args ...string) {
	t.Helper()
	got := berth(t, h, args...)
	if got.Status != 0 {
		t.Fatalf("berth %s: status %d: %s", strings.Join(args, " "), got.Status, got.Stderr)
	}
	if err := json.Unmarshal([]byte(got.Stdout), into); err != nil {
		t.Fatalf("berth %s: %v\n%s", strings.Join(args, " "), err, got.Stdout)
	}
}

// try runs operations of the attack program as the container's payload and
// returns each one's errno. body mounts more than the program.
func try(t *testing.T, h *host.Host, body string, command ...string) map[string]string {
	t.Helper()
	withAttacks(t)
	got := runContainer(t, h, "box", withProgram(body), append([]string{"/attack"}, command...)...)
	if got.Status != 0 {
		t.Fatalf("the attack failed by itself: %+v", got)
	}
	return errnos(got.Stdout)
}

func errnos(lines string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(lines) {
		operation, errno, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[operation] = errno
	}
	return found
}

// withProgram adds the attack program to a container's mounts.
func withProgram(body string) string {
	return body + `
[[mounts]]
type = "bind"
source = "` + attackProgram + `"
target = "/attack"
read_only = true
idmap = "identity"
`
}

// oneLine wants an error of berth's: one line that has the words.
func oneLine(t *testing.T, stderr string, words ...string) {
	t.Helper()
	if strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
		t.Errorf("not one line of error:\n%q", stderr)
	}
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			t.Errorf("the error lacks %q:\n%s", word, stderr)
		}
	}
}

// insidePID is the PID in the host's namespace of a process seen from outside.
func insidePID(t *testing.T, outside int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", outside))
	if err != nil {
		t.Fatal(err)
	}
	numbers := strings.Fields(statusLine(status, "NSpid"))
	for i, number := range numbers {
		if i > 0 {
			pid, _ := strconv.Atoi(number)
			return pid
		}
	}
	t.Fatalf("process %d is not in a host", outside)
	return 0
}
