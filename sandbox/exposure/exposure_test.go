package exposure

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden is a service of testdata, and what systemd said.
type golden struct {
	name    string
	version int
	score   string            // 3.1 OK
	lines   []string          // assignments
	failed  map[string]string // exposure by field
	without map[string]bool   // fields that don't apply
}

// What systemd said of services with settings of all kinds is what Assess says.
func TestAssess(t *testing.T) {
	seen := map[string]bool{} // failed or not, by field
	for _, g := range readGolden(t) {
		t.Run(fmt.Sprintf("%d/%s", g.version, g.name), func(t *testing.T) {
			r := Assess(unitOf(t, g.lines...), g.version)
			if score := fmt.Sprintf("%s %s", r.Exposure, r.Rating); score != g.score {
				t.Errorf("got %s, want %s", score, g.score)
			}
			failed, without := map[string]string{}, map[string]bool{}
			for _, c := range r.Checks {
				if !c.Applies {
					without[c.Field] = true
				} else if !c.Good() {
					failed[c.Field] = c.Exposure.String()
				}
				seen[fmt.Sprint(c.Field, c.Good())] = true
			}
			if diff := cmp.Diff(g.failed, failed); diff != "" {
				t.Errorf("failed -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(g.without, without); diff != "" {
				t.Errorf("not applying -want +got:\n%s", diff)
			}
		})
	}
	for _, rule := range rules() {
		for _, good := range []bool{true, false} {
			if !seen[fmt.Sprint(rule.field, good)] {
				t.Errorf("no service of testdata has %s with good = %t", rule.field, good)
			}
		}
	}
}

func readGolden(t *testing.T) []golden {
	t.Helper()
	files, err := filepath.Glob("testdata/systemd-*.txt")
	if err != nil || len(files) < 3 {
		t.Fatalf("testdata has only %v (%v)", files, err)
	}
	var list []golden
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			if head, ok := strings.CutPrefix(line, "= "); ok {
				list = append(list, golden{failed: map[string]string{}, without: map[string]bool{}})
				head = strings.Replace(head, ": systemd ", " ", 1)
				var score, rating string
				g := &list[len(list)-1]
				if _, err := fmt.Sscan(head, &g.name, &g.version, &score, &rating); err != nil {
					t.Fatalf("%s: %q: %v", file, head, err)
				}
				g.score = score + " " + rating
				continue
			}
			list[len(list)-1].read(line)
		}
	}
	return list
}

func (g *golden) read(line string) {
	words := strings.Fields(line)
	switch words[0] {
	case "!":
		for _, word := range words[1:] {
			field, exposure, _ := strings.Cut(word, "=")
			g.failed[field] = exposure
		}
	case "?":
		for _, word := range words[1:] {
			g.without[word] = true
		}
	default:
		g.lines = append(g.lines, line)
	}
}

func unitOf(t *testing.T, lines ...string) Unit {
	t.Helper()
	u := NewUnit()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		if err := u.Set(name, value); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return u
}

// Badness of settings with several degrees, from systemd's table.
func TestDegrees(t *testing.T) {
	tests := []struct {
		lines string // separated by ";"
		field string
		want  int // notApplicable where it is
	}{
		{"", "UserOrDynamicUser", 10},
		{"User=0", "UserOrDynamicUser", 10},
		{"User=root;DynamicUser=yes", "UserOrDynamicUser", 10},
		{"User=nobody", "UserOrDynamicUser", 9},
		{"User=65534", "UserOrDynamicUser", 0},
		{"DynamicUser=yes", "UserOrDynamicUser", 0},
		{"DynamicUser=yes", "ProtectSystem", 0},
		{"DynamicUser=yes", "ProtectHome", 5},
		{"DynamicUser=yes;ProtectHome=tmpfs", "ProtectHome", 1},
		{"ProtectHome=yes", "ProtectHome", 0},
		{"ProtectSystem=full", "ProtectSystem", 3},
		{"ProtectSystem=yes", "ProtectSystem", 5},
		{"ProtectSystem=yes;DefaultDependencies=no", "ProtectSystem", notApplicable},
		{"UMask=0000", "UMask", 10},
		{"UMask=0022", "UMask", 5},
		{"UMask=0007", "UMask", 2},
		{"UMask=0027", "UMask", 1},
		{"UMask=0077", "UMask", 0},
		{"ProtectProc=noaccess", "ProtectProc", 1},
		{"", "RemoveIPC", notApplicable},
		{"User=daemon", "RemoveIPC", 1},
		{"", "SupplementaryGroups", notApplicable},
		{"User=daemon;SupplementaryGroups=audio", "SupplementaryGroups", 1},
		{"User=daemon;SupplementaryGroups=audio;SupplementaryGroups=", "SupplementaryGroups", 0},
		{"IPAddressAllow=localhost", "IPAddressDeny", 10},
		{"IPAddressDeny=0.0.0.0/0", "IPAddressDeny", 10},
		{"IPAddressDeny=0.0.0.0/0 ::/0", "IPAddressDeny", 0},
		{"IPAddressDeny=any;IPAddressAllow=127.0.0.5/8 ::1", "IPAddressDeny", 2},
		{"IPAddressDeny=any;IPAddressAllow=localhost 192.0.2.1", "IPAddressDeny", 5},
		{"IPAddressDeny=any;IPAddressAllow=127.0.0.1/1", "IPAddressDeny", 5},
		{"IPEgressFilterPath=/sys/fs/bpf/x", "IPAddressDeny", 0},
		{"DeviceAllow=/dev/null rw", "DeviceAllow", 10},
		{"PrivateDevices=yes", "DeviceAllow", 0},
		{"PrivateDevices=yes;ProtectClock=yes", "DeviceAllow", 5},
		{"DevicePolicy=strict;RootImage=/x.raw", "DeviceAllow", 5},
		{"DevicePolicy=closed", "DeviceAllow", 0},
		{"SystemCallArchitectures=native native", "SystemCallArchitectures", 0},
		{"SystemCallArchitectures=x86-64", "SystemCallArchitectures", 8},
		{"", "SystemCallFilter_swap", 10},
		{"SystemCallFilter=~@clock", "SystemCallFilter_swap", 10},
		{"SystemCallFilter=~swapon", "SystemCallFilter_swap", 10},
		{"SystemCallFilter=~swapon swapoff", "SystemCallFilter_swap", 0},
		{"SystemCallFilter=swapon", "SystemCallFilter_swap", 9},
		{"SystemCallFilter=@known;SystemCallFilter=~@swap:EPERM", "SystemCallFilter_swap", 0},
		{"SystemCallFilter=~@swap;SystemCallFilter=swapoff", "SystemCallFilter_swap", 10},
		{"SystemCallFilter=~@swap;SystemCallFilter=@swap", "SystemCallFilter_clock", 10},
		{"SystemCallFilter=bdflush vm86", "SystemCallFilter_obsolete", 0}, // not on this machine
		{"RootDirectory=/", "RootDirectoryOrRootImage", 1},
		{"RestrictAddressFamilies=none", "RestrictAddressFamilies_OTHER", 0},
		{"RestrictAddressFamilies=~AF_INET", "RestrictAddressFamilies_AF_INET_INET6", 0},
		{"RestrictAddressFamilies=AF_INET", "RestrictAddressFamilies_AF_INET_INET6", 1},
		{"RestrictNamespaces=no", "RestrictNamespaces_user", 1},
		{"RestrictNamespaces=~user", "RestrictNamespaces_user", 0},
		{"RestrictNamespaces=~user", "RestrictNamespaces_net", 1},
		{"Delegate=memory", "Delegate", 1},
		{"Delegate=no", "Delegate", 0},
		{"NotifyAccess=exec", "NotifyAccess", 0},
		{"NotifyAccess=all", "NotifyAccess", 1},
	}
	for _, test := range tests {
		t.Run(test.lines+" "+test.field, func(t *testing.T) {
			r := Assess(unitOf(t, strings.Split(test.lines, ";")...), 257)
			for _, c := range r.Checks {
				if c.Field != test.field {
					continue
				}
				if got := c.Badness; c.Applies != (test.want != notApplicable) || c.Applies && got != test.want {
					t.Errorf("got %d (applies: %t), want %d: %s", got, c.Applies, test.want, c.Description)
				}
				return
			}
			t.Fatal("no such check")
		})
	}
}

// Versions differ in a few places.
func TestVersions(t *testing.T) {
	tests := []struct {
		line, field string
		good        map[int]bool
	}{
		{"", "PrivateMounts", map[int]bool{252: false, 253: false, 254: true, 262: true}},
		{"LoadCredentialEncrypted=a:/a", "DeviceAllow", map[int]bool{252: false, 257: false, 258: true}},
	}
	for _, test := range tests {
		for version, want := range test.good {
			u := unitOf(t, test.line)
			u.DevicePolicy = "closed"
			for _, c := range Assess(u, version).Checks {
				if c.Field == test.field && c.Good() != want {
					t.Errorf("%q, systemd %d: %s is good: %t, want %t", test.line, version, test.field, c.Good(), want)
				}
			}
		}
	}
}

// Every check has what is printed, and a weight.
func TestRules(t *testing.T) {
	if n := len(rules()); n != 81 {
		t.Errorf("%d checks, want 81", n)
	}
	fields := map[string]bool{}
	for _, early := range []bool{false, true} {
		for _, user := range []string{"root", "daemon"} {
			u := NewUnit()
			u.User, u.EarlyBoot = user, early
			for _, c := range Assess(u, 257).Checks {
				if c.Name == "" || c.Description == "" || c.Weight <= 0 || c.Range <= 0 || c.Badness > c.Range {
					t.Errorf("%+v", c)
				}
				fields[c.Field] = true
			}
		}
	}
	if len(fields) != 81 {
		t.Errorf("%d different fields, want 81", len(fields))
	}
}

func TestAssessChangesNothing(t *testing.T) {
	u := unitOf(t, "DynamicUser=yes", "PrivateDevices=yes", "ProtectClock=yes", "DeviceAllow=/dev/fuse")
	before := *u.Settings
	first := Assess(u, 257)
	if !reflect.DeepEqual(before, *u.Settings) || len(u.DeviceAllow) != 1 {
		t.Errorf("the unit changed:\n%+v\nwas:\n%+v", *u.Settings, before)
	}
	if diff := cmp.Diff(first, Assess(u, 257)); diff != "" {
		t.Errorf("a second look says something else:\n%s", diff)
	}
}

func TestRate(t *testing.T) {
	for score, want := range map[Score]Rating{0: Perfect, 1: Safe, 9: Safe, 10: OK, 49: OK, 50: Medium, 75: Exposed, 89: Exposed, 90: Unsafe, 100: Dangerous} {
		if got := rate(score); got != want {
			t.Errorf("%s: got %s, want %s", score, got, want)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	u := NewUnit()
	if err := u.Set("ProtectHome", "perhaps"); err == nil {
		t.Error("a wrong value was taken")
	}
	if err := u.Set("TasksMax", "7"); err != nil {
		t.Errorf("what no check looks at: %v", err)
	}
}

func BenchmarkAssess(b *testing.B) {
	u := NewUnit()
	for _, line := range []string{"@system-service", "~@privileged"} {
		if err := u.Set("SystemCallFilter", line); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		Assess(u, 257)
	}
}
