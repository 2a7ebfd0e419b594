package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kind says how berth's answer to a setting differs from systemd's.
type kind string

const (
	same     kind = ""
	looser   kind = "looser"   // berth allows what systemd denies
	stricter kind = "stricter" // berth denies what systemd allows
	other    kind = "other"    // both deny, or answer, but not in the same way
)

// difference is one operation to which the two do not answer the same.
type difference struct {
	name                   string
	kind                   kind
	systemdBefore, systemd string // without the setting, and with it
	berthBefore, berth     string
}

func (d difference) String() string {
	return fmt.Sprintf("  %s %s%s: systemd %s, berth %s", d.kind, d.name, callName(d.name),
		changed(d.systemdBefore, d.systemd), changed(d.berthBefore, d.berth))
}

// callName is the name, in brackets, of what the probe calls "filter ABI NUMBER".
func callName(tried string) string {
	words := strings.Fields(tried)
	column := map[string]int{"x86-64": 1, "x32": 2, "i386": 3}
	if len(words) != 3 || words[0] != "filter" || column[words[1]] == 0 {
		return ""
	}
	table, err := os.ReadFile(filepath.Join(moduleRoot, "sandbox/seccomp/calls.txt"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[column[words[1]]] == words[2] {
			return " (" + fields[0] + ")"
		}
	}
	return ""
}

func changed(before, after string) string {
	if before == after {
		return after
	}
	return before + " -> " + after
}

// absent is the answer to what a run did not try, because it could not see it.
const absent = "absent"

func answerOf(a answers, name string) string {
	if answer, ok := a[name]; ok {
		return answer
	}
	return absent
}

func isValue(answer string) bool { return strings.HasPrefix(answer, "=") || isSet(answer) }

// isSet tells of a set of rights: fewer are stricter.
func isSet(answer string) bool { return strings.HasPrefix(answer, "-") }

func allowed(answer string) bool { return answer == "ok" || isValue(answer) }

// judge compares what the setting changed. What is denied without it says
// nothing of the setting: that is for the comparison of baselines.
func (d difference) judge() kind {
	switch {
	case isSet(d.systemd) && isSet(d.berth):
		return d.judgeSets()
	case allowed(d.berth) && !allowed(d.systemd):
		if d.systemd == d.systemdBefore && d.berth == d.berthBefore {
			return same
		}
		return looser
	case allowed(d.systemd) && !allowed(d.berth):
		if d.berth == d.berthBefore && allowed(d.systemdBefore) {
			return same
		}
		return stricter
	case isValue(d.systemd) && isValue(d.berth):
		return d.judgeValues()
	case strings.HasPrefix(d.name, "filter ") && d.systemd != d.berth && d.systemd != d.systemdBefore:
		return other
	}
	return same
}

// judgeStart compares whether the probe came to its end.
func judgeStart(p pair) (difference, bool) {
	answer := func(a answers) string {
		if a == nil {
			return "does not run"
		}
		return "ok"
	}
	d := difference{name: "start", systemdBefore: "ok", systemd: answer(p.systemd), berthBefore: "ok", berth: answer(p.berth)}
	d.kind = d.judge()
	return d, d.kind != same
}

// judgeValues wants berth to make of a value what systemd makes of it.
func (d difference) judgeValues() kind {
	want := d.berthBefore
	if d.systemd != d.systemdBefore {
		want = d.systemd
	}
	if d.berth != want {
		return other
	}
	return same
}

// judgeSets wants berth to take from a set what systemd takes from it, and no more.
func (d difference) judgeSets() kind {
	before, after := members(d.systemdBefore), members(d.systemd)
	for _, member := range members(d.berth) {
		taken := slices.Contains(before, member) && !slices.Contains(after, member)
		added := !slices.Contains(members(d.berthBefore), member) && !slices.Contains(after, member)
		if taken || added {
			return looser
		}
	}
	for _, member := range after {
		expected := slices.Contains(members(d.berthBefore), member) || !slices.Contains(before, member)
		if expected && !slices.Contains(members(d.berth), member) {
			return stricter
		}
	}
	return same
}

func members(set string) []string { return strings.Fields(strings.TrimPrefix(set, "-")) }

// reviewedDifference is a set of differences that someone looked at.
type reviewedDifference struct {
	setting string // of which settings, with "*" for any text; "": of the comparison without any
	name    string // of which operations, with "*" for any text
	kind    kind
	reason  string
}

func (r reviewedDifference) matches(setting string, d difference) bool {
	return r.kind == d.kind && (r.setting == "") == (setting == "") &&
		matchesPattern(r.setting, setting) && matchesPattern(r.name, d.name)
}

// matchesPattern takes alternatives between "|".
func matchesPattern(pattern, text string) bool {
	if pattern == text || pattern == "*" {
		return true
	}
	for alternative := range strings.SplitSeq(pattern, "|") {
		if globMatch(alternative, text) {
			return true
		}
	}
	return false
}

// globMatch matches "*" to any text.
func globMatch(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name, operation                            string
		systemdBefore, systemd, berthBefore, berth string
		want                                       kind
	}{
		{"both allow", "x", "ok", "ok", "ok", "ok", same},
		{"both deny", "x", "ok", "EPERM", "ok", "EACCES", same},
		{"not enforced", "x", "ok", "EPERM", "ok", "ok", looser},
		{"loosened", "x", "EPERM", "EPERM", "EPERM", "ok", looser},
		{"always allowed", "x", "EPERM", "EPERM", "ok", "ok", same},
		{"too strict", "x", "ok", "ok", "ok", "EPERM", stricter},
		{"always denied", "x", "ok", "ok", "EPERM", "EPERM", same},
		{"filter with another errno", "filter x", "ok", "EPERM", "ok", "ENOSYS", other},
		{"filter that denies by chance", "filter x", "ok", "EPERM", "ENOSYS", "ENOSYS", other},
		{"not granted", "x", "ENOENT", "ok", "ENOENT", "ENOENT", stricter},
		{"granted", "x", "ENOENT", "ok", "ENOENT", "ok", same},
		{"value not made", "x", absent, "=1", absent, absent, stricter},
		{"value set", "x", "=1", "=2", "=1", "=2", same},
		{"value not set", "x", "=1", "=2", "=1", "=1", other},
		{"value set though it should not", "x", "=1", "=1", "=1", "=2", other},
		{"value kept apart", "x", "=1", "=1", "=3", "=3", same},
		{"value hidden", "x", "=1", "ENOENT", "=1", "=1", looser},
		{"set reduced", "x", "-1 2", "-1", "-1 2 3", "-1 3", same},
		{"set not reduced", "x", "-1 2", "-1", "-1 2", "-1 2", looser},
		{"set grown", "x", "-1", "-1", "-1", "-1 2", looser},
		{"set grown as asked", "x", "-", "-7", "-", "-7", same},
		{"set not grown", "x", "-", "-7", "-", "-", stricter},
		{"set reduced too far", "x", "-1 2", "-1", "-1 2", "-", stricter},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := difference{test.operation, same, test.systemdBefore, test.systemd, test.berthBefore, test.berth}
			if got := d.judge(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
