package launcher

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"berth/config"
	"berth/profiles"

	"github.com/google/go-cmp/cmp"
)

// parsed is a container of a file whose first lines are given here, with its
// profile under it.
func parsed(t *testing.T, text string) *config.Container {
	t.Helper()
	c, err := config.Parse("web.toml", []byte("process.command = ['/bin/web', 'a b']\n"+text), config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if errs := applyProfile(c, profiles.Search{}); len(errs) > 0 {
		t.Fatal(errs)
	}
	return c
}

// TestEquivalentService shows a whole file.
func TestEquivalentService(t *testing.T) {
	c := parsed(t, `
description = "half of it: 50%"
profile = "trusted"
root.directory = "/srv/root"
process.user = "www-data:web"
network.mode = "host"
[resources]
MemoryMax = "50%"
IPAddressDeny = ["any", "10.0.0.0/8"]
[sandbox]
PrivateUsers = "full"
PrivatePIDs = true
ReadOnlyPaths = "/a%b"
AmbientCapabilities = "CAP_NET_ADMIN CAP_KILL"`)
	got, err := EquivalentService(c, 252)
	if err != nil {
		t.Fatal(err)
	}
	want := `[Unit]
Description=half of it: 50%%
[Service]
ExecStart=/bin/web "a b"
User=www-data
Group=web
# [sandbox], the profile's settings first
MountAPIVFS=yes
PrivateTmp=yes
PrivateUsers=yes
# for systemd 257 and newer: PrivatePIDs=yes
ReadOnlyPaths=/a%%b
AmbientCapabilities=CAP_NET_ADMIN CAP_KILL
# [resources]
MemoryMax=50%
IPAddressDeny=any
IPAddressDeny=10.0.0.0/8
# its mount, PID and IPC namespaces are its own
PrivateMounts=yes
# for systemd 257 and newer: PrivatePIDs=yes
PrivateIPC=yes
# its host name is its own
# for systemd 258 and newer: ProtectHostname=private
# it sees control groups from its own down
# for systemd 257 and newer: ProtectControlGroups=private
# its root
RootDirectory=/srv/root
# no devices beyond pseudo devices
DevicePolicy=closed
# its /dev has pseudo devices only, and it can make no nodes
PrivateDevices=yes
# control groups below its own are its own
Delegate=yes
# capabilities that would reach the host's network are taken away
CapabilityBoundingSet=~CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW
AmbientCapabilities=
AmbientCapabilities=CAP_KILL
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestConstruction tells which lines what a container has by itself comes to.
func TestConstruction(t *testing.T) {
	tests := []struct {
		name, text string
		version    int
		with       string // lines, separated by spaces
		without    string // settings that the file lacks
	}{
		{"a bare container", "profile='trusted'", 262,
			"PrivateMounts=yes PrivatePIDs=yes PrivateIPC=yes PrivateUsers=yes PrivateTmp=yes PrivateDevices=yes PrivateNetwork=yes DevicePolicy=closed Delegate=yes ProtectHostname=private ProtectControlGroups=private",
			"RootDirectory User CapabilityBoundingSet"},
		{"the host's users", "profile='trusted'\nusers.map='host'", 257, "DevicePolicy=closed PrivateTmp=yes", "PrivateUsers PrivateDevices"},
		{"the host's network", "profile='trusted'\nnetwork.mode='host'", 257, "PrivateUsers=yes", "PrivateNetwork"},
		{"the host's /tmp", "profile='system'\n[[mounts]]\ntype='bind'\nsource='/tmp'\ntarget='/tmp'", 257, "PrivateDevices=yes", "PrivateTmp"},
		{"a tmpfs for /tmp", "profile='system'\n[[mounts]]\ntype='tmpfs'\ntarget='/tmp'", 257, "PrivateTmp=yes", ""},
		{"a device of the host", "profile='system'\n[[mounts]]\ntype='bind'\nsource='/dev/fuse'\ntarget='/dev/fuse'", 257, "PrivateTmp=yes", "PrivateDevices"},
		{"a device by a setting", "profile='system'\nsandbox.BindPaths='/dev/fuse'", 257, "PrivateTmp=yes", "PrivateDevices"},
		{"all devices", "profile='system'\nresources.DevicePolicy='auto'", 257, "DevicePolicy=auto", "PrivateDevices DevicePolicy=closed"},
		{"a policy of its own", "profile='system'\nresources.DevicePolicy='strict'", 257, "DevicePolicy=strict PrivateDevices=yes", "DevicePolicy=closed"},
		{"an older systemd", "profile='system'", 252, "PrivateIPC=yes", "PrivatePIDs ProtectHostname=private ProtectControlGroups=private"},
		{"stricter than by itself", "profile='system'\n[sandbox]\nProtectHostname='yes'\nProtectControlGroups='strict'", 262,
			"ProtectHostname=yes ProtectControlGroups=strict", "ProtectHostname=private ProtectControlGroups=private"},
		{"an init", "process.boot = true", 257, "ExecStart=/sbin/init", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text, err := EquivalentService(parsed(t, test.text), test.version)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(text, "\n")
			for line := range strings.FieldsSeq(test.with) {
				if !slices.ContainsFunc(lines, func(l string) bool { return l == line || strings.HasPrefix(l, line+" ") }) {
					t.Errorf("no line %s in\n%s", line, text)
				}
			}
			for line := range strings.FieldsSeq(test.without) {
				if slices.ContainsFunc(lines, func(l string) bool { return l == line || strings.HasPrefix(l, line+"=") }) {
					t.Errorf("a line %s in\n%s", line, text)
				}
			}
		})
	}
}

// Nothing in a file makes lines of its own.
func TestEquivalentServiceKeepsLines(t *testing.T) {
	c := parsed(t, "")
	c.Description = "x\n[Service]\nUser=root"
	c.Process.Command = []string{"/bin/sh", "-c", "echo $HOME %h\nExecStartPre=/bin/x", `a"\`, "", "\x1b[31m"}
	c.Sandbox = []config.Setting{{Name: "LogFilterPatterns", Values: []string{`100%\\`}}}
	c.Resources = []config.Setting{{Name: "Slice", Values: []string{"a.slice\nUser=root"}}}
	got, err := EquivalentService(c, 257)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(got, "# its mount")
	want := `[Unit]
Description=x [Service] User=root
[Service]
ExecStart=:/bin/sh -c "echo $HOME %%h\x0aExecStartPre=/bin/x" "a\"\\" "" "\x1b[31m"
# [sandbox], the profile's settings first
LogFilterPatterns=100%\\ ` + `
# [resources]
Slice=a.slice User=root
`
	if diff := cmp.Diff(want, head); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestExecStart(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"nginx"}, "nginx"},
		{[]string{"./web", "x"}, "/usr/bin/env -- ./web x"},
		{[]string{"-web"}, "/usr/bin/env -- -web"},
		{[]string{"/bin/a b", ";"}, `"/bin/a b" ";"`},
		{[]string{"/bin/ö", "ü"}, "/bin/ö ü"},
	}
	for _, test := range tests {
		if got := execStart(test.args); got != test.want {
			t.Errorf("%q: got %s, want %s", test.args, got, test.want)
		}
	}
}

func TestOlderWord(t *testing.T) {
	tests := []struct {
		assignment string
		version    int
		want       string
	}{
		{"PrivateTmp=disconnected", 256, "yes"},
		{"PrivateTmp=disconnected", 257, "disconnected"},
		{"PrivateTmp=no", 252, "no"},
		{"PrivateUsers=full", 257, "yes"},
		{"PrivateUsers=full", 258, "full"},
		{"PrivateUsers=identity", 257, "identity"},
		{"ProtectControlGroups=strict", 252, "yes"},
		{"ProtectHostname=private", 257, "yes"},
		{"ProtectHostname=private", 258, "private"},
		{"PrivateUsers=managed", 262, "yes"},
		{"ProtectHome=tmpfs", 252, "tmpfs"},
	}
	for _, test := range tests {
		name, value, _ := strings.Cut(test.assignment, "=")
		if got := olderWord(name, value, test.version); got != test.want {
			t.Errorf("%s, systemd %d: got %s, want %s", test.assignment, test.version, got, test.want)
		}
	}
}

// TestAssessSecurity: the profiles are in the order of how much they shut in.
func TestAssessSecurity(t *testing.T) {
	for _, version := range []int{252, 257, 262} {
		last := -1
		for _, profile := range []string{"strict", "nonetwork", "default", "trusted"} {
			s, err := AssessSecurity(parsed(t, fmt.Sprintf("profile = %q", profile)), version)
			if err != nil {
				t.Fatal(err)
			}
			if score := int(s.Report.Exposure); score <= last {
				t.Errorf("systemd %d: %s has %s, no more than the one before", version, profile, s.Report.Exposure)
			} else {
				last = score
			}
		}
	}
}

// What is wrong with a setting is told at its position.
func TestAssessSecurityRefuses(t *testing.T) {
	c := parsed(t, "[sandbox]\nProtectHome = 'perhaps'")
	_, err := AssessSecurity(c, 257)
	if err == nil || !strings.HasPrefix(err.Error(), "web.toml:3:1: sandbox.ProtectHome: ") {
		t.Errorf("got %v", err)
	}
	if _, err := EquivalentService(c, 257); err == nil {
		t.Error("it was rendered")
	}
}

func TestBeyond(t *testing.T) {
	tests := []struct {
		text         string
		has, hasNone string
	}{
		{"", "Its IDs are a block of their own", "root doesn't exist"},
		{"profile='trusted'\nusers.map='host'", "locks its mounts", "Its IDs"},
		{"process.user='1'\nusers.map_root=false", "root doesn't exist", "nothing of the kind"},
		{"root.directory='/srv/x'", "locks its mounts", "the host's tree"},
	}
	for _, test := range tests {
		text := strings.Join(beyond(parsed(t, test.text)), "\n")
		if !strings.Contains(text, test.has) || strings.Contains(text, test.hasNone) {
			t.Errorf("%s:\n%s", test.text, text)
		}
	}
}

func TestContainerOf(t *testing.T) {
	c, err := ContainerOf("strict")
	if err != nil || c.Name != "strict" || len(c.Sandbox) < 5 {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := ContainerOf("no-such-profile"); err == nil {
		t.Error("there is none, and no error")
	}
}

// What a score needs is the same once it has been written to the state, and what
// is secret isn't in it.
func TestStateKeepsScore(t *testing.T) {
	c := parsed(t, `
profile = "system"
root.directory = "/srv/root"
users.map_root = false
process.user = "www-data:web"
network.mode = "host"
[resources]
IPAddressDeny = ["any", "10.0.0.0/8"]
[sandbox]
SetCredential = "key:secret"
SystemCallFilter = ["@system-service", "~@mount"]
[[mounts]]
type = "bind"
source = "/dev/fuse"
target = "/dev/fuse"`)
	data, err := json.Marshal(State{Container: withoutSecrets(c)})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "secret") {
		t.Errorf("a secret in %s", data)
	}
	var state State
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatal(err)
	}
	want, err := EquivalentService(c, 257)
	if err != nil {
		t.Fatal(err)
	}
	got, err := EquivalentService(state.Container, 257)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(want, "SetCredential=key:secret\n", ""), got); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	if diff := cmp.Diff(beyond(c), beyond(state.Container)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}
