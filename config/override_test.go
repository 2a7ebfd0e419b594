package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const small = `name = "web"
[process]
command = ["a", "b"]
user = "www"
[resources]
MemoryMax = "1M"
TasksMax = 5
`

func TestOverrides(t *testing.T) {
	tests := []struct {
		name string
		o    Overrides
		got  func(*Container) any
		want any
	}{
		{"name", Overrides{Name: "x"}, func(c *Container) any { return c.Name }, "x"},
		{"name and not -p name", Overrides{Name: "x", Set: []string{"name=y"}}, func(c *Container) any { return c.Name }, "x"},
		{"hostname follows the name", Overrides{Name: "x"}, func(c *Container) any { return c.Process.Hostname }, "x"},
		{"command", Overrides{Command: []string{"c"}}, func(c *Container) any { return c.Process.Command }, []string{"c"}},
		{"command and not -p", Overrides{Command: []string{"c"}, Set: []string{"process.command=['d']"}},
			func(c *Container) any { return c.Process.Command }, []string{"c"}},
		{"an array", Overrides{Set: []string{`process.command=["/bin/sh"]`}}, func(c *Container) any { return c.Process.Command }, []string{"/bin/sh"}},
		{"a string without quotes", Overrides{Set: []string{"process.user=root"}}, func(c *Container) any { return c.Process.User }, "root"},
		{"a string with quotes", Overrides{Set: []string{"process.hostname='5'"}}, func(c *Container) any { return c.Process.Hostname }, "5"},
		{"a string with =", Overrides{Set: []string{"description=a=b"}}, func(c *Container) any { return c.Description }, "a=b"},
		{"a number", Overrides{Set: []string{"users.size=1024"}}, func(c *Container) any { return c.Users.Size }, uint32(1024)},
		{"a boolean", Overrides{Set: []string{"root.read_only=true"}}, func(c *Container) any { return c.Root.ReadOnly }, true},
		{"a key of a table that is not there", Overrides{Set: []string{"mountguard.enabled=false", "mountguard.immutable_unmounts=deny"}}, func(c *Container) any { return c.MountGuard }, MountGuard{Remounts: Deny, Unmounts: Deny}},
		{"a table", Overrides{Set: []string{"process.environment={A='b'}"}}, func(c *Container) any { return c.Process.Environment }, map[string]string{"A": "b"}},
		{"a key in a table", Overrides{Set: []string{"process.environment.A=b"}}, func(c *Container) any { return c.Process.Environment }, map[string]string{"A": "b"}},
		{"all mounts", Overrides{Set: []string{"mounts=[{type='tmpfs', target='/a'}]"}}, func(c *Container) any { return c.Mounts }, []Mount{{Type: "tmpfs", Target: "/a", Options: []string{"nosuid", "nodev"}}}},
		{"the last one for a key", Overrides{Set: []string{"description=a", "description=b"}}, func(c *Container) any { return c.Description }, "b"},
		{"a setting", Overrides{Set: []string{"MemoryMax=1G"}}, resources, []Setting{
			{"MemoryMax", []string{"1G"}, Position{File: "-p MemoryMax=1G"}},
			{"TasksMax", []string{"5"}, Position{"x.toml", 7, 1}}}},
		{"a setting with its table", Overrides{Set: []string{"resources.CPUWeight=7"}}, resources, []Setting{
			{"CPUWeight", []string{"7"}, Position{File: "-p resources.CPUWeight=7"}},
			{"MemoryMax", []string{"1M"}, Position{"x.toml", 6, 1}},
			{"TasksMax", []string{"5"}, Position{"x.toml", 7, 1}}}},
		{"profile", Overrides{Profile: "strict"}, profileOf, "strict"},
		{"profile and not -p profile", Overrides{Profile: "strict", Set: []string{"profile=trusted"}}, profileOf, "strict"},
		{"a profile beside the working directory", Overrides{Profile: "mine.toml"}, profileOf, "./mine.toml"},
		{"a profile above the working directory", Overrides{Set: []string{"profile=../mine.toml"}}, profileOf, "../mine.toml"},
		{"a setting of another table", Overrides{Set: []string{"ProtectHome=tmpfs"}, Table: func(string) string { return "sandbox" }},
			func(c *Container) any { return c.Sandbox },
			[]Setting{{"ProtectHome", []string{"tmpfs"}, Position{File: "-p ProtectHome=tmpfs"}}}},
		{"an octal number", Overrides{Set: []string{"sandbox.UMask=7", "sandbox.UMask=0o027"}},
			func(c *Container) any { return c.Sandbox },
			[]Setting{{"UMask", []string{"0027"}, Position{File: "-p sandbox.UMask=0o027"}}}},
		{"a number after an octal one", Overrides{Set: []string{"sandbox.UMask=0o027", "sandbox.UMask=7"}},
			func(c *Container) any { return c.Sandbox },
			[]Setting{{"UMask", []string{"7"}, Position{File: "-p sandbox.UMask=7"}}}},
		{"octal numbers in an array", Overrides{Set: []string{"sandbox.A=[0o7, 0x33, 8]"}},
			func(c *Container) any { return c.Sandbox },
			[]Setting{{"A", []string{"07", "0x33", "8"}, Position{File: "-p sandbox.A=[0o7, 0x33, 8]"}}}},
		{"a setting reset", Overrides{Set: []string{"TasksMax=", "MemoryMax=[]"}}, resources, []Setting{
			{"MemoryMax", []string{""}, Position{File: "-p MemoryMax=[]"}},
			{"TasksMax", []string{""}, Position{File: "-p TasksMax="}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("x.toml", []byte(small), test.o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, test.got(c)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func resources(c *Container) any { return c.Resources }

func profileOf(c *Container) any { return c.Profile }

func TestOverridesWrong(t *testing.T) {
	tests := []struct {
		name string
		o    Overrides
		want string
	}{
		{"name", Overrides{Name: "X"}, `--name X: name: "X" is no valid name: it takes 1 to 63 of a-z, 0-9 and -, not beginning with -`},
		{"profile", Overrides{Profile: "X"}, `--profile X: profile: "X" is no valid name of a profile, which takes a-z, 0-9 and -; a path has a / or ends in .toml`},
		{"no =", Overrides{Set: []string{"MemoryMax"}}, "-p MemoryMax: must be KEY=VALUE, with a key such as process.user or MemoryMax"},
		{"no key", Overrides{Set: []string{"=1"}}, "-p =1: must be KEY=VALUE, with a key such as process.user or MemoryMax"},
		{"an element as key", Overrides{Set: []string{"mounts[0].type=bind"}}, "-p mounts[0].type=bind: must be KEY=VALUE, with a key such as process.user or MemoryMax"},
		{"an unknown key", Overrides{Set: []string{"procses.user=a"}}, `-p procses.user=a: procses: unknown key, did you mean "process"?`},
		{"an unknown key in a table", Overrides{Set: []string{"process.usr=a"}}, `-p process.usr=a: process.usr: unknown key, did you mean "user"?`},
		{"a key in a value", Overrides{Set: []string{"name.x=a"}}, "-p name.x=a: name.x: cannot be set: name is not a table"},
		{"a wrong type", Overrides{Set: []string{"users.size=many"}}, "-p users.size=many: users.size: must be an integer, not a string"},
		{"a wrong element", Overrides{Set: []string{"process.command=[1]"}}, "-p process.command=[1]: process.command[0]: must be a string, not an integer"},
		{"a wrong argument", Overrides{Command: []string{"a", "\x00"}}, "the command after --: process.command[1]: must not contain a NUL"},
		{"another key smuggled in", Overrides{Set: []string{"CPUWeight=1\nprocess={}"}},
			`-p CPUWeight=1�process={}: resources.CPUWeight: must not contain a control character, as "1\nprocess={}" does`},
		{"a setting with a newline", Overrides{Set: []string{"CPUWeight=1\nExecStart=/x"}},
			`-p CPUWeight=1�ExecStart=/x: resources.CPUWeight: must not contain a control character, as "1\nExecStart=/x" does`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("x.toml", []byte(small), test.o)
			wantError(t, err, test.want)
		})
	}
}

// TestOverridesForgetTheFile holds that no position of a replaced value stays.
func TestOverridesForgetTheFile(t *testing.T) {
	c, err := Parse("x.toml", []byte(small), Overrides{Command: []string{"c"}, Set: []string{"root={directory='/a'}"}})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"process.command":    "the command after --",
		"process.command[1]": "the command after --",
		"root.directory":     "-p root={directory='/a'}",
		"process.user":       "x.toml:4:1",
	} {
		if got := c.Pos(key).String(); got != want {
			t.Errorf("Pos(%q) = %s, want %s", key, got, want)
		}
	}
}
