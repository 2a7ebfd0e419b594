package integration

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"berth/sandbox/seccomp"
	"berth/test/bpf"
	"berth/test/host"
)

// filterCase is a unit's settings and what berth makes of them.
type filterCase struct {
	settings []string
	layers   func(version int) []seccomp.Layer
	until    int               // the last version of systemd that has filters for it; 0: any
	more     map[string]string // calls that berth denies and systemd doesn't, or otherwise, and why
}

const (
	newer   = "a filter can't see the policy, and systemd leaves it open"
	upper   = "systemd looks at all 64 bits of an argument of which the kernel takes 32"
	implied = "it makes what is readable executable, and systemd leaves it open"
	muxed   = "systemd leaves socketcall(2) and all of x86 open"
	unnamed = "a file without a name can get one from linkat(2)"
)

func filterCases() []filterCase {
	filter := func(words ...seccomp.Entry) func(int) []seccomp.Layer {
		return func(version int) []seccomp.Layer { return seccomp.Calls(words, "EPERM", version) }
	}
	always := func(layers []seccomp.Layer) func(int) []seccomp.Layer {
		return func(int) []seccomp.Layer { return layers }
	}
	allow := func(name string) seccomp.Entry { return seccomp.Entry{Name: name} }
	deny := func(name string) seccomp.Entry { return seccomp.Entry{Name: name, Deny: true} }
	const eperm = "SystemCallErrorNumber=EPERM"
	return []filterCase{
		{[]string{"RestrictRealtime=yes"}, always(seccomp.Realtime()), 0, map[string]string{"sched_setattr": newer}},
		{[]string{"RestrictSUIDSGID=yes"}, always(seccomp.SUIDSGID()), 0, map[string]string{"open": unnamed, "openat": unnamed}},
		{[]string{"RestrictNamespaces=yes"}, always(seccomp.Namespaces(0)), 0, nil},
		{[]string{"RestrictNamespaces=net ipc"}, always(seccomp.Namespaces(unix.CLONE_NEWNET | unix.CLONE_NEWIPC)), 0,
			map[string]string{"setns": upper}},
		{[]string{"RestrictAddressFamilies=AF_UNIX AF_INET6"}, always(seccomp.AddressFamilies([]string{"AF_UNIX", "AF_INET6"}, true)), 0,
			map[string]string{"x86 socket": muxed, "socketcall": muxed}},
		{[]string{"RestrictAddressFamilies=~AF_PACKET AF_NETLINK"},
			always(seccomp.AddressFamilies([]string{"AF_PACKET", "AF_NETLINK"}, false)), 0,
			map[string]string{"socket": upper, "socketcall": muxed}},
		{[]string{"MemoryDenyWriteExecute=yes"}, always(seccomp.WriteExecute()), 252,
			map[string]string{"personality": implied, "x86 ipc": muxed, "x86 shmat": muxed}},
		{[]string{"LockPersonality=yes"}, always(seccomp.LockPersonality(0)), 0, nil},
		{[]string{"ProtectKernelModules=yes"}, always(seccomp.KernelModules()), 0, nil},
		{[]string{"ProtectKernelLogs=yes"}, always(seccomp.KernelLogs()), 0, nil},
		{[]string{"ProtectClock=yes"}, always(seccomp.Clock()), 0, nil},
		{[]string{"ProtectHostname=yes"}, always(seccomp.Hostname()), 0, nil},
		{[]string{"PrivateDevices=yes"}, always(seccomp.RawIO()), 0, nil},
		{[]string{"ProtectKernelTunables=yes"}, always(seccomp.Sysctl()), 0, nil},
		{[]string{"SystemCallArchitectures=native"}, always(seccomp.Architectures([]string{"native"})), 0, nil},
		{[]string{"SystemCallArchitectures=x86 arm64"}, always(seccomp.Architectures([]string{"x86", "arm64"})), 0, nil},
		{[]string{"SystemCallFilter=@system-service", eperm}, filter(allow("@system-service")), 0, nil},
		{[]string{"SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources:EACCES", eperm},
			filter(allow("@system-service"), deny("@privileged"), seccomp.Entry{Deny: true, Name: "@resources", Action: "EACCES"}), 0, nil},
		{[]string{"SystemCallFilter=~@mount @network-io ptrace:ENOTTY", "SystemCallFilter=mount", eperm},
			filter(deny("@mount"), deny("@network-io"), seccomp.Entry{Deny: true, Name: "ptrace", Action: "ENOTTY"}, allow("mount")), 0, nil},
		{[]string{"SystemCallFilter=@system-service"},
			func(version int) []seccomp.Layer {
				return seccomp.Calls([]seccomp.Entry{allow("@system-service")}, seccomp.Kill, version)
			}, 0, nil},
		{[]string{"SystemCallLog=@network-io"}, func(version int) []seccomp.Layer {
			return seccomp.LogCalls([]seccomp.Entry{allow("@network-io")}, version)
		}, 0, nil},
		{[]string{"SystemCallLog=~@file-system"}, func(version int) []seccomp.Layer {
			return seccomp.LogCalls([]seccomp.Entry{deny("@file-system")}, version)
		}, 0, nil},
	}
}

// Berth's filters allow nothing that the filters of systemd deny, and deny more
// only where the table says so. systemd's are read out of a process that it
// started, and both are asked for all numbers of system calls.
func TestSyscallFilters(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("knows the ABIs of x86-64 alone")
	}
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		version := systemdVersion(t, h)
		numbers, err := seccomp.LocalNumbers()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range filterCases() {
			if c.until > 0 && version > c.until {
				continue
			}
			t.Run(strings.Join(c.settings, " "), func(t *testing.T) {
				theirs := filtersOf(t, h, c.settings)
				programs, err := seccomp.Compile(c.layers(version))
				if err != nil {
					t.Fatal(err)
				}
				var ours [][]byte
				for _, p := range programs {
					ours = append(ours, p.Code)
				}
				compareFilters(t, c, theirs, ours, numbers)
			})
		}
	})
}

// compareFilters asks both for every number with arguments that settings look at.
func compareFilters(t *testing.T, c filterCase, theirs, ours [][]byte, numbers []seccomp.Numbers) {
	// AUDIT_ARCH_* and what is set in the numbers.
	archs := map[string]uint32{"x86-64": 0xc000003e, "x32": 0xc000003e, "x86": 0x40000003}
	bits := map[string]uint32{"x32": 0x40000000}
	random := rand.New(rand.NewPCG(1, 2))
	differences := map[string]bool{}
	for _, abi := range numbers {
		names := map[uint32]string{}
		for name, n := range abi.Calls {
			names[uint32(n)] = name
		}
		for n := range uint32(600) {
			call := bpf.Call{Arch: archs[abi.ABI], Number: n | bits[abi.ABI]}
			_, native := numbers[0].Calls[names[n]]
			for range 40 {
				call.Args = randomArgs(random, abi.ABI != "x86-64") // libseccomp takes x32 for 32 bits wide
				want, got := judge(t, theirs, call), judge(t, ours, call)
				what := fmt.Sprintf("%s: %s, %d: berth's %s, systemd's %s", abi.ABI, names[n], n, bpf.Show(got), bpf.Show(want))
				switch {
				case bpf.Show(got) == bpf.Show(want):
				case abi.ABI == "x32" && (n == 335 || n == 336) && bpf.Show(got) == "ENOSYS":
					// To libseccomp 2.6 these are uretprobe and uprobe, which only x86-64 has.
				case bpf.Stricter(want, got):
					t.Fatalf("%s, with %#x", what, call.Args)
				case c.more[names[n]] != "" || c.more[abi.ABI+" "+names[n]] != "":
				case bpf.Show(want) == "ENOSYS" && !native:
					// systemd takes calls that only 32-bit programs have for unknown ones.
				default:
					differences[what] = true
				}
			}
		}
	}
	for _, d := range slices.Sorted(maps.Keys(differences)) {
		t.Errorf("not in the table: %s", d)
	}
}

func judge(t *testing.T, programs [][]byte, call bpf.Call) uint32 {
	t.Helper()
	ret, err := bpf.Judge(programs, call)
	if err != nil {
		t.Fatalf("%+v: %v", call, err)
	}
	return ret
}

// randomArgs draws arguments that some setting looks at, and their neighbours.
func randomArgs(r *rand.Rand, narrow bool) (args [6]uint64) {
	values := []uint64{0, 0, 1, 2, 3, 5, 6, 8, 10, 16, 17, 0o100, 0o100000, 0o4755, 0o2000, 0o20000000, 1 << 32,
		unix.CLONE_NEWNET, unix.CLONE_NEWUSER, unix.CLONE_NEWTIME, unix.CLONE_NEWIPC | unix.CLONE_NEWNS, 0xffffffff}
	for i := range args {
		args[i] = values[r.IntN(len(values))]
		if r.IntN(4) == 0 {
			args[i] |= values[r.IntN(len(values))]
		}
		if narrow {
			args[i] &= 0xffffffff
		}
	}
	return args
}

// filtersOf returns the filters of a process that systemd started with settings,
// in the order in which they were loaded.
func filtersOf(t *testing.T, h *host.Host, settings []string) [][]byte {
	t.Helper()
	const unit = "berth-test-filters.service"
	args := "systemd-run -q --unit " + unit
	for _, s := range settings {
		args += " -p '" + s + "'"
	}
	// It runs as soon as the unit is up: Type=exec waits for that, and no longer.
	group := shell(t, h, args+" -p Type=exec sleep 60 && systemctl show -P ControlGroup "+unit)
	defer shell(t, h, "systemctl stop "+unit)
	procs, err := os.ReadFile(filepath.Join(h.CgroupDir(), group, "cgroup.procs"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(procs)))
	if err != nil {
		t.Fatal(err)
	}
	filters, err := readFilters(pid)
	if err != nil {
		t.Fatal(err)
	}
	if len(filters) == 0 {
		t.Fatal("systemd loaded no filters")
	}
	return filters
}

// readFilters reads the filters of a process with ptrace(2).
func readFilters(pid int) ([][]byte, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceSeize(pid); err != nil {
		return nil, fmt.Errorf("ptrace: %w", err)
	}
	defer unix.PtraceDetach(pid)
	if err := unix.PtraceInterrupt(pid); err != nil {
		return nil, fmt.Errorf("ptrace: %w", err)
	}
	if _, err := unix.Wait4(pid, nil, unix.WALL, nil); err != nil {
		return nil, err
	}
	var filters [][]byte // the newest is the kernel's first
	for {
		filter, err := readFilter(pid, len(filters))
		if err == unix.ENOENT {
			slices.Reverse(filters)
			return filters, nil
		}
		if err != nil {
			return nil, fmt.Errorf("ptrace(PTRACE_SECCOMP_GET_FILTER): %w", err)
		}
		filters = append(filters, filter)
	}
}

// readFilter reads the nth filter, from the newest.
func readFilter(pid, n int) ([]byte, error) {
	const getFilter = 0x420c // PTRACE_SECCOMP_GET_FILTER
	instructions := make([]unix.SockFilter, 4096)
	count, _, errno := unix.Syscall6(unix.SYS_PTRACE, getFilter, uintptr(pid), uintptr(n),
		uintptr(unsafe.Pointer(&instructions[0])), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	var filter []byte
	for _, i := range instructions[:count] {
		filter = append(binary.LittleEndian.AppendUint16(filter, i.Code), i.Jt, i.Jf)
		filter = binary.LittleEndian.AppendUint32(filter, i.K)
	}
	return filter, nil
}
