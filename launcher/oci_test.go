package launcher

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"berth/units"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// planOf plans a file on the golden host. A command stands in front of text.
func planOf(t *testing.T, text string) *Plan {
	t.Helper()
	c := parse(t, "process.command = ['true']\n"+text)
	p, err := MakePlan(c, goldenHost(c), goldenBlock, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOCIUser(t *testing.T) {
	tests := []struct {
		spec     string
		uid, gid uint32
		known    bool
	}{
		{"", 0, 0, true},
		{"root", 0, 0, true},
		{"0", 0, 0, true},
		{"0:5", 0, 5, true},
		{"1000:100", 1000, 100, true},
		{"1000", 1000, noUser, false},
		{"www-data", noUser, noUser, false},
		{"www-data:33", noUser, 33, false},
		{"1000:www-data", 1000, noUser, false},
		{"root:adm", 0, noUser, false},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			user, known := ociUser(test.spec)
			if user.UID != test.uid || user.GID != test.gid || known != test.known {
				t.Errorf("got %d:%d, known %v", user.UID, user.GID, known)
			}
		})
	}
}

// A spec that says less than the plan must allow less, not more.
func TestOCICapabilities(t *testing.T) {
	root := planOf(t, "").OCI().Process
	if diff := cmp.Diff(root.Capabilities.Bounding, root.Capabilities.Effective); diff != "" || len(root.Capabilities.Effective) == 0 {
		t.Errorf("root does not have what its bounding set leaves (-bounding +effective):\n%s", diff)
	}
	for _, user := range []string{"1000:1000", "www-data"} {
		c := planOf(t, "process.user = '"+user+"'").OCI().Process.Capabilities
		if len(c.Effective)+len(c.Permitted)+len(c.Inheritable)+len(c.Ambient) > 0 {
			t.Errorf("user %s has capabilities: %v", user, c)
		}
		if len(c.Bounding) == 0 {
			t.Errorf("user %s has no bounding set", user)
		}
	}
}

func TestOCIRoot(t *testing.T) {
	tests := []struct {
		name, text string
		want       specs.Root
		annotated  bool
	}{
		{"a directory", "root.directory = '/srv/a'", specs.Root{Path: "/srv/a"}, false},
		{"a directory, read-only", "root = {directory = '/srv/a', read_only = true}", specs.Root{Path: "/srv/a", Readonly: true}, false},
		{"a directory, new /var", "root = {directory = '/srv/a', volatile = 'state'}", specs.Root{Path: "/srv/a", Readonly: true}, false},
		{"a directory under an overlay", "root = {directory = '/srv/a', volatile = 'overlay'}", specs.Root{Path: "/srv/a", Readonly: true}, true},
		{"only /usr", "root = {directory = '/srv/a', volatile = 'yes'}", specs.Root{Path: "/srv/a", Readonly: true}, true},
		{"the host's tree", "", specs.Root{Path: "/", Readonly: true}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := planOf(t, test.text).OCI()
			if diff := cmp.Diff(&test.want, spec.Root); diff != "" {
				t.Error(diff)
			}
			if _, annotated := spec.Annotations[annotateRoot]; annotated != test.annotated {
				t.Errorf("annotated: %v", annotated)
			}
		})
	}
}

// What an overlay hides is hidden in the rendering too.
func TestOCIHidesWhatTheOverlayHides(t *testing.T) {
	masked := planOf(t, "").OCI().Linux.MaskedPaths
	for _, path := range hiddenOfHost {
		if strings.Contains(path, "*") == slices.Contains(masked, path) {
			t.Errorf("%s: masked is %v", path, slices.Contains(masked, path))
		}
	}
}

func TestOCIMount(t *testing.T) {
	mapping := func(disk, host, size uint32) []specs.LinuxIDMapping {
		return []specs.LinuxIDMapping{{ContainerID: disk, HostID: host, Size: size}}
	}
	all := mapping(0, goldenBlock.Base, goldenBlock.Size)
	owner := mapping(1000, goldenBlock.Base, 1)
	tests := []struct {
		name, text string
		want       specs.Mount
	}{
		{"a tree", "type='bind'\nsource='/s'\nread_only=true",
			specs.Mount{Type: "bind", Source: "/s", UIDMappings: owner, GIDMappings: owner,
				Options: []string{"rbind", "rprivate", "rro", "rnosuid", "rnodev", "ridmap"}}},
		{"one mount", "type='bind'\nsource='/s'\noptions=['norbind','noexec']\nidmap='identity'",
			specs.Mount{Type: "bind", Source: "/s", UIDMappings: all, GIDMappings: all,
				Options: []string{"bind", "private", "noexec", "nosuid", "nodev", "idmap"}}},
		{"one without an ID map", "type='bind'\nsource='/s'\noptions=['norbind']\nidmap='no'",
			specs.Mount{Type: "bind", Source: "/s", Options: []string{"bind", "private", "nosuid", "nodev"}}},
		{"a tmpfs", "type='tmpfs'\noptions=['size=1M','nodev']",
			specs.Mount{Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "size=1048576"}}},
		{"an overlay in memory", "type='overlay'\nsource='/l'\nidmap='identity'",
			specs.Mount{Type: "bind", Source: "/l", UIDMappings: all, GIDMappings: all, Options: []string{"bind", "private", "ro", "nosuid", "nodev", "idmap"}}},
		{"an overlay of two in memory", "type='overlay'\nsource=['/a','/b']\nidmap='no'",
			specs.Mount{Type: "overlay", Source: "overlay", Options: []string{"ro", "nosuid", "nodev", "lowerdir=/a:/b"}}},
		{"an overlay on disk", "type='overlay'\nsource='/a'\nupper='/u/u'\nwork='/u/w'\nidmap='no'",
			specs.Mount{Type: "overlay", Source: "overlay", Options: []string{"nosuid", "nodev", "lowerdir=/a", "upperdir=/u/u", "workdir=/u/w"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := planOf(t, "[[mounts]]\ntarget = '/t'\n"+test.text).OCI()
			test.want.Destination = "/t"
			i := slices.IndexFunc(spec.Mounts, func(m specs.Mount) bool { return m.Destination == "/t" })
			if i < 0 {
				t.Fatal("the mount is missing")
			}
			// The order of options doesn't matter here, the words do.
			got := spec.Mounts[i]
			slices.Sort(got.Options)
			slices.Sort(test.want.Options)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOCIResources(t *testing.T) {
	limit := func(n int64) *int64 { return &n }
	period := func(n uint64) *uint64 { return &n }
	tests := []struct {
		name, text string
		want       specs.LinuxResources
	}{
		{"memory", "MemoryMax='1M'", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: limit(1 << 20)}}},
		{"no limit", "MemoryMax='infinity'\nTasksMax='infinity'\nMemoryHigh='infinity'", specs.LinuxResources{
			Memory: &specs.LinuxMemory{Limit: limit(-1)}, Pids: &specs.LinuxPids{Limit: limit(-1)},
			Unified: map[string]string{"memory.high": "max"}}},
		{"in percent", "MemoryMax='50%'\nTasksMax='50%'", specs.LinuxResources{}},
		{"tasks", "TasksMax=7", specs.LinuxResources{Pids: &specs.LinuxPids{Limit: limit(7)}}},
		{"half a CPU", "CPUQuota='50%'", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: limit(50_000), Period: period(100_000)}}},
		{"two CPUs in short periods", "CPUQuota='200%'\nCPUQuotaPeriodSec='10ms'", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: limit(20_000), Period: period(10_000)}}},
		{"a period below the kernel's", "CPUQuota='100%'\nCPUQuotaPeriodSec='1us'", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: limit(1_000), Period: period(1_000)}}},
		{"a period above the kernel's", "CPUQuota='100%'\nCPUQuotaPeriodSec='1h'", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: limit(1_000_000), Period: period(1_000_000)}}},
		{"less time than the kernel takes", "CPUQuota='0.5%'", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: limit(1_000), Period: period(200_000)}}},
		{"least time", "CPUQuota='0.01%'", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: limit(1_000), Period: period(1_000_000)}}},
		{"no quota", "CPUQuota=''", specs.LinuxResources{}},
		{"weights", "CPUWeight=300\nIOWeight=20", specs.LinuxResources{Unified: map[string]string{"cpu.weight": "300", "io.weight": "20"}}},
		{"weights unset", "CPUWeight=''\nIOWeight=''", specs.LinuxResources{}},
		{"idle", "CPUWeight='idle'", specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: limit(1)}}},
		{"sets", "AllowedCPUs='0-2 5'\nAllowedMemoryNodes=0", specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0-2,5", Mems: "0"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := planOf(t, "[resources]\n"+test.text).OCI().Linux.Resources
			got.Devices = nil
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOCIDevices(t *testing.T) {
	const closed = "deny; 1:3 1:5 1:7 1:8 1:9 5:0 5:2 136:*"
	tests := []struct{ name, text, want string }{
		{"by default", "", closed},
		{"closed", "DevicePolicy='closed'", closed},
		{"strict", "DevicePolicy='strict'", "deny;"},
		{"auto", "DevicePolicy='auto'", "allow;"},
		{"auto with devices", "DevicePolicy='auto'\nDeviceAllow='/dev/fuse rw'", closed},
		{"the last word counts", "DevicePolicy=['auto','strict']", "deny;"},
		{"auto with PrivateDevices", "DevicePolicy='auto'\n[sandbox]\nPrivateDevices=true", closed},
		{"strict with PrivateDevices", "DevicePolicy='strict'\n[sandbox]\nPrivateDevices=true", "deny;"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := planOf(t, "[resources]\n"+test.text).OCI().Linux.Resources.Devices
			if got := describeRules(rules); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// describeRules writes the rule for all devices, and the numbers of those
// allowed after it.
func describeRules(rules []specs.LinuxDeviceCgroup) string {
	words := []string{"deny;"}
	if rules[0].Allow {
		words[0] = "allow;"
	}
	for _, r := range rules[1:] {
		minor := "*"
		if r.Minor != nil {
			minor = strconv.FormatInt(*r.Minor, 10)
		}
		words = append(words, strconv.FormatInt(*r.Major, 10)+":"+minor)
	}
	return strings.Join(words, " ")
}

func TestOCIAnnotations(t *testing.T) {
	spec := planOf(t, "[resources]\nKillMode='mixed'\nMemoryMax='1M'\nSendSIGHUP=true\nSlice='a-b.slice'\n[process]\nuser='www-data'").OCI()
	for key, want := range map[string]string{
		"org.systemd.property.KillMode":     "'mixed'",
		"org.systemd.property.MemoryMax":    "uint64 1048576",
		"org.systemd.property.SendSIGHUP":   "true",
		"org.systemd.property.DevicePolicy": "'closed'",
		"berth.user":                        "www-data",
		"berth.stop-signal":                 "15",
		"berth.lock:/":                      "flags and place",
		"berth.lock:/proc":                  "flags and place",
		"berth.lock:/tmp":                   "flags",
		"berth.lock:/proc/kcore":            "flags and place",
	} {
		if got := spec.Annotations[key]; got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	if got, want := spec.Linux.CgroupsPath, "a-b.slice:berth:x"; got != want {
		t.Errorf("cgroupsPath: got %q, want %q", got, want)
	}
}

func TestGVariant(t *testing.T) {
	tests := []struct {
		value any
		want  string
	}{
		{`it's a "\"`, `'it\'s a "\\"'`},
		{true, "true"},
		{uint64(5), "uint64 5"},
		{uint32(5), "uint32 5"},
		{int32(15), "15"},
		{[]string{"a", "b'"}, `['a', 'b\'']`},
	}
	for _, test := range tests {
		if got := gvariant(units.NewProperty("X", test.value)); got != test.want {
			t.Errorf("%v: got %s, want %s", test.value, got, test.want)
		}
	}
}

func TestOCINamespaces(t *testing.T) {
	count := func(mode string) int { return len(planOf(t, "network.mode = '"+mode+"'").OCI().Linux.Namespaces) }
	if private, host := count("private"), count("host"); private != 7 || host != 6 {
		t.Errorf("%d with a network of its own, %d with the host's; want 7 and 6", private, host)
	}
}
