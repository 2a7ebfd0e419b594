package launcher

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/config"
	"berth/profiles"

	"github.com/google/go-cmp/cmp"
)

// profilesHere makes profiles and works beside them.
func profilesHere(t *testing.T, files map[string]string) profiles.Search {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return profiles.Search{Dirs: []string{"etc"}}
}

func lines(settings []config.Setting) []string {
	var out []string
	for _, s := range settings {
		out = append(out, fmt.Sprintf("%s=%s %s", s.Name, strings.Join(s.Values, "|"), s.Pos))
	}
	return out
}

func TestApplyProfile(t *testing.T) {
	search := profilesHere(t, map[string]string{
		"etc/base.toml": "sandbox.UMask='1'\n[resources]\nTasksMax=1\nIPAddressDeny='any'\nCPUWeight=5",
		"etc/web.toml":  "extends='base'\nsandbox.UMask='2'\n[resources]\nTasksMax=2\nIPAddressDeny=['', '192.0.2.0/24']",
	})
	c, err := config.Parse("x.toml", []byte("process.command=['a']\nprofile='web'\nsandbox.UMask='3'\n[resources]\nTasksMax=3\nIPAddressDeny='::/0'\nMemoryMax=1"), config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if errs := applyProfile(c, search); errs != nil {
		t.Fatal(errs)
	}
	if diff := cmp.Diff([]string{"UMask=1 etc/base.toml:1:9", "UMask=2 etc/web.toml:2:9", "UMask=3 x.toml:3:9"}, lines(c.Sandbox)); diff != "" {
		t.Errorf("[sandbox]: -want +got\n%s", diff)
	}
	want := []string{"TasksMax=1|2|3 x.toml:5:1", "IPAddressDeny=any||192.0.2.0/24|::/0 x.toml:6:1", "CPUWeight=5 etc/base.toml:5:1", "MemoryMax=1 x.toml:7:1"}
	if diff := cmp.Diff(want, lines(c.Resources)); diff != "" {
		t.Errorf("[resources]: -want +got\n%s", diff)
	}
}

func TestApplyProfileWrong(t *testing.T) {
	search := profilesHere(t, map[string]string{
		"etc/wrong.toml": "[resources]\nTasksMax='many'\nProtectHome=true\nUser='a'\nRestart='no'\nTaskMax=1\nCPUWeight=5",
		"etc/torn.toml":  "a = 1",
		"etc/easy.toml":  "extends='trusted'",
	})
	tests := []struct{ name, text, want string }{
		{"not there", "profile='strct'", `x.toml:2:1: profile: cannot find the profile "strct": it is not built in, and there is neither etc/strct.toml; did you mean "strict"?`},
		{"wrong itself", "profile='torn'", "etc/torn.toml:1:1: a: unknown key"},
		{"the host's users", "users.map='host'", `x.toml:2:7: users.map: "host" needs the profile trusted, or one that extends it`},
		{"the host's users with another", "users.map='host'\nprofile='strict'", `x.toml:2:7: users.map: "host" needs the profile trusted, or one that extends it`},
		{"the host's users with trusted", "users.map='host'\nprofile='trusted'", ""},
		{"the host's users with one that extends it", "users.map='host'\nprofile='easy'", ""},
		{"wrong resources", "profile='wrong'", strings.Join([]string{
			`etc/wrong.toml:2:1: resources.TasksMax: must be a number of tasks, a percentage below 100% or infinity, not "many"`,
			"etc/wrong.toml:3:1: resources.ProtectHome: is a sandbox setting: it belongs in [sandbox]",
			"etc/wrong.toml:4:1: resources.User: the payload's user is process.user",
			"etc/wrong.toml:5:1: resources.Restart: a scope does not take it: it is a setting of services; it belongs in [service]",
			`etc/wrong.toml:6:1: resources.TaskMax: unknown setting: did you mean "TasksMax"?`}, "\n")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := config.Parse("x.toml", []byte("process.command=['a']\n"+test.text), config.Overrides{})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if errs := applyProfile(c, search); errs != nil {
				got = errs.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if test.name == "wrong resources" && len(c.Resources) != 1 {
				t.Errorf("resources are %v, want the right one", lines(c.Resources))
			}
		})
	}
}

func TestSettingTable(t *testing.T) {
	for name, want := range map[string]string{
		"MemoryMax": "resources", "TasksMax": "resources", "KillMode": "resources",
		"ProtectHome": "sandbox", "UMask": "sandbox", "User": "sandbox",
		"MemoryMx": "resources", "ProtectHme": "sandbox", "Quux": "resources", "Restart": "resources",
	} {
		if got := settingTable(name); got != want {
			t.Errorf("%s stands in [%s], want [%s]", name, got, want)
		}
	}
}

func TestSandboxError(t *testing.T) {
	for name, want := range map[string]string{
		"MemoryMax":  "is a setting of the unit: it belongs in [resources]",
		"Restart":    "a scope does not take it: it is a setting of services; it belongs in [service]",
		"ProtectHme": `unknown setting: did you mean "ProtectHome"?`,
		"User":       "the payload's user is process.user",
	} {
		_, errs := parseSandbox(&config.Container{Sandbox: []config.Setting{{Name: name, Values: []string{"1"}}}})
		if len(errs) != 1 || errs[0].Msg != want {
			t.Errorf("%s: got %v, want %s", name, errs, want)
		}
	}
}

func TestLoadProfile(t *testing.T) {
	search := profilesHere(t, map[string]string{
		"etc/wrong.toml": "[resources]\nTaskMax=1\n[sandbox]\nUMask='8'\nMemoryMax=1",
	})
	_, err := loadProfile(search, "wrong")
	if err == nil || !strings.HasPrefix(err.Error(), `etc/wrong.toml:2:1: resources.TaskMax: unknown setting: did you mean "TasksMax"?`+"\netc/wrong.toml:4:1: sandbox.UMask: ") ||
		!strings.HasSuffix(err.Error(), "\netc/wrong.toml:5:1: sandbox.MemoryMax: is a setting of the unit: it belongs in [resources]") {
		t.Errorf("got %v", err)
	}
	for _, name := range (profiles.Search{}).Names() {
		if _, err := loadProfile(profiles.Search{}, name); err != nil {
			t.Errorf("the built-in profile %s: %v", name, err)
		}
	}
}

func TestEffective(t *testing.T) {
	search := profilesHere(t, map[string]string{
		"etc/base.toml": "sandbox={UMask='1', CapabilityBoundingSet='CAP_CHOWN', ReadOnlyPaths='/a'}\nresources={TasksMax=1, IPAddressDeny='any', IPAddressAllow='localhost'}",
		"etc/web.toml":  "extends='base'\nsandbox={UMask='2', CapabilityBoundingSet='', ReadOnlyPaths='/b'}\nresources={TasksMax=2, IPAddressDeny='', IPAddressAllow='192.0.2.1'}",
	})
	p, err := loadProfile(search, "web")
	if err != nil {
		t.Fatal(err)
	}
	names := func(settings []config.Setting) []string {
		var out []string
		for _, s := range settings {
			out = append(out, s.Name+"="+strings.Join(s.Values, "|"))
		}
		slices.Sort(out)
		return out
	}
	if diff := cmp.Diff([]string{"CapabilityBoundingSet=", "ReadOnlyPaths=/a", "ReadOnlyPaths=/b", "UMask=2"}, names(EffectiveSandbox(p))); diff != "" {
		t.Errorf("[sandbox]: -want +got\n%s", diff)
	}
	want := []string{"IPAddressAllow=192.0.2.1", "IPAddressAllow=localhost", "IPAddressDeny=", "TasksMax=2"}
	if diff := cmp.Diff(want, names(EffectiveResources(p))); diff != "" {
		t.Errorf("[resources]: -want +got\n%s", diff)
	}
}
