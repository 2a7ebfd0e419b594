package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"berth/test/host"
)

// What is left of the host after pivot_root: nothing that a path, a mount or a
// descriptor leads to.
func TestOldRootIsGone(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, path := range []string{"/run/canary", "/root/canary", "/home/canary", "/tmp/canary"} {
			writeFile(t, h, path, "of the host")
		}
		root := smallRoot(t, h)
		for _, test := range []struct{ name, body string }{
			{"host's tree", ""},
			{"directory", fmt.Sprintf("[root]\ndirectory = %q\n", root)},
			{"volatile", fmt.Sprintf("[root]\ndirectory = %q\nvolatile = \"yes\"\n", root)},
		} {
			t.Run(test.name, func(t *testing.T) {
				got := inside(t, h, test.body, `
cat /proc/self/mountinfo
for escape in /proc/1/root /proc/1/cwd /proc/self/root /..; do
	(cd $escape && cd ../../../../.. && ls -d opt/berth/go.mod run/canary root/canary home/canary tmp/canary run/systemd/system) 2>/dev/null || true
done
true`)
				for line := range strings.Lines(got) {
					if !strings.Contains(line, " - ") {
						t.Errorf("reached: %s", line)
					} else if strings.Contains(line, "/opt/berth") || strings.Contains(line, "/run/berth/container") || strings.Contains(line, "canary") {
						t.Errorf("a mount of the host: %s", line)
					}
				}
			})
		}
	})
}

// Descriptors that berth's caller left open must not reach the payload: one of
// the host's root directory would be a way out.
func TestDescriptorsDoNotLeak(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		const leaks = "exec 9</; exec 8</etc/shadow; exec 7<>/run/canary; "
		const list = " box -- ls -l /proc/self/fd/ /proc/1/fd/ < /dev/null 2>&1 || true; "
		got := shell(t, h, leaks+"berth run"+list)
		c := idle(t, h, "box", "")
		got += shell(t, h, leaks+"berth exec"+list+"rm /run/canary")
		for line := range strings.Lines(got) {
			before, target, found := strings.Cut(strings.TrimSpace(line), " -> ")
			if !found {
				continue
			}
			number := before[strings.LastIndexByte(before, ' ')+1:]
			kind, _, _ := strings.Cut(target, ":")
			own := number == "3" && strings.HasPrefix(target, "/proc/") // the directory that ls reads
			if !own && !slices.Contains([]string{"pipe", "socket", "anon_inode", "/dev/null"}, kind) {
				t.Errorf("a descriptor: %s", line)
			}
		}
		c.stop()
	})
}

func TestProcessRestrictions(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := start(t, h, "box", "", "sh", "-c", "cat /proc/self/status /proc/self/limits; umask; echo ready; sleep 1000")
		c.waitFor("ready")
		byExec := c.sh("cat /proc/self/status /proc/self/limits; umask; echo ready")
		for name, text := range map[string]string{"payload": c.stdout.String(), "exec": byExec} {
			for _, want := range []string{
				"NoNewPrivs:\t1\n", "CapInh:\t0000000000000000\n", "CapAmb:\t0000000000000000\n", "0022\nready",
				"Max core file size        0                    unlimited            bytes",
				"Max open files            1024 ",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: lacks %q:\n%s", name, want, text)
				}
			}
			// Modules, raw I/O, the clock, the kernel log, tracing, BPF, files' capabilities …
			var bounding uint64
			if _, err := fmt.Sscanf(statusLine([]byte(text), "CapBnd"), "%x", &bounding); err != nil {
				t.Fatal(err)
			}
			for number, capability := range map[int]string{
				9: "LINUX_IMMUTABLE", 16: "SYS_MODULE", 17: "SYS_RAWIO", 19: "SYS_PTRACE", 20: "SYS_PACCT", 22: "SYS_BOOT",
				25: "SYS_TIME", 31: "SETFCAP", 32: "MAC_OVERRIDE", 33: "MAC_ADMIN", 34: "SYSLOG", 35: "WAKE_ALARM", 38: "PERFMON", 39: "BPF", 40: "CHECKPOINT_RESTORE",
			} {
				if bounding&(1<<number) != 0 {
					t.Errorf("%s: CAP_%s is in the bounding set", name, capability)
				}
			}
			if effective := statusLine([]byte(text), "CapEff"); effective != fmt.Sprintf("%016x", bounding) {
				t.Errorf("%s: CapEff %s, CapBnd %x", name, effective, bounding)
			}
		}
		c.stop()
	})
}

// The limits of whoever typed the command are not the container's.
func TestCallersLimitsAreNotInherited(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		got := shell(t, h, "ulimit -S -c unlimited; ulimit -S -n 300; umask 0777; nice -n 5 berth run box -- sh -c 'ulimit -S -c; ulimit -S -n; umask'")
		if got != "0\n1024\n0022" {
			t.Errorf("got %q", got)
		}
	})
}

func TestKeyringIsOwn(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		// /proc/keys is masked inside; the serial number of the session keyring is told by keyctl(2), which perl has.
		const serial = `perl -e 'print syscall(250, 0, -3, 1), "\n"'`
		define(t, h, "box", "")
		got := strings.Split(shell(t, h, serial+"; berth run box -- sh -c "+quoted(serial)), "\n")
		if len(got) != 2 || got[0] == got[1] || strings.HasPrefix(got[1], "-") {
			t.Errorf("session keyrings: host and container %q", got)
		}
	})
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func TestDevices(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := inside(t, h, "", `
cd /dev
stat -c '%n %F %t:%T %a %u:%g' null zero full random urandom tty pts shm mqueue | sort
readlink fd stdin stdout stderr ptmx
ls
echo x > null; head -c 3 zero | od -An -tx1; head -c 8 urandom | wc -c; (echo x > full) 2>/dev/null || echo full`)
		want := `full character special file 1:7 666 0:0
mqueue directory 0:0 1777 0:0
null character special file 1:3 666 0:0
pts directory 0:0 755 0:0
random character special file 1:8 666 0:0
shm directory 0:0 1777 0:0
tty character special file 5:0 666 0:0
urandom character special file 1:9 666 0:0
zero character special file 1:5 666 0:0
/proc/self/fd
/proc/self/fd/0
/proc/self/fd/1
/proc/self/fd/2
pts/ptmx
fd
full
mqueue
null
ptmx
pts
random
shm
stderr
stdin
stdout
tty
urandom
zero
 00 00 00
8
full`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("/dev (-want +got):\n%s", diff)
		}
	})
}

func TestMasks(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for path := range strings.FieldsSeq("/proc/kcore /proc/keys /proc/kallsyms /proc/kmsg /proc/timer_list /proc/sched_debug /proc/interrupts") {
			if !exists(path) {
				continue // this kernel doesn't have it
			}
			if got := inside(t, h, "", "cat "+path+" | head -c 100 | wc -c"); got != "0" {
				t.Errorf("%s has %s bytes", path, got)
			}
		}
		got := inside(t, h, "", "ls -A /proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap 2>/dev/null | grep -v : || true")
		if strings.TrimSpace(got) != "" {
			t.Errorf("masked directories have: %s", got)
		}
		for path := range strings.FieldsSeq("/proc/sys/kernel/hostname /proc/sys/vm/swappiness /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/mm/transparent_hugepage/enabled") {
			if got := inside(t, h, "", "test ! -e "+path+" || (echo 1 > "+path+") 2>&1 || true"); got != "" && !strings.Contains(got, "Read-only file system") && !strings.Contains(got, "Permission denied") || got == "" && exists(path) {
				t.Errorf("writing %s: %s", path, got)
			}
		}
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// The process that builds a container is the host's root: its memory, its
// descriptors and its environment are not for the container to see.
func TestProcShowsOwnProcessesOnly(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := inside(t, h, "", `cd /proc; for pid in [0-9]*; do cat $pid/comm; done 2>/dev/null | sort -u | tr '\n' ' '; readlink /proc/self`)
		if strings.Contains(got, "systemd") || strings.Contains(got, "dbus") {
			t.Errorf("seen: %s", got)
		}
	})
}
