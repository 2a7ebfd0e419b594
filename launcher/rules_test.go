package launcher

import (
	"strings"
	"testing"

	"berth/sandbox"

	"github.com/google/go-cmp/cmp"
)

// parseRules reads "/path access" and "/path exec" words, a rule a line; access
// "quiet" is inaccessible without a setting.
func parseRules(text string) []sandbox.PathRule {
	var rules []sandbox.PathRule
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		r := sandbox.PathRule{Path: words[0], Setting: "Test"}
		for _, word := range words[1:] {
			switch word {
			case "ro":
				r.Access = sandbox.ReadOnly
			case "rw":
				r.Access = sandbox.ReadWrite
			case "hidden":
				r.Access = sandbox.Inaccessible
			case "quiet":
				r.Access, r.Setting = sandbox.Inaccessible, ""
			case "noexec":
				r.Exec = sandbox.NoExec
			case "exec":
				r.Exec = sandbox.MayExec
			default:
				panic(word)
			}
		}
		rules = append(rules, r)
	}
	return rules
}

func TestCovers(t *testing.T) {
	for _, test := range []struct {
		name, rules, top string
		targets          []string
		want             string
	}{
		{"nothing", "", "/", nil, ""},
		{"the top is the mount's own", "/ ro", "/", nil, ""},
		{"writable below read-only", "/ ro\n/var/lib/x rw", "/", nil, "/var/lib/x read-write"},
		{"the longest path wins", "/ ro\n/var rw\n/var/log ro\n/var/log/x rw", "/", nil, "/var read-write\n/var/log read-only\n/var/log/x read-write"},
		{"the strictest of one path wins", "/etc rw\n/etc ro", "/", nil, "/etc read-only"},
		{"what changes nothing is left out", "/ ro\n/etc ro\n/usr ro\n/usr/share ro", "/", nil, ""},
		{"writable is the default", "/etc rw", "/", nil, ""},
		{"nothing is loosened below the inaccessible", "/home hidden\n/home/a rw\n/home/a/b ro", "/", nil, "/home inaccessible"},
		{"order of the outermost", "/a-b ro\n/a/b rw\n/a ro", "/", nil, "/a read-only\n/a/b read-write\n/a-b read-only"},
		{"not what only begins alike", "/a ro\n/ab rw", "/", nil, "/a read-only"},
		{"execution by itself", "/ noexec\n/usr exec\n/usr/share noexec", "/", nil, "/usr exec\n/usr/share noexec"},
		{"both", "/ ro noexec\n/srv rw\n/srv/bin exec", "/", nil, "/srv read-write noexec\n/srv/bin read-write exec"},
		{"another mount's tree", "/ ro\n/run/x ro\n/run rw\n/etc rw", "/run", nil, "/run/x read-only"},
		{"nothing is loosened below another mount", "/ ro\n/run rw\n/run/x rw", "/", []string{"/", "/run"}, ""},
		{"but tightened", "/run ro\n/run/x hidden", "/", []string{"/", "/run"}, "/run read-only\n/run/x inaccessible"},
		{"quietly hidden", "/proc/kcore quiet", "/proc", []string{"/", "/proc"}, "/proc/kcore inaccessible quiet"},
		{"a setting hides for good", "/proc/kcore quiet\n/proc/kcore hidden", "/proc", nil, "/proc/kcore inaccessible"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, c := range covers(parseRules(test.rules), test.top, test.targets) {
				line := strings.Join(strings.Fields(c.path+" "+string(c.access)+" "+string(c.exec)), " ")
				if c.quiet {
					line += " quiet"
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestAt(t *testing.T) {
	rules := parseRules("/ ro noexec\n/var rw\n/var/lib/secret hidden\n/usr exec")
	for path, want := range map[string]use{
		"/":                    {sandbox.ReadOnly, sandbox.NoExec},
		"/etc/passwd":          {sandbox.ReadOnly, sandbox.NoExec},
		"/usr/bin/true":        {sandbox.ReadOnly, sandbox.MayExec},
		"/var/lib":             {sandbox.ReadWrite, sandbox.NoExec},
		"/var/lib/secret/deep": {access: sandbox.Inaccessible},
		"/variant":             {sandbox.ReadOnly, sandbox.NoExec},
	} {
		if got := at(rules, path); got != want {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}
