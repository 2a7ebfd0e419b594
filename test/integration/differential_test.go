package integration

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"berth/test/host"
)

// TestDifferential holds that a setting in [sandbox] denies all that it denies
// under systemd. One program, test/probe, tries some three thousand operations
// under systemd-run with a setting, and in a container that has this setting and
// no other. What each of the two would deny without the setting is known from a
// run without any.
//
// Where berth denies what systemd allows, the difference must stand in the list
// of reviewed ones, with its reason, and each of these must be needed.
func TestDifferential(t *testing.T) {
	review := &review{used: map[int]bool{}}
	t.Cleanup(func() { review.finish(t) })
	withBerth(t, func(t *testing.T, h *host.Host) {
		d := newDifferential(t, h, review)
		t.Run("no setting", func(t *testing.T) { d.compareBaselines(t) })
		cases := d.cases(t)
		review.expect(len(cases))
		for _, c := range cases {
			t.Run(c.name(), func(t *testing.T) {
				t.Parallel()
				d.compare(t, c)
			})
		}
	})
}

// differential is the comparison on one host.
type differential struct {
	host      *host.Host
	arguments []string
	baseline  pair
	review    *review
	streams   chan int // numbers for units and containers that run at once

	makesDirectories sync.Mutex
}

// pair is what the two said to the same settings.
type pair struct{ systemd, berth answers }

func newDifferential(t *testing.T, h *host.Host, r *review) *differential {
	t.Helper()
	withProbe(t, h)
	// The tree is systemd's own, every file of it. And mounts propagate as they do
	// on a real machine: systemd passes credentials that way.
	shell(t, h, "mkdir -p /srv/tree && mount --bind / /srv/tree && mount --make-rshared /")
	t.Cleanup(func() { // without t's context, which has ended
		if _, err := h.Shell(context.Background(), "mount --make-rprivate /; umount /srv/tree && rmdir /srv/tree"); err != nil {
			t.Error(err)
		}
	})
	putOutside(t, h, "/etc/berth/bare-profile.toml", nil, 0o644)
	d := &differential{host: h, arguments: probeArguments(t, h), review: r, streams: make(chan int, 4)}
	for n := range cap(d.streams) {
		d.streams <- n
		putOutside(t, h, dropIn(n), nil, 0o644)
	}
	shell(t, h, "systemctl daemon-reload") // it learns of the directories; the files in them it reads each time
	d.baseline = d.probe(t, testCase{})
	if d.baseline.systemd == nil || d.baseline.berth == nil {
		t.Fatal("the probe does not run without any setting")
	}
	return d
}

// cases are those that this host's systemd knows.
func (d *differential) cases(t *testing.T) []testCase {
	t.Helper()
	groups := shell(t, d.host, "systemd-analyze --no-pager syscall-filter | sed -n 's/^\\(@[a-z0-9-]*\\)$/\\1/p'")
	list := append(differentialCases(), groupCases(strings.Fields(groups))...)
	version, err := strconv.Atoi(shell(t, d.host, "systemctl --version | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p'"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(c testCase) bool { return c.since > version })
}

// probe runs the probe with both.
func (d *differential) probe(t *testing.T, c testCase) pair {
	t.Helper()
	stream := <-d.streams
	defer func() { d.streams <- stream }()
	if c.directories {
		d.makesDirectories.Lock()
		defer d.makesDirectories.Unlock()
	}
	systemd := d.underSystemd(t, c, stream)
	if c.directories {
		d.removeDirectories(t)
		defer d.removeDirectories(t)
	}
	return pair{systemd, d.underBerth(t, c, stream)}
}

// removeDirectories removes what StateDirectory= and its like leave.
func (d *differential) removeDirectories(t *testing.T) {
	t.Helper()
	for _, dir := range madeDirectories {
		for _, name := range []string{"probe", "private/probe"} {
			if err := os.RemoveAll(filepath.Join(d.host.RootDir(), dir, name)); err != nil {
				t.Error(err)
			}
		}
	}
}

func inMadeDirectory(name string) bool {
	dir, ok := strings.CutPrefix(name, "create in ")
	return ok && filepath.Base(dir) == "probe" && slices.Contains(madeDirectories, filepath.Dir(dir))
}

var madeDirectories = []string{"/etc", "/var/lib", "/var/cache", "/var/log"}

// underSystemd gives the settings in a drop-in, as a unit file does: the bus and
// systemd-run know less of them.
func (d *differential) underSystemd(t *testing.T, c testCase, stream int) answers {
	t.Helper()
	lines := "[Service]\n" + strings.Join(c.settings, "\n") + "\n"
	putOutside(t, d.host, dropIn(stream), []byte(lines), 0o644)
	unit := fmt.Sprintf("--unit=probe-%d", stream)
	args := []string{"60", "systemd-run", "--wait", "--pipe", "--quiet", "--collect", unit, probeProgram}
	return d.output(t, "systemd", run(t, d.host, "timeout", append(args, d.probeArguments(c)...)...))
}

func dropIn(stream int) string {
	return fmt.Sprintf("/etc/systemd/system/probe-%d.service.d/settings.conf", stream)
}

func (d *differential) underBerth(t *testing.T, c testCase, stream int) answers {
	t.Helper()
	name := fmt.Sprintf("box%d", stream)
	putOutside(t, d.host, "/etc/berth/"+name+".toml", []byte(c.container()), 0o644)
	args := append([]string{"60", "berth", "run", name, "--", probeProgram}, d.probeArguments(c)...)
	return d.output(t, "berth", run(t, d.host, "timeout", args...))
}

func (d *differential) probeArguments(c testCase) []string {
	if c.only == "" {
		return d.arguments
	}
	return append([]string{c.only}, d.arguments...)
}

// output is nil if the probe could not run to its end, as where it may not be
// executed.
func (d *differential) output(t *testing.T, who string, got result) answers {
	t.Helper()
	found, err := probeOutput(got.Stdout)
	if err != nil || got.Status != 0 {
		t.Logf("under %s: status %d: %v\n%s", who, got.Status, err, got.Stderr)
		return nil
	}
	return found
}

// compareBaselines looks at what the two differ in without any setting.
func (d *differential) compareBaselines(t *testing.T) {
	d.report(t, "", func(name string) (difference, bool) {
		s, b := answerOf(d.baseline.systemd, name), answerOf(d.baseline.berth, name)
		switch {
		case isValue(s) && isValue(b) || s == b:
			return difference{}, false
		case allowed(b):
			return difference{name, looser, s, s, b, b}, true
		case allowed(s):
			return difference{name, stricter, s, s, b, b}, true
		}
		return difference{}, false
	}, d.baseline)
}

// compare looks at what a setting changes.
func (d *differential) compare(t *testing.T, c testCase) {
	defer d.review.done()
	got := d.probe(t, c)
	if got.systemd == nil || got.berth == nil {
		if diff, differs := judgeStart(got); differs && !d.review.accepts(c.name(), diff) {
			t.Error(diff)
		}
		return
	}
	if !c.mayDoNothing && !d.changes(c, got.systemd) {
		t.Error("it changes nothing under systemd: is it tried?")
	}
	d.report(t, c.name(), func(name string) (difference, bool) {
		if !c.directories && inMadeDirectory(name) {
			return difference{}, false // it is there or not, by what else runs
		}
		diff := difference{
			name:    name,
			systemd: answerOf(got.systemd, name), berth: answerOf(got.berth, name),
			systemdBefore: answerOf(d.baseline.systemd, name), berthBefore: answerOf(d.baseline.berth, name),
		}
		diff.kind = diff.judge()
		return diff, diff.kind != same
	}, got)
}

// changes says whether any answer differs from that without settings. Where not
// all is tried, what is missing says nothing.
func (d *differential) changes(c testCase, got answers) bool {
	for name, answer := range got {
		if answer != answerOf(d.baseline.systemd, name) {
			return true
		}
	}
	return c.only == "" && len(got) < len(d.baseline.systemd)
}

// report makes an error of each difference that is not reviewed.
func (d *differential) report(t *testing.T, setting string, judge func(name string) (difference, bool), seen pair) {
	t.Helper()
	names := maps.Clone(seen.systemd)
	maps.Copy(names, seen.berth)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		diff, differs := judge(name)
		if differs && !d.review.accepts(setting, diff) {
			lines = append(lines, diff.String())
		}
	}
	const most = 60
	if left := len(lines) - most; left > 0 {
		lines = append(lines[:most], fmt.Sprintf("and %d more", left))
	}
	if len(lines) > 0 {
		t.Errorf("%s:\n%s", setting, strings.Join(lines, "\n"))
	}
}

// review keeps which of the reviewed differences were seen, and in how much.
type review struct {
	mu                 sync.Mutex
	used               map[int]bool
	suites, cases, ran int
}

// expect notes that a suite has so many cases.
func (r *review) expect(cases int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suites++
	r.cases += cases
}

func (r *review) done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ran++
}

func (r *review) accepts(setting string, d difference) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	accepted := false
	for i, entry := range reviewed() {
		if entry.matches(setting, d) {
			r.used[i] = true
			accepted = true
		}
	}
	return accepted
}

// finish wants each reviewed difference to have been seen, if everything ran.
func (r *review) finish(t *testing.T) {
	if os.Getenv("BERTH_SUITES") != "" || r.suites == 0 || r.suites < len(hosts) || r.ran < r.cases {
		return
	}
	for i, entry := range reviewed() {
		if !r.used[i] {
			t.Errorf("no difference is like this reviewed one: %+v", entry)
		}
	}
}
