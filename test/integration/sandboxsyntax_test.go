package integration

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"berth/sandbox"
	"berth/test/host"
	"berth/units"
)

// What systemd takes for a value, berth takes, and nothing else: systemd-analyze
// verify reads the same lines as unit files, and tells which it passes over.
func TestSandboxSyntaxIsSystemds(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		version := hostVersion(t, h)
		lines := syntaxLines(version)
		passed := passedOver(t, h, lines)
		for i, line := range lines {
			name, value, _ := strings.Cut(line, "=")
			err := sandbox.New().Set(name, value)
			compareSyntax(t, version, line, err, passed[i])
		}
	})
}

// The same for properties of a transient unit, which don't all have the syntax
// of unit files. Nothing is started: the unit's condition isn't met.
func TestSandboxSyntaxIsSystemdRuns(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		version := hostVersion(t, h)
		lines := syntaxLines(version)
		refused := strings.Split(runProperties(t, h, lines), "\n")
		for i, line := range lines {
			if onTheBus(line) != "" {
				continue
			}
			name, value, _ := strings.Cut(line, "=")
			err := sandbox.New().Set(name, value)
			compareSyntax(t, version, line, err, refused[i])
		}
	})
}

// compareSyntax compares berth's error with systemd's message.
func compareSyntax(t *testing.T, version int, line string, err error, message string) {
	t.Helper()
	switch {
	case err == nil && message != "" && version >= syntaxSince(line):
		t.Errorf("%s: systemd refuses what berth takes: %s", line, message)
	case err != nil && message == "" && syntaxStricter(line) == "":
		t.Errorf("%s: systemd takes what berth refuses: %v", line, err)
	}
}

// syntaxLines are those of sandboxSyntax whose settings that version has.
func syntaxLines(version int) []string {
	var lines []string
	for line := range strings.Lines(sandboxSyntax) {
		line = strings.TrimSuffix(line, "\n")
		name, _, _ := strings.Cut(line, "=")
		if d, err := sandbox.Lookup(name); err == nil && d.Since > version {
			continue
		}
		lines = append(lines, line)
	}
	return lines
}

func hostVersion(t *testing.T, h *host.Host) int {
	t.Helper()
	version, err := strconv.Atoi(shell(t, h, "systemctl --version | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p'"))
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// passedOver returns what systemd says to each line, or "".
func passedOver(t *testing.T, h *host.Host, lines []string) []string {
	t.Helper()
	out := withUnits(t, h, lines, "systemd-analyze verify --man=no /run/berth-syntax/*.service 2>&1 || true")
	messages := make([]string, len(lines))
	for message := range strings.Lines(out) {
		var n, at int
		if _, err := fmt.Sscanf(message, "/run/berth-syntax/syntax-%d.service:%d:", &n, &at); err == nil {
			messages[n] += message
		}
	}
	return messages
}

// withUnits runs a script while a service for each text lies in a directory.
func withUnits(t *testing.T, h *host.Host, texts []string, script string) string {
	t.Helper()
	var b strings.Builder
	for i, text := range texts {
		fmt.Fprintf(&b, "%d\x00[Service]\nExecStart=/bin/true\n%s\n\x00", i, text)
	}
	unpack := `mkdir /run/berth-syntax; trap 'rm -r /run/berth-syntax' EXIT
		xargs -0 -n 500 sh -c 'while [ $# -gt 1 ]; do printf %s "$2" > /run/berth-syntax/syntax-$1.service; shift 2; done' sh
		` + script
	r := runWithInput(t, h, b.String(), "sh", "-euc", unpack)
	if r.Status != 0 {
		t.Fatalf("got %+v", r)
	}
	return r.Stdout
}

// runProperties gives each line to systemd-run and returns a line for each: what
// it said, or nothing.
func runProperties(t *testing.T, h *host.Host, lines []string) string {
	t.Helper()
	script := `xargs -0 -n 1 sh -c '
		if out=$(systemd-run --quiet --collect --no-block -p ConditionPathExists=!/ -p "$1" true 2>&1)
		then echo; else echo "$out" | tail -n 1; fi' sh || true`
	r := runWithInput(t, h, strings.Join(lines, "\x00")+"\x00", "sh", "-euc", script)
	return r.Stdout
}

// is matches a line: with a "*" at the pattern's end its beginning, else all of it.
func is(line, pattern string) bool {
	beginning, more := strings.CutSuffix(pattern, "*")
	return line == pattern || more && strings.HasPrefix(line, beginning)
}

// syntaxSince is the version whose systemd takes a line first, if that isn't the
// one that introduced the setting: berth takes newer words on any host.
func syntaxSince(line string) int {
	for _, newer := range [...]struct {
		pattern string
		version int
	}{
		{"CPUSchedulingPolicy=ext", 258},
		{"ImportCredential=a*:b", 257},
		{"MemoryKSM=", 256},
		{"NUMAPolicy=preferred-many", 258},
		{"PrivateMounts=", 253},
		{"PrivateTmp=connected", 257},
		{"PrivateTmp=disconnected", 257},
		{"PrivateUsers=full", 258},
		{"PrivateUsers=identity", 257},
		{"PrivateUsers=managed", 260},
		{"PrivateUsers=self", 257},
		{"ProtectControlGroups=private", 257},
		{"ProtectControlGroups=strict", 257},
		{"ProtectHostname=", 258},
		{"ProtectHostname=private", 258},
		{"RestrictNamespaces=time", 258},
		{"SecureBits=exec-*", 258},
		{"StateDirectory=a::ro", 257},
		{"StateDirectory=a:b:ro", 257},
	} {
		if is(line, newer.pattern) {
			return newer.version
		}
	}
	return 0
}

// syntaxStricter says why berth refuses a line that systemd takes.
func syntaxStricter(line string) string {
	for _, stricter := range [...]struct{ line, why string }{
		{"BindPaths=/a\\yb", "systemd before 258 doesn't know C's escapes here"},
		{"BindPaths=/a:/b\\nc", "a line break in a path"},
		{"CapabilityBoundingSet=64", "systemd passes over the word without a message"},
		{"CapabilityBoundingSet=62", "systemd passes over the word without a message"},
		{"CapabilityBoundingSet=-1", "systemd passes over the word without a message"},
		{"IOSchedulingClass=7", "there are four classes"},
		{"IOSchedulingClass=8", "there are four classes"},
		{"ProtectHostname=yes:web", "the name is process.hostname"},
		{"ReadOnlyPaths=/../a", "systemd goes no higher than the root"},
		{"RestrictFileSystems=ext5", "systemd passes over the word when the unit starts"},
		{"SecureBits=keep-caps what", "systemd passes over the word without a message"},
		{"StateDirectory=a:b:rw", "systemd 252 takes the flag for the symlink's name"},
		{"SyslogFacility=127", "there are 24 facilities"},
		{"SystemCallFilter=~", "a list of nothing"},
		{"SystemCallFilter=~read:0", "0 is no error"},
		{"TemporaryFileSystem=/a:size=1X", "systemd fails when the unit starts"},
		{"TemporaryFileSystem=/a:what", "systemd fails when the unit starts"},
	} {
		if line == stricter.line {
			return stricter.why
		}
	}
	return ""
}

// onTheBus tells why systemd-run takes or refuses a line that unit files don't,
// whose syntax is berth's.
func onTheBus(line string) string {
	name, value, _ := strings.Cut(line, "=")
	for _, differs := range [...]struct{ pattern, why string }{
		{"BindReadOnlyPaths=", "there is no resetting these"},
		{"CPUAffinity=3-1", "taken as no CPU"},
		{"ConfigurationDirectory=a:b", "checked later"},
		{"ImportCredential=*", "the new name is unknown there before 258"},
		{"LoadCredential=a:", "the name must be repeated"},
		{"LogExtraFields=*", "one field, without quotes"},
		{"LogFilterPatterns=~", "checked later"},
		{"PrivateTmp=*", "booleans only before 258"},
		{"PrivateUsers=*", "booleans only before 258"},
		{"ProtectControlGroups=*", "booleans only before 258"},
		{"ReadWritePaths=/a/../b", "checked later"},
		{"RestrictAddressFamilies=none", "not known there before 258"},
		{"RestrictFileSystems=@what", "checked later"},
		{"SetCredential=a:", "empty data is data"},
		{"SystemCallFilter=*", "checked later"},
		{"SystemCallLog=*", "checked later"},
	} {
		if is(line, differs.pattern) {
			return differs.why
		}
	}
	if d, err := sandbox.Lookup(name); value == "" && err == nil && !d.List {
		return "what isn't a list can't be reset"
	}
	return ""
}

// Every setting that services, sockets, mounts and swaps have in common is one of
// systemd.exec(5), which berth knows, or of a man page that a scope's settings
// stand in; and what berth knows is new in the version that it says.
func TestSandboxSettingsAreSystemds(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		version := hostVersion(t, h)
		theirs := commonSettings(t, h)
		ours := map[string]int{}
		for _, d := range sandbox.Table() {
			ours[d.Name] = d.Since
		}
		for _, name := range theirs {
			since, known := ours[name]
			_, err := units.Lookup(name)
			switch {
			case !known && errors.Is(err, units.ErrUnknown):
				t.Errorf("%s isn't in sandbox.Table", name)
			case known && since > version:
				t.Errorf("%s is said to be new in %d", name, since)
			}
		}
		for name, since := range ours {
			if since != 0 && since <= version && !slices.Contains(theirs, name) {
				t.Errorf("systemd has no %s, which is said to be there since %d", name, since)
			}
		}
	})
}

func commonSettings(t *testing.T, h *host.Host) []string {
	t.Helper()
	sections, section := map[string][]string{}, ""
	for line := range strings.Lines(shell(t, h, "/lib/systemd/systemd --dump-configuration-items")) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		name, _, _ := strings.Cut(line, "=")
		sections[section] = append(sections[section], name)
	}
	return slices.DeleteFunc(sections["[Service]"], func(name string) bool {
		return !slices.Contains(sections["[Socket]"], name) || !slices.Contains(sections["[Mount]"], name) || !slices.Contains(sections["[Swap]"], name) || name == ""
	})
}
