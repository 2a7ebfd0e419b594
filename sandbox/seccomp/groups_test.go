package seccomp

import (
	"slices"
	"strings"
	"testing"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"berth/test/bpf"
)

func TestExpand(t *testing.T) {
	tests := []struct {
		name, group string
		version     int
		has, lacks  []string
	}{
		{"a group", "@clock", 257, []string{"adjtimex", "settimeofday"}, []string{"gettimeofday", "@clock"}},
		{"groups in it", "@system-service", 252, []string{"read", "clone"}, []string{"@basic-io", "mount"}},
		{"before it had them", "@file-system", 252, []string{"open"}, []string{"getxattrat"}},
		{"since", "@file-system", 257, []string{"open", "getxattrat"}, []string{"listns"}},
		{"in between: the older", "@file-system", 256, nil, []string{"getxattrat"}},
		{"in between: the older again", "@file-system", 261, []string{"getxattrat"}, nil},
		{"older than all", "@clock", 100, []string{"adjtimex"}, nil},
		{"newer than all", "@known", 300, []string{"fchroot"}, nil},
		{"not any more", "@mount", 262, []string{"mount"}, nil},
		{"not there yet", "@sandbox", 252, nil, []string{"seccomp"}},
		{"no group", "clock", 257, nil, []string{"adjtimex"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Expand(test.group, test.version)
			for _, call := range test.has {
				if !slices.Contains(got, call) {
					t.Errorf("%s of %d lacks %s", test.group, test.version, call)
				}
			}
			for _, call := range test.lacks {
				if slices.Contains(got, call) {
					t.Errorf("%s of %d has %s", test.group, test.version, call)
				}
			}
		})
	}
}

func TestGroups(t *testing.T) {
	for version, want := range map[int]int{252: 29, 257: 30, 262: 30} {
		groups := Groups(version)
		if len(groups) != want {
			t.Errorf("systemd %d has %d groups, want %d", version, len(groups), want)
		}
		var names []string
		for _, g := range groups {
			names = append(names, g.Name)
		}
		for _, g := range groups {
			if g.Description == "" || !strings.HasPrefix(g.Name, "@") {
				t.Errorf("%+v", g)
			}
			for _, m := range g.Members {
				if strings.HasPrefix(m, "@") && !slices.Contains(names, m) {
					t.Errorf("systemd %d: %s has the unknown group %s", version, g.Name, m)
				}
			}
		}
	}
}

// Settings that deny a group name its calls.
func TestGroupsOfSettings(t *testing.T) {
	for group, layers := range map[string][]Layer{"@module": KernelModules(), "@clock": Clock(), "@raw-io": RawIO()} {
		var named []string
		for _, r := range layers[0].Rules {
			named = append(named, r.Call)
		}
		for _, version := range tabled {
			for _, call := range Expand(group, version) {
				if hasNumber(call) && !slices.Contains(named, call) {
					t.Errorf("%s doesn't deny %s, which is in %s of systemd %d", layers[0].Name, call, group, version)
				}
			}
		}
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name  string
		check func(string) error
		word  string
		want  string // of the error; "": none
	}{
		{"a call", CheckCall, "openat2", ""},
		{"the newest call", CheckCall, "fchroot", ""},
		{"a call of x86 alone", CheckCall, "socketcall", ""},
		{"a call of another machine", CheckCall, "osf_sigprocmask", ""},
		{"a misspelt call", CheckCall, "opneat2", `unknown system call "opneat2", did you mean "openat2"?`},
		{"no call", CheckCall, "xyzzyxyzzy", `unknown system call "xyzzyxyzzy"`},
		{"nothing", CheckCall, "", `unknown system call ""`},
		{"the table's head", CheckCall, "name", `unknown system call "name", did you mean "rename"?`},
		{"part of the table", CheckCall, "-", `unknown system call "-"`},
		{"two columns", CheckCall, "acct  163", `unknown system call "acct  163"`},
		{"a line break", CheckCall, "read\nwrite", `unknown system call "read\nwrite"`},
		{"a group", CheckCall, "@system-service", ""},
		{"a group of newer versions", CheckCall, "@sandbox", ""},
		{"a misspelt group", CheckCall, "@network", `unknown group of system calls "@network", did you mean "@network-io"?`},
		{"an architecture", CheckArchitecture, "x86-64", ""},
		{"the native one", CheckArchitecture, "native", ""},
		{"one of another machine", CheckArchitecture, "s390x", ""},
		{"a misspelt architecture", CheckArchitecture, "x86_64", `unknown architecture "x86_64", did you mean "x86-64"?`},
		{"a family", CheckFamily, "AF_INET6", ""},
		{"a second name", CheckFamily, "AF_LOCAL", ""},
		{"a misspelt family", CheckFamily, "AF_INET7", `unknown address family "AF_INET7", did you mean "AF_INET6"?`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := test.check(test.word); err != nil {
				got = err.Error()
			}
			if test.want == "" && got != "" || test.want != "" && !strings.HasPrefix(got, strings.Split(test.want, ", did")[0]) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFamilies(t *testing.T) {
	for name, want := range map[string]uint64{
		"AF_UNIX": unix.AF_UNIX, "AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6, "AF_NETLINK": unix.AF_NETLINK,
		"AF_ROUTE": unix.AF_ROUTE, "AF_PACKET": unix.AF_PACKET, "AF_ALG": unix.AF_ALG, "AF_VSOCK": unix.AF_VSOCK,
		"AF_BLUETOOTH": unix.AF_BLUETOOTH, "AF_CAN": unix.AF_CAN, "AF_XDP": unix.AF_XDP, "AF_MCTP": unix.AF_MCTP,
	} {
		if got, ok := family(name); !ok || got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
}

func TestFamilyName(t *testing.T) {
	for number, want := range map[int]string{1: "AF_UNIX", 2: "AF_INET", 16: "AF_NETLINK", 45: "AF_MCTP", 0: "", 46: "", -1: ""} {
		if got, ok := FamilyName(number); got != want || ok != (want != "") {
			t.Errorf("%d is %q, %v, want %q", number, got, ok, want)
		}
	}
}

func TestLocalNumbers(t *testing.T) {
	numbers, err := LocalNumbers()
	if err != nil {
		t.Fatal(err)
	}
	if got := numbers[0].Calls["getpid"]; got != unix.SYS_GETPID {
		t.Errorf("getpid is %d", got)
	}
	for _, n := range numbers {
		for call, number := range n.Calls {
			if number > 0xfffff {
				t.Errorf("%s: %s is %#x", n.ABI, call, number)
			}
		}
	}
}

// libseccomp has tables of its own, from other sources.
func TestNumbers(t *testing.T) {
	tables, err := readNumbers(abis())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if len(table.calls) < 300 {
			t.Errorf("%s has %d calls", table.name, len(table.calls))
		}
		seen := map[uint32]string{}
		for name, nr := range table.calls {
			if other, ok := seen[nr]; ok {
				t.Errorf("%s: %s and %s have the number %d", table.name, name, other, nr)
			}
			seen[nr] = name
			theirs, err := libseccomp.ScmpSyscall(nr).GetNameByArch(table.lib)
			if err == nil && theirs != name && theirs != "arm_sync_file_range" { // a second name
				t.Errorf("%s: %d is %s, to libseccomp %s", table.name, nr, name, theirs)
			}
		}
		for nr := range uint32(600) {
			theirs, err := libseccomp.ScmpSyscall(nr | table.bit).GetNameByArch(table.lib)
			if _, ok := seen[nr|table.bit]; err == nil && !ok {
				t.Errorf("%s: libseccomp has %s, %d", table.name, theirs, nr)
			}
		}
	}
}

func TestTablesAreSorted(t *testing.T) {
	if !slices.IsSorted(allCalls()) {
		t.Error("calls.txt isn't sorted")
	}
}

func TestActions(t *testing.T) {
	tests := map[Action]uint32{
		"allow": retAllow, "kill": retKill, "log": retLog, "notify": retNotify, "EPERM": retErrno | 1, "ENOSYS": retErrno | 38,
		"EAGAIN": retErrno | 11, "EWOULDBLOCK": retErrno | 11, "ENOTSUP": retErrno | 95, "EHWPOISON": retErrno | 133,
		"0": retErrno, "255": retErrno | 255, "4095": retErrno | 4095,
	}
	for action, want := range tests {
		if got, err := action.ret(); err != nil || got != want {
			t.Errorf("%s is %#x, %v, want %#x", action, got, err, want)
		}
	}
	for _, action := range []Action{"", "EFOO", "4096", "-1", "Allow", "kill "} {
		if got, err := action.ret(); err == nil {
			t.Errorf("%q is %#x, want an error", action, got)
		}
	}
}

func TestStrictness(t *testing.T) {
	order := []uint32{retKill, retErrno | 1, retNotify, retLog, retAllow}
	for i, a := range order {
		for j, b := range order {
			if got := stricter(a, b); got != (i < j) {
				t.Errorf("%s stricter than %s: %v", bpf.Show(a), bpf.Show(b), got)
			}
		}
	}
	if stricter(retErrno|1, retErrno|2) || stricter(retErrno|2, retErrno|1) {
		t.Error("an errno is stricter than another")
	}
}
