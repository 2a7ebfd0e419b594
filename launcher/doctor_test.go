package launcher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/internal/kernel"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestDoctor(t *testing.T) {
	start := time.Now()
	report, err := Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	var subjects []string
	for _, row := range report.Rows {
		if !slices.Contains(subjects, row.Subject) {
			subjects = append(subjects, row.Subject)
		}
		if row.Name == "" || row.State == "" {
			t.Errorf("an empty row: %+v", row)
		}
		if row.State != VerdictYes && row.Detail == "" {
			t.Errorf("%s: %s without a reason", row.Name, row.State)
		}
	}
	want := []string{"kernel", "sandbox", "ID-mapped mounts", "cgroups", "systemd", "IDs"}
	if diff := cmp.Diff(want, subjects); diff != "" {
		t.Errorf("subjects (-want +got)\n%s", diff)
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

// Looking changes nothing of this process.
func TestDoctorLeavesTheProcessAlone(t *testing.T) {
	look := func() string {
		mounts, err := kernel.Mounts()
		if err != nil {
			t.Fatal(err)
		}
		nnp, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		mountNS, err := os.Readlink("/proc/self/ns/mnt") // of the first thread
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintln(mounts, nnp, mountNS)
	}
	before := look()
	for range 20 {
		if _, err := Doctor(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, look()); diff != "" {
		t.Error(diff)
	}
}

func TestDoctorTried(t *testing.T) {
	tests := []struct {
		name string
		root bool
		err  error
		want Verdict
	}{
		{"it worked", true, nil, VerdictYes},
		{"no such call", true, unix.ENOSYS, VerdictNo},
		{"no such call, as a user", false, unix.ENOSYS, VerdictNo},
		{"not allowed", true, unix.EPERM, VerdictNo},
		{"not allowed, as a user", false, unix.EPERM, VerdictUnknown},
		{"no access, as a user", false, unix.EACCES, VerdictUnknown},
		{"something else", false, errors.New("x"), VerdictNo},
	}
	for _, test := range tests {
		d := &doctor{root: test.root}
		d.tried("it", test.err, "without it")
		if got := d.rows[0]; got.State != test.want {
			t.Errorf("%s: got %+v, want %s", test.name, got, test.want)
		}
	}
}

func TestDoctorUnenforced(t *testing.T) {
	reasons := func(d doctor) map[string][]string {
		d.unified = true
		m := map[string][]string{}
		for _, u := range d.unenforced() {
			if m[u.Reason] != nil {
				t.Errorf("%q twice", u.Reason)
			}
			m[u.Reason] = u.Settings
		}
		return m
	}
	all := []string{"cpu", "cpuset", "io", "memory", "pids"}
	nodes := map[int][]int{0: {0}}
	if got := reasons(doctor{host: Host{SystemdVersion: 999, Controllers: all, BPFLSM: true, Nodes: nodes}}); len(got) != 0 {
		t.Errorf("a host that has everything can't enforce %v", got)
	}
	if got := reasons(doctor{host: Host{Controllers: all, BPFLSM: true, Nodes: nodes}}); len(got) != 0 {
		t.Errorf("a systemd of unknown version is said not to have %v", got)
	}
	got := reasons(doctor{host: Host{SystemdVersion: 252, Controllers: all[1:]}, bpf: unix.EINVAL})
	for reason, setting := range map[string]string{
		"this host has no cpu controller in its unified cgroup hierarchy":           "CPUQuota",
		"needs systemd 253 or later, this is 252":                                   "MemoryZSwapMax",
		"this kernel takes no BPF programs for cgroups (invalid argument)":          "IPAddressDeny",
		`this kernel doesn't let berth's BPF program decide which files are opened`: "RestrictFileSystems",
		"this host has no NUMA nodes":                                               "NUMAMask",
	} {
		if !slices.Contains(got[reason], setting) {
			t.Errorf("%q lists %v, not %s", reason, got[reason], setting)
		}
	}
	if with253 := got["needs systemd 253 or later, this is 252"]; !slices.Contains(with253, "LogFilterPatterns") {
		t.Errorf("of systemd 253 are %v", with253)
	}
	if got := (&doctor{}).unenforced(); got != nil {
		t.Errorf("without the unified hierarchy there is nothing to enforce, but %v", got)
	}
}

func TestDoctorFileSystems(t *testing.T) {
	d := &doctor{mountList: []kernel.MountInfo{
		{Device: "8:1", Target: "/", Type: "ext4"},
		{Device: "0:1", Target: "/proc", Type: "proc"},
		{Device: "0:2", Target: "/tmp", Type: "tmpfs"},
		{Device: "0:3", Target: "/tmp", Type: "xfs"}, // covers it
		{Device: "0:4", Target: "/mnt/dead", Type: "nfs4"},
		{Device: "0:5", Target: "/mnt/sshfs", Type: "fuse.sshfs"},
		{Device: "8:2", Target: "/data", Type: "btrfs"},
		{Device: "8:3", Target: "/data2", Type: "btrfs"},
	}}
	found := map[string]string{}
	for _, fs := range d.fileSystems() {
		found[fs.kind+" "+fs.device] = strings.Join(fs.places, " ")
	}
	if !strings.HasPrefix(found["ext4 8:1"], "/ ") {
		t.Errorf("ext4: %v", found)
	}
	delete(found, "ext4 8:1") // with those of the machine's directories that are there
	if diff := cmp.Diff(map[string]string{"xfs 0:3": "/tmp", "btrfs 8:2": "/data"}, found); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestHolding(t *testing.T) {
	mounts := []kernel.MountInfo{
		{Target: "/", Device: "1"}, {Target: "/a", Device: "2"}, {Target: "/a/b", Device: "3"}, {Target: "/a", Device: "4"},
	}
	for path, want := range map[string]string{"/": "1", "/ab": "1", "/a": "4", "/a/c": "4", "/a/b/c": "3"} {
		if got := holding(mounts, path).Device; got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestReleaseBefore(t *testing.T) {
	tests := []struct {
		release string
		want    bool
	}{
		{"6.1.0-13-amd64", false}, {"6.18.44-fc", false}, {"6.1", false}, {"7", false}, {"10.0-rc1", false},
		{"6.0.19", true}, {"5.15.0", true}, {"5", true}, {"", true},
	}
	for _, test := range tests {
		if got := releaseBefore(test.release, "6.1"); got != test.want {
			t.Errorf("%q before 6.1: %v", test.release, got)
		}
	}
}

func TestReportText(t *testing.T) {
	report := Report{
		Rows: []Row{
			{"kernel", "release", VerdictYes, "6.1"},
			{"kernel", "fuse", VerdictNo, "nothing\x1b[2J depends on it"},
			{"IDs", "blocks", VerdictUnknown, "needs root"},
			{"IDs", "user.max_user_namespaces", VerdictLimited, "3"},
		},
		Unenforced: []Unenforced{{"no memory controller", []string{"MemoryMax", "MemoryHigh"}}},
	}
	const want = `kernel
  yes      release                   6.1
  no       fuse                      "nothing\x1b[2J depends on it"

IDs
  unknown  blocks                    needs root
  limited  user.max_user_namespaces  3

settings that can't be enforced here; --best-effort goes on without them
  no memory controller:
    MemoryMax MemoryHigh
`
	var b bytes.Buffer
	if err := report.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	b.Reset()
	if err := report.WriteText(&b, true); err != nil {
		t.Fatal(err)
	}
	for _, coloured := range []string{"\x1b[32myes    \x1b[0m  release", "\x1b[31mno     \x1b[0m", "\x1b[33mlimited\x1b[0m", "\x1b[2munknown\x1b[0m"} {
		if !strings.Contains(b.String(), coloured) {
			t.Errorf("%q is not in %q", coloured, b.String())
		}
	}
}
