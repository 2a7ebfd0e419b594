package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"berth/test/host"
)

// Containers in containers. What the nested one sees as its /proc and /sys is new
// (the kernel alone would refuse that where parts of the outer ones are hidden),
// shows what is its own only, and hides all that the outer one does.

// podman is a podman that needs nothing but files: no network, no init. Its runc
// takes no container without a cgroup.
func podman(runtime string) string {
	const command = "podman --cgroup-manager cgroupfs run --rm --network none --runtime "
	if runtime == "crun" {
		return command + "crun --cgroups disabled "
	}
	return command + runtime + " "
}

// nesting are ways to make a container in a container, each followed by a command.
// capable says that the command has all capabilities there, over mounts as well,
// and that nothing of the runtime's lies over what berth hides.
func nesting() map[string]struct {
	command string
	capable bool
} {
	type way = struct {
		command string
		capable bool
	}
	const bwrap = "bwrap --unshare-all --ro-bind / / --tmpfs /tmp --proc /proc --dev /dev "
	return map[string]way{
		"unshare":                       {"unshare -mpf --mount-proc ", true},
		"unshare with a user namespace": {"unshare -Urmpf --mount-proc ", true},
		"unshare twice":                 {"unshare -Urmpf --mount-proc unshare -Urmpf --mount-proc ", true},
		"unshare as a user":             {asWorker + "unshare -Urmpf --mount-proc ", true},
		"bwrap":                         {bwrap, false},
		"bwrap with capabilities":       {bwrap + "--cap-add ALL ", true},
		"bwrap as a user":               {asWorker + bwrap, false},
		"crun":                          {"oci crun -- ", false},
		"crun with a user namespace":    {"oci crun --rootless -- ", false},
		"crun as a user":                {asWorker + "oci crun --rootless -- ", false},
		"runc":                          {"oci runc -- ", false},
		"runc with a user namespace":    {"oci runc --rootless -- ", false},
		"runc as a user":                {asWorker + "oci runc --rootless -- ", false},
		"podman as a user":              {asWorker + podman("crun") + "--rootfs /home/worker/rootfs ", false},
		"podman":                        {podman("crun") + "--rootfs /bundle/rootfs ", false},
		"podman, runc":                  {podman("runc") + "--rootfs /bundle/rootfs ", false},
		"podman, privileged":            {podman("crun") + "--privileged --rootfs /bundle/rootfs ", true},
		"podman, runc, privileged":      {podman("runc") + "--privileged --rootfs /bundle/rootfs ", true},
		"podman, user namespace": {podman("crun") + "--uidmap 0:10000:1000 --gidmap 0:10000:1000 --privileged --rootfs /bundle/rootfs ",
			true},
		"nspawn": {"env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --pipe --register=no --keep-unit --directory=/bundle/rootfs -- ", false},
	}
}

// unmasking is what a nested root tries to see what is hidden, with the errno of
// each: the masks of a new /proc are locked, and those of one more are there as well.
func unmasking() map[string]string {
	errnos := map[string]string{"mount-proc:": "ok", "bind-alone:/proc": "EINVAL", "write:/proc/irq/default_smp_affinity": "EACCES"}
	for _, mask := range []string{"/proc/kallsyms", "/proc/keys", "/proc/irq", "/proc/bus"} {
		for _, attack := range []string{"umount", "detach", "move"} {
			errnos[attack+":"+mask] = "EINVAL"
		}
		for _, attack := range []string{"remount-rw", "setattr-rw", "clone-rw"} {
			errnos[attack+":"+mask] = "EPERM"
		}
	}
	errnos["bind-rw:/proc/irq"], errnos["bind-rw:/proc/bus"] = "EPERM", "EPERM"
	return errnos
}

// lookAndAttack is a command for a nested root that can mount.
func lookAndAttack() []string {
	return append([]string{"/look"}, slices.Sorted(maps.Keys(unmasking()))...)
}

// prepareNesting is what the runtimes want on the machine that they run on.
const prepareNesting = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin; mkdir -p /run/systemd/nspawn; mount -t tmpfs none /run/systemd/nspawn; sleep 4242 & "

func TestNestedContainers(t *testing.T) {
	withTools(t, func(t *testing.T, h *host.Host, body string) {
		outer := lookAround(inside(t, h, body, "/look"))
		if len(outer.hidden) < 5 {
			t.Fatalf("the container itself hides only %v", outer.hidden)
		}
		for name, way := range nesting() {
			t.Run(name, func(t *testing.T) {
				command, attacks := []string{"/look"}, map[string]string(nil)
				if way.capable {
					command, attacks = lookAndAttack(), unmasking()
				}
				got := lookAround(inside(t, h, body, prepareNesting+way.command+strings.Join(command, " ")))
				got.isNestedIn(t, outer, attacks)
			})
		}
	})
}

// view is what a process finds in its /proc.
type view struct {
	processes []string          // their command lines
	hidden    map[string]bool   // paths that something read-only is mounted on
	errnos    map[string]string // of what was tried then
	readable  map[string]string // then: how many bytes of what is hidden could be read
}

// lookAround reads what the program look prints.
func lookAround(output string) view {
	v := view{hidden: map[string]bool{}, errnos: map[string]string{}, readable: map[string]string{}}
	var mounts [][]string
	top := ""
	for line := range strings.Lines(output) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "process":
			v.processes = append(v.processes, strings.TrimSpace(rest))
		case "mount":
			fields := strings.Fields(rest)
			mounts = append(mounts, fields)
			if fields[4] == "/proc" {
				top = fields[0] // the last one is on top of the others
			}
		case "pid":
		default:
			if strings.Contains(word, ":") {
				v.errnos[word] = rest
			} else {
				v.readable[word] = rest
			}
		}
	}
	for _, m := range mounts {
		if m[1] == top && strings.HasPrefix(m[5], "ro,") {
			v.hidden[m[4]] = true
		}
	}
	return v
}

// isNestedIn wants a view that shows nothing more than another and no process of
// that, and in which what was tried had these results.
func (v view) isNestedIn(t *testing.T, outer view, attacks map[string]string) {
	t.Helper()
	if len(v.processes) == 0 || len(v.processes) > 8 {
		t.Errorf("got %d processes:\n%s", len(v.processes), strings.Join(v.processes, "\n"))
	}
	if slices.ContainsFunc(v.processes, func(p string) bool { return strings.Contains(p, "4242") }) {
		t.Errorf("a process of the outer container is visible:\n%s", strings.Join(v.processes, "\n"))
	}
	for path := range outer.hidden {
		if !v.hidden[path] {
			t.Errorf("%s is not hidden: only %v", path, v.hidden)
		}
	}
	if len(v.readable) == 0 {
		t.Error("it didn't look to the end")
	}
	for file, bytes := range v.readable {
		if bytes != "0" {
			t.Errorf("/proc/%s can be read", file)
		}
	}
	for attack, want := range attacks {
		if got := v.errnos[attack]; got != want {
			t.Errorf("%s: got %q, want %s", attack, got, want)
		}
	}
}

// Images from archives, on both kinds of storage, run in order.
func TestNestedPodmanImages(t *testing.T) {
	withTools(t, func(t *testing.T, h *host.Host, body string) {
		for _, driver := range []string{"vfs", "overlay"} {
			t.Run(driver, func(t *testing.T) {
				podman := "podman --root /var/store-" + driver + " --runroot /run/store --storage-driver " + driver + " "
				got := inside(t, h, body, `
					tar -C /bundle/rootfs -c . | `+podman+`import --quiet - nested:1 >/dev/null
					for network in none host; do
						`+podman+`run --rm --network $network --cgroups disabled nested:1 sh -c 'echo written > /file; cat /file; ls -d /proc/[0-9]*'
					done
					`+podman+`run --name second --network none --cgroups disabled nested:1 sh -c 'ls /file 2>&1 || echo fresh'
					`+podman+`rm second >/dev/null; `+podman+`ps -aq; grep -c /var/store /proc/self/mountinfo || true`)
				lines := strings.Split(got, "\n")
				if strings.Count(got, "written") != 2 || !slices.Contains(lines, "fresh") || lines[len(lines)-1] != "0" && driver == "vfs" {
					t.Errorf("got %q", got)
				}
			})
		}
	})
}

// A booted system sandboxes its services, which systemd gives up silently where
// it can't mount: every line says what the service must find.
func TestNestedServices(t *testing.T) {
	withTools(t, func(t *testing.T, h *host.Host, body string) {
		define(t, h, "tools", body+"[process]\nboot = true\n[[mounts]]\ntype = \"bind\"\nsource = \"/opt/debian\"\ntarget = \"/debian\"\nread_only = true\n")
		c := beginContainer(t, h, "tools", "run", "tools")
		c.awaitStart()
		c.awaitSystem()
		if got := c.sh("systemctl is-system-running || systemctl --failed --no-legend --plain"); got != "running" {
			t.Errorf("it does not run well: %s", got)
		}
		outer := lookAround(c.sh("/look"))
		for _, test := range []struct {
			settings, script string
			since            int // version of systemd
		}{
			{"PrivateTmp=yes", "[ ! -e /tmp/outer ]; touch /tmp/inner", 0},
			{"ProtectSystem=strict", "! touch /usr/x 2>/dev/null; ! touch /x 2>/dev/null", 0},
			{"ProtectProc=invisible User=worker", "[ ! -e /proc/1 ]; [ -e /proc/cpuinfo ]; [ -e /proc/self/exe ]", 0},
			{"ProtectProc=invisible ProcSubset=pid User=worker", "[ ! -e /proc/1 ]; [ ! -e /proc/cpuinfo ]", 0},
			{"ProcSubset=pid", "[ -e /proc/1 ]; [ ! -e /proc/cpuinfo ]; [ ! -e /proc/sys ]", 0},
			{"DynamicUser=yes StateDirectory=nested", "[ $(id -u) -ge 61184 ]; touch $STATE_DIRECTORY/file", 0},
			{"PrivateDevices=yes", "[ ! -e /dev/fuse ]; echo >/dev/null", 0},
			{"PrivateUsers=yes", "[ $(wc -l </proc/self/uid_map) -ge 1 ]", 0},
			{"PrivateNetwork=yes", "[ $(ls /sys/class/net | wc -l) = 1 ]", 0},
			{"ProtectKernelTunables=yes", "! (echo 1 >/proc/sys/net/ipv4/ip_forward) 2>/dev/null; ! mkdir /sys/fs/cgroup/x/y 2>/dev/null", 0},
			{"ProtectControlGroups=yes", "! mkdir /sys/fs/cgroup/x 2>/dev/null", 0},
			{"PrivatePIDs=yes", "[ $(readlink /proc/self) -le 9 ]; [ $(ls -d /proc/[0-9]* | wc -l) -le 5 ]", 257},
			{"ProtectControlGroups=private", "[ \"$(cat /proc/self/cgroup | grep ^0)\" = 0::/ ]", 258},
			{"TemporaryFileSystem=/var BindReadOnlyPaths=/var/lib", "touch /var/x; ! touch /var/lib/x 2>/dev/null", 0},
			{"ProtectSystem=strict PrivateDevices=yes PrivateUsers=yes ProtectHome=yes ProtectKernelTunables=yes ProtectKernelModules=yes " +
				"ProtectControlGroups=yes RestrictNamespaces=yes MemoryDenyWriteExecute=yes NoNewPrivileges=yes", "true", 0},
		} {
			if h.Suite().Systemd < test.since {
				continue
			}
			t.Run(test.settings, func(t *testing.T) {
				got := berth(t, h, "exec", "tools", "--", "/bin/sh", "-euc",
					"touch /tmp/outer; exec systemd-run --quiet --wait --pipe -p "+strings.ReplaceAll(test.settings, " ", " -p ")+` /bin/sh -euc "$1"`, "sh", test.script)
				if got.Status != 0 {
					t.Errorf("%s: %+v", test.script, got)
				}
			})
		}
		for name, command := range map[string]string{
			"unshare":                   "unshare -Urmpf --mount-proc ",
			"bwrap":                     "bwrap --unshare-all --ro-bind / / --tmpfs /tmp --proc /proc --dev /dev --cap-add ALL ",
			"podman":                    podman("crun") + "--privileged --rootfs /bundle/rootfs ",
			"podman, systemd's cgroups": "podman run --rm --network none --pids-limit 0 --privileged --rootfs /bundle/rootfs ",
			"service":                   "systemd-run --quiet --wait --pipe -p ProtectProc=invisible -p PrivateNetwork=yes ",
		} {
			t.Run(name, func(t *testing.T) {
				got, attacks := lookAround(c.sh(command+strings.Join(lookAndAttack(), " "))), unmasking()
				if name == "service" {
					// It sees the system's processes, and has masks of systemd's above the others.
					got.processes = got.processes[:1]
					maps.DeleteFunc(attacks, func(_, errno string) bool { return errno == "EINVAL" })
				}
				got.isNestedIn(t, outer, attacks)
			})
		}
		t.Run("a system in the system", func(t *testing.T) {
			c.sh(`mkdir /tmp/upper /tmp/work; mount -t overlay -o userxattr,lowerdir=/debian,upperdir=/tmp/upper,workdir=/tmp/work none /m
				podman --cgroup-manager cgroupfs run --detach --name system --privileged --systemd always --network none --rootfs /m /sbin/init >/dev/null`)
			got := c.sh(`
				podman() { command podman --cgroup-manager cgroupfs "$@"; }
				for i in $(seq 50); do
					case $(podman exec system systemctl is-system-running --wait 2>/dev/null || true) in running|degraded) break;; esac
					sleep 0.1
				done
				podman exec system systemd-run --quiet --wait --pipe -p ProtectProc=invisible -p DynamicUser=yes sh -c '[ ! -e /proc/1 ] && echo hidden'
				podman stop --time 10 system >/dev/null; podman rm system >/dev/null; umount /m`)
			if got != "hidden" {
				t.Errorf("got %q", got)
			}
		})
		if got := berth(t, h, "stop", "tools"); got.Status != 0 {
			t.Errorf("stop: %+v", got)
		}
		c.wait()
	})
}

// configFile is a bundle's configuration that hides nothing by itself.
func configFile(t *testing.T, args ...string) string {
	t.Helper()
	type object = map[string]any
	all := []string{"CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"}
	config := object{
		"ociVersion": "1.0.2",
		"root":       object{"path": "/bundle/rootfs"},
		"process": object{"args": args, "cwd": "/", "user": object{"uid": 0, "gid": 0}, "env": []string{"PATH=/bin"},
			"capabilities": object{"bounding": all, "effective": all, "permitted": all}},
		"mounts": []object{
			{"destination": "/proc", "type": "proc", "source": "proc"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
		},
		"linux": object{"namespaces": []object{{"type": "pid"}, {"type": "mount"}}},
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A runtime that was told to hide nothing has nothing to give away.
func TestNestedRuntimeWithoutMasks(t *testing.T) {
	withTools(t, func(t *testing.T, h *host.Host, body string) {
		outer := lookAround(inside(t, h, body, "/look"))
		config := configFile(t, lookAndAttack()...)
		for _, runtime := range []string{"crun", "runc"} {
			t.Run(runtime, func(t *testing.T) {
				got := inside(t, h, body, fmt.Sprintf("mkdir /tmp/b; cd /tmp/b; cat > config.json <<'END'\n%s\nEND\n%s run nested", config, runtime))
				lookAround(got).isNestedIn(t, outer, unmasking())
			})
		}
	})
}
