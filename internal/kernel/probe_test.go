package kernel

import (
	"errors"
	"os"
	"reflect"
	"runtime"
	"testing"

	"berth/test/require"

	"golang.org/x/sys/unix"
)

// aside runs f on a thread that ends with it.
func aside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // not unlocked
		f()
	}()
	<-done
}

// berth needs all of these, so they work where its tests do.
func TestProbesOfWhatBerthNeeds(t *testing.T) {
	tests := []struct {
		name  string
		probe func() error
	}{
		{"user namespaces", ProbeUserNS},
		{"mount_setattr", ProbeMountSetattr},
		{"openat2", ProbeOpenat2},
		{"pidfd", ProbePidfd},
		{"close_range", ProbeCloseRange},
	}
	for _, test := range tests {
		if err := test.probe(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestProbesTellCallsApart(t *testing.T) {
	_, _, errno := unix.Syscall6(1<<20, 0, 0, 0, 0, 0, 0)
	if err := hasCall(errno); !errors.Is(err, unix.ENOSYS) {
		t.Errorf("a call that no kernel has: got %v, want ENOSYS", err)
	}
	if err := ProbeBPF(1<<20, 0); err == nil {
		t.Error("a type of program that no kernel has was loaded")
	}
	if os.Getuid() == 0 {
		if err := ProbeFS("nonesuch"); !errors.Is(err, unix.ENODEV) {
			t.Errorf("a file system that no kernel has: got %v, want ENODEV", err)
		}
	}
}

func TestProbeBPF(t *testing.T) {
	require.Root(t)
	if err := ProbeBPF(unix.BPF_PROG_TYPE_CGROUP_DEVICE, unix.BPF_CGROUP_DEVICE); err != nil {
		t.Error(err)
	}
	if err := ProbeBPF(unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, unix.BPF_CGROUP_INET4_BIND); err != nil {
		t.Error(err)
	}
	if err := ProbeBPF(unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, unix.BPF_CGROUP_DEVICE); err == nil {
		t.Error("a program for sockets was loaded for devices")
	}
}

func TestProbeIDMap(t *testing.T) {
	require.Root(t)
	ns, err := NewUserNS([]IDMap{{0, 1 << 20, 65536}}, []IDMap{{0, 1 << 20, 65536}})
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	proc, err := OpenPath("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Close()
	if err := ProbeIDMap(proc, ns); !errors.Is(err, unix.EINVAL) {
		t.Errorf("procfs, which can't be mapped: got %v, want EINVAL", err)
	}
	dir, err := OpenPath("/")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := ProbeIDMap(dir, ns); err != nil {
		t.Errorf("the root file system (%s): %v", FSName(dir), err)
	}
}

// The probes that change their thread leave the others as they are.
func TestProbesOnAThreadThatGoes(t *testing.T) {
	require.Root(t)
	ns, err := NewUserNS([]IDMap{{0, 1 << 20, 65536}}, []IDMap{{0, 1 << 20, 65536}})
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	before, err := Mounts()
	if err != nil {
		t.Fatal(err)
	}
	aside(func() {
		if err := ProbeOverlayIDMap(ns); err != nil {
			t.Error(err)
		}
	})
	aside(func() {
		if _, _, err := SeccompNotify(); err != nil {
			t.Error(err)
		}
	})
	after, err := Mounts()
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != len(after) {
		t.Errorf("%d mounts before, %d after", len(before), len(after))
	}
	if nnp, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || nnp != 0 {
		t.Errorf("no_new_privs is %d (%v) on another thread", nnp, err)
	}
}

func TestParseMountInfo(t *testing.T) {
	tests := []struct {
		name, line string
		want       MountInfo
		ok         bool
	}{
		{"a plain line", "36 35 98:0 /mnt1 /mnt2 rw,noatime - ext3 /dev/root rw,errors=continue\n",
			MountInfo{36, 35, "98:0", "/mnt1", "/mnt2", []string{"rw", "noatime"}, "ext3", []string{"rw", "errors=continue"}}, true},
		{"optional fields", "36 35 0:5 / /a rw shared:1 master:2 - tmpfs none rw\n",
			MountInfo{36, 35, "0:5", "/", "/a", []string{"rw"}, "tmpfs", []string{"rw"}}, true},
		{"a blank and a backslash", `36 35 0:5 / /a\040b\134c rw - tmpfs none rw`,
			MountInfo{36, 35, "0:5", "/", `/a b\c`, []string{"rw"}, "tmpfs", []string{"rw"}}, true},
		{"an empty source", "36 35 0:5 / /a rw - tmpfs  rw,size=1k\n",
			MountInfo{36, 35, "0:5", "/", "/a", []string{"rw"}, "tmpfs", []string{"rw", "size=1k"}}, true},
		{"too short", "36 35 0:5 /\n", MountInfo{}, false},
		{"nothing", "", MountInfo{}, false},
	}
	for _, test := range tests {
		got, ok := parseMountInfo(test.line)
		if ok != test.ok || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, %v", test.name, got, ok)
		}
	}
}
