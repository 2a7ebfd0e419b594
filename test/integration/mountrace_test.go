package integration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/mountguard"
	"berth/test/host"
)

// raceProgram is where hosts find test/mountrace, which says what it prints.
const raceProgram = "/opt/berth/bin/test/mountrace"

var mountRace = program{name: "mountrace"}

// raceTime is how long each race lasts: BERTH_RACE_SECONDS, or a second.
func raceTime(t *testing.T) float64 {
	t.Helper()
	text := os.Getenv("BERTH_RACE_SECONDS")
	if text == "" {
		return 1
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seconds
}

// raceMounts is a container with initial mounts of many kinds, and the program. It
// has a device with which it can mount file systems that never answer.
func raceMounts(t *testing.T, h *host.Host, readOnly bool) (body string) {
	t.Helper()
	if err := mountRace.build("-pthread"); err != nil {
		t.Fatal(err)
	}
	root := smallRoot(t, h)
	shell(t, h, `
mkdir -p /srv/races/read /srv/races/write/sub /srv/root/srv/ro /srv/root/srv/rw
echo x > /srv/races/read/file
: > /srv/root/mountrace
mknod -m 666 /srv/races/fuse c 10 229`)
	t.Cleanup(func() { h.Remove("/srv/races") })
	return fmt.Sprintf(`
profile = "system"
[root]
directory = %q
read_only = %v
[resources]
DeviceAllow = ["/dev/fuse rw"]
[[mounts]]
type = "bind"
source = "/srv/races/read"
target = "/srv/ro"
read_only = true
[[mounts]]
type = "bind"
source = "/srv/races/write"
target = "/srv/rw"
options = ["noexec"]
[[mounts]]
type = "bind"
source = "/srv/races/fuse"
target = "/dev/fuse"
idmap = "no"
options = ["nosuid", "dev"]
[[mounts]]
type = "bind"
source = %q
target = "/mountrace"
read_only = true
idmap = "identity"
`, root, readOnly, raceProgram)
}

// attackResult is a line that the program prints.
type attackResult struct {
	name, verdict, why                  string
	attempts, worked, refused, weakened int
}

func attackResults(t *testing.T, lines string) []attackResult {
	t.Helper()
	var list []attackResult
	for line := range strings.Lines(lines) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		if len(fields) != 3 {
			t.Fatalf("the races printed %q", line)
		}
		r := attackResult{name: fields[0], verdict: fields[1], why: fields[2]}
		if strings.HasPrefix(r.verdict, "attempts=") {
			if _, err := fmt.Sscanf(r.verdict, "attempts=%d worked=%d refused=%d weakened=%d", &r.attempts, &r.worked, &r.refused, &r.weakened); err != nil {
				t.Fatalf("the races printed %q: %v", line, err)
			}
		}
		list = append(list, r)
	}
	if len(list) == 0 || list[len(list)-1].name != "end" {
		t.Errorf("the races did not come to their end:\n%s", lines)
	}
	return list
}

// judgeRaces wants that all attacks were made, that nothing was weakened, that each
// answer was right, and that each race was one: some of its calls worked.
func judgeRaces(t *testing.T, lines string, attacks []string) {
	t.Helper()
	kinds := map[string]*attackResult{}
	for _, r := range attackResults(t, lines) {
		switch {
		case r.verdict == "wrong":
			t.Errorf("%s: %s", r.name, r.why)
		case r.weakened != 0:
			t.Errorf("%s: %s: %s", r.name, r.verdict, r.why)
		case r.verdict == "ok" && r.why != "":
			t.Logf("%s: %s", r.name, r.why)
		}
		kind, _, _ := strings.Cut(r.name, " ")
		if kinds[kind] == nil {
			kinds[kind] = &attackResult{}
		}
		kinds[kind].verdict = r.verdict
		kinds[kind].attempts += r.attempts
		kinds[kind].worked += r.worked
	}
	for _, attack := range attacks {
		switch all := kinds[attack]; {
		case all == nil:
			t.Errorf("%s: was not tried", attack)
		case all.verdict == "skipped" && all.attempts == 0:
			t.Logf("%s: can't be tried here", attack)
		case all.attempts > 0 && all.worked == 0 && attack != "options": // the kernel refuses it in namespaces of one's own
			t.Errorf("%s: nothing worked in %d attempts: is it a race at all?", attack, all.attempts)
		case all.attempts > 0:
			t.Logf("%s: %d attempts, of which %d worked", attack, all.attempts, all.worked)
		}
	}
}

// races are the attacks in which something is changed under a call.
var races = strings.Fields("string symlink rename over descriptor dirfd chroot fchdir elsewhere " +
	"attributes attributes-clone type type-fsopen options detached detached-closed context superblock " +
	"registers registers-filter registers-interrupted")

// race runs the program by a command of berth's, such as run or exec, for as long
// as its attacks take, and judges what it prints.
func race(t *testing.T, h *host.Host, command []string, attacks []string) {
	t.Helper()
	limit := fmt.Sprint(int(60 + 50*(raceTime(t)+1)))
	args := append([]string{"--kill-after=5", limit, "berth"}, command...)
	got := run(t, h, "timeout", append(args, attacks...)...)
	if got.Status != 0 {
		t.Errorf("status %d (124: it hangs): %s", got.Status, got.Stderr)
	}
	judgeRaces(t, got.Stdout, attacks)
}

func seconds(t *testing.T) string { return fmt.Sprint(raceTime(t)) }

func TestMountRaces(t *testing.T) {
	withBerthOnce(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", raceMounts(t, h, false))
		for _, test := range []struct {
			name    string
			options []string
		}{
			{"root", nil},
			{"mount namespace", []string{"-n"}},
			{"user namespace", []string{"-u"}},
		} {
			t.Run(test.name, func(t *testing.T) {
				command := append([]string{"run", "box", "--", "/mountrace", "-s", seconds(t)}, test.options...)
				race(t, h, command, races)
			})
		}
	})
}

// Where nothing may be unmounted and the root is read-only, all is locked in place.
func TestMountRacesOnLockedMounts(t *testing.T) {
	withBerthOnce(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", raceMounts(t, h, true)+"[mountguard]\nimmutable_unmounts = \"deny\"\n")
		race(t, h, []string{"run", "box", "--", "/mountrace", "-d", "-s", seconds(t)}, races)
	})
}

// Commands that join a container have a listener of their own. One that goes on in
// the background has no berth beside it.
func TestMountRacesOfExec(t *testing.T) {
	withBerthOnce(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", raceMounts(t, h, false))
		race(t, h, []string{"exec", "box", "--", "/mountrace", "-s", seconds(t)}, races)
		attacks := strings.Fields("string descriptor type detached registers crowd tasks")
		c.sh("/mountrace -s " + seconds(t) + " " + strings.Join(attacks, " ") + " > /tmp/out 2>&1 < /dev/null &")
		var out string
		for deadline := time.Now().Add(time.Minute + time.Duration(raceTime(t)*float64(10*time.Second))); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			if out = c.sh("cat /tmp/out"); strings.Contains(out, "end\tok") {
				break
			}
		}
		judgeRaces(t, out+"\n", attacks)
		c.stop()
	})
}

// resources are what a process has, by which it could grow.
type resources struct {
	descriptors, threads int
	memory               int // bytes of it alone
}

func resourcesOf(t *testing.T, pid int) (r resources) {
	t.Helper()
	for dir, count := range map[string]*int{"fd": &r.descriptors, "task": &r.threads} {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, dir))
		if err != nil {
			t.Fatal(err)
		}
		*count = len(list)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes int
		if _, err := fmt.Sscanf(line, "Private_Dirty: %d kB", &kilobytes); err == nil {
			r.memory = kilobytes << 10
		}
	}
	return r
}

// handedOut is how many copies of what it gave to callers the guard keeps: contexts
// of file systems, and mounts.
const handedOut = 2 * 16

// Callers that come all at once, die, hang, are signalled, and whose memory isn't
// there: each is answered, and the guard is afterwards what it was.
func TestMountguardWithstandsCallers(t *testing.T) {
	withBerthOnce(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", raceMounts(t, h, false))
		supervisor := c.cmd.Process.Pid
		attacks := strings.Fields("crowd killed signals signals-restart memory memory-unmapped tasks hanging-path hanging-memory")
		attack := func() {
			race(t, h, []string{"exec", "box", "--", "/mountrace", "-s", seconds(t)}, attacks)
		}
		attack() // what is made once is there afterwards
		before := resourcesOf(t, supervisor)
		attack()
		race(t, h, []string{"exec", "box", "--", "/mountrace", "-s", seconds(t)}, races)
		var after resources
		eventually(t, "what the supervisor has is what it had", func() bool {
			after = resourcesOf(t, supervisor)
			return after.descriptors <= before.descriptors+handedOut && after.threads <= before.threads+4 && after.memory < before.memory+3<<20
		})
		t.Logf("the supervisor had %+v, has %+v", before, after)
		c.stop()
	})
}

// guardCounts are what berth inspect says.
func guardCounts(t *testing.T, h *host.Host, name string) map[string]int {
	t.Helper()
	var inspected struct{ Guard []mountguard.Count }
	berthJSON(t, h, &inspected, "inspect", name, "--json")
	counts := map[string]int{}
	for _, c := range inspected.Guard {
		counts[c.Call+" "+string(c.Action)] += int(c.Count)
	}
	return counts
}

func TestMountguardCountsCalls(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", raceMounts(t, h, false))
		before := guardCounts(t, h, "box")
		race(t, h, []string{"exec", "box", "--", "/mountrace"}, []string{"counted"})
		after := guardCounts(t, h, "box")
		want := map[string]int{"umount2 refuse": 40, "mount continue": 30, "umount2 continue": 35, "mount perform": 5}
		for key, n := range want {
			if got := after[key] - before[key]; got != n {
				t.Errorf("%s: %d more, want %d", key, got, n)
			}
			delete(after, key)
		}
		for key, n := range after {
			if n != before[key] {
				t.Errorf("%s: %d more, want none", key, n-before[key])
			}
		}
		c.stop()
	})
}

// Callers that wait for the guard, or with it, when it is gone.
func TestKilledSupervisorWithWaitingCallers(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := raceMounts(t, h, false)
		before, err := takeSnapshot(h)
		if err != nil {
			t.Fatal(err)
		}
		c := start(t, h, "box", body, "/mountrace", "stay")
		c.waitFor("stay\tok")
		c.signal(unix.SIGKILL)
		c.wait()
		onlyFilesAreLeft(t, h, "box", before)
		again := idle(t, h, "box", body)
		again.stop()
		forget(t, h)
	})
}

// What is mounted on a directory of a writable root goes when the directory is
// removed in another mount namespace, locked in place or not. Nothing appears.
func TestRemovedMountPointsShowNothing(t *testing.T) {
	withBerthOnce(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", raceMounts(t, h, false)+"[mountguard]\nimmutable_unmounts = \"deny\"\n")
		race(t, h, []string{"run", "box", "--", "/mountrace", "-d"}, []string{"removed"})
		if got := berth(t, h, "run", "box", "--", "/usr/bin/cat", "/proc/1/comm"); got.Status != 0 {
			t.Errorf("the next start: %+v", got)
		}
	})
}
