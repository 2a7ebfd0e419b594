package host

import (
	"strings"
	"testing"
)

func TestSuiteNamed(t *testing.T) {
	for _, test := range []struct {
		name    string
		systemd int
		err     string
	}{
		{name: "", systemd: 257},
		{name: "bookworm", systemd: 252},
		{name: "trixie", systemd: 257},
		{name: "forky", systemd: 262},
		{name: "sid", err: `cannot use suite "sid": known are bookworm, trixie, forky`},
	} {
		t.Run(test.name, func(t *testing.T) {
			suite, err := SuiteNamed(test.name)
			if err != nil && err.Error() != test.err || err == nil && test.err != "" {
				t.Fatalf("error: got %v, want %q", err, test.err)
			}
			if suite.Systemd != test.systemd {
				t.Errorf("got systemd %d, want %d", suite.Systemd, test.systemd)
			}
		})
	}
}

// A cached root is used only as long as its recipe is the current one.
func TestRootNameFollowsRecipe(t *testing.T) {
	names := map[string]string{}
	for _, suite := range append(Suites(), Suite{Name: "trixie", aptOptions: []string{"another"}}) {
		name := suite.rootName()
		if name != suite.rootName() {
			t.Errorf("%s has two root names", suite.Name)
		}
		if other, taken := names[name]; taken {
			t.Errorf("%s and %s share the root %s", suite.Name, other, name)
		}
		if !strings.HasPrefix(name, suite.Name+"-") {
			t.Errorf("root %s does not begin with its suite %s", name, suite.Name)
		}
		names[name] = suite.Name
	}
}

// Only the canary may be left out.
func TestOnlyNewestSuiteIsCanary(t *testing.T) {
	for i, suite := range Suites() {
		if last := i == len(Suites())-1; suite.Canary != last {
			t.Errorf("%s: canary is %v, want %v", suite.Name, suite.Canary, last)
		}
	}
}
