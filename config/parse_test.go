package config

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// whole is a file with every key of the format that this version takes.
const whole = `name        = "web"
description = "nginx serving /srv/www"
profile     = "strict"

[root]
directory = "/var/lib/machines/web"
volatile  = "no"
read_only = true

[process]
command     = ["/usr/sbin/nginx", "-g", "daemon off;"]
environment = { LANG = "C.UTF-8", PORT = 8080 }
user        = "www-data"
working_directory = "/srv"
hostname    = "www.example.org"
terminal    = false
boot        = false
stop_signal = "QUIT"

[users]
map      = 1048576
size     = 1024
map_root = false

[[mounts]]
type      = "bind"
source    = "/srv/www"
target    = "/srv/www"
read_only = true
idmap     = "identity"
options   = ["noexec", "dev", "rbind"]

[[mounts]]
type    = "tmpfs"
target  = "/scratch"
options = ["size=1.5M", "mode=1777", "nr_inodes=1K"]

[[mounts]]
type   = "overlay"
source = "/opt/site:/opt/base"
upper  = "/var/lib/site/upper"
work   = "/var/lib/site/work"
target = "/opt"

[resources]
MemoryMax      = "256M"
TasksMax       = 200
CPUWeight      = 0.5
Delegate       = true
IPAddressDeny  = ["any"]
IPAddressAllow = ["localhost", "192.0.2.0/24"]
DeviceAllow    = []

[sandbox]
SystemCallFilter = ["@system-service", "~@privileged"]
ProtectHome      = "tmpfs"
NoNewPrivileges  = true
UMask            = "0027"
CapabilityBoundingSet = ""

[mountguard]
enabled            = false
immutable_remounts = "allow"
immutable_unmounts = "deny"

[network]
mode = "host"
`

func TestParseWhole(t *testing.T) {
	no := false
	want := &Container{
		File:        "web.toml",
		Name:        "web",
		Description: "nginx serving /srv/www",
		Profile:     "strict",
		Root:        Root{Directory: "/var/lib/machines/web", Volatile: VolatileNo, ReadOnly: true},
		Process: Process{
			Command:          []string{"/usr/sbin/nginx", "-g", "daemon off;"},
			Environment:      map[string]string{"LANG": "C.UTF-8", "PORT": "8080"},
			User:             "www-data",
			WorkingDirectory: "/srv",
			Hostname:         "www.example.org",
			Terminal:         &no,
			StopSignal:       "SIGQUIT",
		},
		Users: Users{Map: "base", Base: 1048576, Size: 1024},
		Mounts: []Mount{
			{Type: "bind", Source: "/srv/www", Target: "/srv/www", ReadOnly: true, IDMap: "identity",
				Options: []string{"nosuid", "noexec", "dev", "rbind"}},
			{Type: "tmpfs", Target: "/scratch", Options: []string{"nosuid", "nodev", "size=1572864", "mode=01777", "nr_inodes=1024"}},
			{Type: "overlay", Lower: []string{"/opt/site", "/opt/base"}, Upper: "/var/lib/site/upper",
				Work: "/var/lib/site/work", Target: "/opt", IDMap: "owner", Options: []string{"nosuid", "nodev"}},
		},
		Resources: []Setting{
			{"MemoryMax", []string{"256M"}, Position{"web.toml", 46, 1}},
			{"TasksMax", []string{"200"}, Position{"web.toml", 47, 1}},
			{"CPUWeight", []string{"0.5"}, Position{"web.toml", 48, 1}},
			{"Delegate", []string{"yes"}, Position{"web.toml", 49, 1}},
			{"IPAddressDeny", []string{"any"}, Position{"web.toml", 50, 1}},
			{"IPAddressAllow", []string{"localhost", "192.0.2.0/24"}, Position{"web.toml", 51, 1}},
			{"DeviceAllow", []string{""}, Position{"web.toml", 52, 1}},
		},
		Sandbox: []Setting{
			{"SystemCallFilter", []string{"@system-service", "~@privileged"}, Position{"web.toml", 55, 1}},
			{"ProtectHome", []string{"tmpfs"}, Position{"web.toml", 56, 1}},
			{"NoNewPrivileges", []string{"yes"}, Position{"web.toml", 57, 1}},
			{"UMask", []string{"0027"}, Position{"web.toml", 58, 1}},
			{"CapabilityBoundingSet", []string{""}, Position{"web.toml", 59, 1}},
		},
		MountGuard: MountGuard{Remounts: Allow, Unmounts: Deny},
		Network:    Network{Mode: "host"},
	}
	got, err := Parse("web.toml", []byte(whole), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, got, want)
}

func TestParseDefaults(t *testing.T) {
	tests := []struct {
		name, file, text string
		want             *Container
	}{
		{
			"of the host's tree", "/etc/berth/hello.toml", `process.command = ["true"]`,
			&Container{
				Name:       "hello",
				Profile:    "default",
				Root:       Root{Volatile: VolatileOverlay},
				Process:    Process{Command: []string{"true"}, WorkingDirectory: "/", Hostname: "hello", StopSignal: "SIGTERM"},
				Users:      Users{Map: "auto", Size: 65536, MapRoot: true},
				MountGuard: MountGuard{Enabled: true, Remounts: Deny, Unmounts: Allow},
				Network:    Network{Mode: "private"},
			},
		},
		{
			"of a directory that boots", "x", "name='deb-'\nroot.directory='/srv/deb'\nprocess.boot=true",
			&Container{
				Name:       "deb-",
				Profile:    "system",
				Root:       Root{Directory: "/srv/deb", Volatile: VolatileNo},
				Process:    Process{Boot: true, WorkingDirectory: "/", Hostname: "deb", StopSignal: "SIGRTMIN+3"},
				Users:      Users{Map: "auto", Size: 65536, MapRoot: true},
				MountGuard: MountGuard{Enabled: true, Remounts: Deny, Unmounts: Allow},
				Network:    Network{Mode: "private"},
			},
		},
		{
			"of mounts", "x.toml", `
				process.command = ["true"]
				mounts = [
					{ type = "bind", source = "/a", target = "/a" },
					{ type = "bind", source = "/b", target = "/b", options = ["suid", "dev"] },
					{ type = "overlay", source = ["/c", "/d"], target = "/c" },
					{ type = "tmpfs", target = "/e" },
				]`,
			&Container{
				Name:    "x",
				Profile: "default",
				Root:    Root{Volatile: VolatileOverlay},
				Process: Process{Command: []string{"true"}, WorkingDirectory: "/", Hostname: "x", StopSignal: "SIGTERM"},
				Users:   Users{Map: "auto", Size: 65536, MapRoot: true},
				Mounts: []Mount{
					{Type: "bind", Source: "/a", Target: "/a", IDMap: "owner", Options: []string{"nosuid", "nodev"}},
					{Type: "bind", Source: "/b", Target: "/b", IDMap: "owner", Options: []string{"suid", "dev"}},
					{Type: "overlay", Lower: []string{"/c", "/d"}, Target: "/c", IDMap: "owner", Options: []string{"nosuid", "nodev"}},
					{Type: "tmpfs", Target: "/e", Options: []string{"nosuid", "nodev"}},
				},
				MountGuard: MountGuard{Enabled: true, Remounts: Deny, Unmounts: Allow},
				Network:    Network{Mode: "private"},
			},
		},
		{
			"of the host's IDs", "x", "name='x'\nprocess.command=['a']\nusers.map='host'",
			&Container{
				Name:       "x",
				Profile:    "default",
				Root:       Root{Volatile: VolatileOverlay},
				Process:    Process{Command: []string{"a"}, WorkingDirectory: "/", Hostname: "x", StopSignal: "SIGTERM"},
				Users:      Users{Map: "host", MapRoot: true},
				MountGuard: MountGuard{Remounts: Deny, Unmounts: Allow},
				Network:    Network{Mode: "private"},
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse(test.file, []byte(test.text), Overrides{})
			if err != nil {
				t.Fatal(err)
			}
			test.want.File = test.file
			compare(t, got, test.want)
		})
	}
}

// TestParseAccepts holds right files that a too strict check would refuse.
func TestParseAccepts(t *testing.T) {
	tests := []struct{ name, text string }{
		{"a byte order mark", "\ufeffprocess.command=['a']"},
		{"Windows line ends", "[process]\r\ncommand=['a']\r\n"},
		{"an argument of lines", "process.command=['sh', '-c', '''\nls\nid\n''']"},
		{"an empty argument", "process.command=['echo', '']"},
		{"a variable of lines", "process.command=['a']\nprocess.environment.KEY=\"a\\nb\""},
		{"volatile as a boolean", "process.command=['a']\nroot.volatile=true"},
		{"idmap as a boolean", "process.command=['a']\nmounts=[{type='bind', source='/a', target='/a', idmap=false}]"},
		{"the host's tree read-only", "process.command=['a']\nroot={volatile='no', read_only=true}"},
		{"a user by number", "process={command=['a'], user=1000}"},
		{"a user and a group by number", "process={command=['a'], user='1000:1000'}"},
		{"a user and a group by name", "process={command=['a'], user='www-data:adm'}"},
		{"a Samba account", "process={command=['a'], user='host$'}"},
		{"a signal by number", "process={command=['a'], stop_signal=15}"},
		{"no root inside", "process={command=['a'], user='65534'}\nusers.map_root=false"},
		{"arguments for an init", "process={command=['--unit=rescue.target'], boot=true}"},
		{"no block", "process={command=['a'], user=700000}\nusers.map='host'"},
		{"no locks", "process.command=['a']\nusers.map='host'\nmountguard={enabled=false, immutable_remounts='allow', immutable_unmounts='allow'}"},
		{"the last block", "process.command=['a']\nusers.map=1878982656"},
		{"a target that only begins as /proc does", "process.command=['a']\nmounts=[{type='tmpfs', target='/process'}]"},
		{"a path with dots in names", "process={command=['a'], working_directory='/a..b/...'}"},
		{"an overlay of one directory", "process.command=['a']\nmounts=[{type='overlay', source='/a', target='/a'}]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Parse("x.toml", []byte(test.text), Overrides{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestParseProfilePaths holds where a file's path to a profile begins.
func TestParseProfilePaths(t *testing.T) {
	tests := []struct{ name, file, profile, want string }{
		{"beside the file", "/etc/berth/web.toml", "./mine.toml", "/etc/berth/mine.toml"},
		{"without a slash", "/etc/berth/web.toml", "mine.toml", "/etc/berth/mine.toml"},
		{"above the file", "/etc/berth/web.toml", "../p/mine", "/etc/p/mine"},
		{"absolute", "web.toml", "/srv/mine", "/srv/mine"},
		{"of a relative file", "web.toml", "./mine", "./mine"},
		{"of a relative file in a directory", "a/web.toml", "mine.toml", "a/mine.toml"},
		{"a name", "a/web.toml", "mine", "mine"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse(test.file, []byte("process.command=['a']\nprofile='"+test.profile+"'"), Overrides{})
			if err != nil {
				t.Fatal(err)
			}
			if c.Profile != test.want {
				t.Errorf("got %q, want %q", c.Profile, test.want)
			}
		})
	}
}

// TestParseNumbers holds that what systemd reads as octal or hexadecimal is
// what was meant.
func TestParseNumbers(t *testing.T) {
	const text = "process.command=['a']\n[sandbox]\nA=0o0_27\nB=0x33\nC=[1_000, 0o17]\nD='0o7'\n[resources]\nF=0o17"
	c, err := Parse("x.toml", []byte(text), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, s := range slices.Concat(c.Sandbox, c.Resources) {
		got[s.Name] = s.Values
	}
	want := map[string][]string{"A": {"0027"}, "B": {"0x33"}, "C": {"1000", "017"}, "D": {"0o7"}, "F": {"15"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPos(t *testing.T) {
	c, err := Parse("web.toml", []byte(whole+"\n[process.extra]\n"), Overrides{Set: []string{"users.size=2048"}})
	if err == nil {
		t.Fatal("[process.extra] is taken")
	}
	tests := []struct{ key, want string }{
		{"name", "web.toml:1:1"},
		{"root", "web.toml:5:2"},
		{"root.directory", "web.toml:6:1"},
		{"root.nothing", "web.toml:5:2"},
		{"process.command", "web.toml:11:1"},
		{"process.command[2]", "web.toml:11:41"},
		{"process.command[9]", "web.toml:11:1"},
		{"process.environment", "web.toml:12:1"},
		{"process.environment.PORT", "web.toml:12:35"},
		{"process.extra", "web.toml:69:10"},
		{"mounts", "web.toml:25:3"},
		{"mounts[0]", "web.toml:25:3"},
		{"mounts[0].source", "web.toml:27:1"},
		{"mounts[0].options[1]", "web.toml:31:24"},
		{"mounts[1]", "web.toml:33:3"},
		{"mounts[1].target", "web.toml:35:1"},
		{"mounts[1].source", "web.toml:33:3"},
		{"mounts[2].work", "web.toml:42:1"},
		{"resources.IPAddressAllow[1]", "web.toml:51:32"},
		{"users.size", "-p users.size=2048"},
		{"sandbox.ProtectSystem", "web.toml:54:2"},
		{"mountguard.immutable_unmounts", "web.toml:64:1"},
		{"service.Restart", "web.toml"},
		{"", "web.toml"},
	}
	for _, test := range tests {
		t.Run(test.key, func(t *testing.T) {
			if got := c.Pos(test.key).String(); got != test.want {
				t.Errorf("Pos(%q) = %s, want %s", test.key, got, test.want)
			}
		})
	}
}

func compare(t *testing.T, got, want *Container) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Container{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
