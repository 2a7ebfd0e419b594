package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"berth/test/host"
)

// immutableMounts is a container with mounts of every kind.
func immutableMounts(t *testing.T, h *host.Host) (body string) {
	t.Helper()
	root := smallRoot(t, h)
	shell(t, h, "mkdir -p /srv/canary/sub /srv/root/srv/ro /srv/root/srv/rw; echo x > /srv/canary/sub/file; chown -R 4321:4321 /srv/canary; mkdir -p /srv/root/attack.d; : > /srv/root/attack")
	t.Cleanup(func() { h.Remove("/srv/canary") })
	return fmt.Sprintf(`
[root]
directory = %q
read_only = true
[[mounts]]
type = "bind"
source = "/srv/canary"
target = "/srv/ro"
read_only = true
[[mounts]]
type = "bind"
source = "/srv/canary"
target = "/srv/rw"
options = ["noexec"]
`, root)
}

// kernelAlone is a container without a guard: what holds there is the kernel's.
const kernelAlone = "[mountguard]\nenabled = false\n"

// The errnos are the kernel's own for mounts that came from a more privileged
// mount namespace: see mount_namespaces(7). The guard changes some.
func TestMountsAreImmutable(t *testing.T) {
	attacks := map[string]string{
		// Read-only stays read-only, however it is copied.
		"remount-rw:/":                  "EPERM",
		"remount-rw:/proc/sys":          "EPERM",
		"remount-rw:/sys":               "EPERM",
		"remount-rw:/srv/ro":            "EPERM",
		"setattr-rw:/":                  "EPERM",
		"setattr-rw:/proc/sys":          "EPERM",
		"setattr-rw:/sys":               "EPERM",
		"setattr-rw:/srv/ro":            "EPERM",
		"setattr-all-rw:/":              "EPERM",
		"bind-rw:/":                     "EPERM",
		"bind-rw:/usr":                  "EPERM",
		"bind-rw:/proc/sys":             "EPERM",
		"bind-rw:/proc/sys/kernel":      "EPERM",
		"bind-rw:/sys":                  "EPERM",
		"bind-rw:/srv/ro":               "EPERM",
		"bind-rw:/srv/ro/sub":           "EPERM",
		"clone-rw:/":                    "EPERM",
		"clone-rw:/proc/sys":            "EPERM",
		"clone-rw:/srv/ro":              "EPERM",
		"clone-rw:/srv/ro/sub":          "EPERM",
		"remount-super:/":               "EPERM",
		"remount-super:/sys":            "EPERM",
		"remount-resize:/tmp":           "EPERM",
		"remount-resize:/dev":           "EPERM",
		"remount-resize:/dev/shm":       "EPERM",
		"create:/":                      "EROFS",
		"create:/usr":                   "EROFS",
		"create:/srv/ro":                "EROFS",
		"create:/srv/ro/sub":            "EROFS",
		"write:/proc/sys/vm/swappiness": "EACCES",

		// nosuid, nodev, noexec.
		"remount-suid:/srv/rw": "EPERM",
		"remount-dev:/srv/rw":  "EPERM",
		"remount-exec:/srv/rw": "EPERM",
		"remount-dev:/":        "EPERM",
		"remount-suid:/dev":    "EPERM",
		"remount-exec:/proc":   "EPERM",
		"remount-suid:/tmp":    "EPERM",
		"setattr-suid:/srv/rw": "EPERM",
		"setattr-dev:/srv/rw":  "EPERM",
		"bind-suid:/srv/rw":    "EPERM",
		"bind-dev:/srv/rw/sub": "EPERM",

		// Masks stay where they are.
		"umount:/proc/kallsyms": "EINVAL",
		"detach:/proc/kallsyms": "EINVAL",
		"detach:/proc/keys":     "EINVAL",
		"detach:/proc/sys":      "EINVAL",
		"detach:/proc/bus":      "EINVAL",
		"detach:/sys/firmware":  "EINVAL",
		"move:/proc/kallsyms":   "EINVAL",
		"move:/proc/sys":        "EINVAL",
		"detach:/":              "EINVAL",
		"umount:/":              "EINVAL",
		"detach:/proc":          "EINVAL",
		"umount:/proc":          "EINVAL",
		"detach:/sys":           "EINVAL",
		"move:/proc":            "EINVAL",
		"move:/sys":             "EINVAL",
		"bind-alone:/":          "EINVAL", // would show what is under /proc
		"bind-alone:/proc":      "EINVAL", // would show what is under the masks
		"bind:/proc":            "ok",     // with the masks
		"mount-proc:":           "EPERM",
		"mount-devtmp:":         "EPERM",
		"mount-sysfs:":          "EPERM",
		"mknod-block:/tmp":      "EPERM",
		"mknod-char:/tmp":       "EPERM",
		"mknod-char:/dev":       "EPERM",

		// What a root may do.
		"create:/srv/rw":  "ok",
		"create:/tmp":     "ok",
		"create:/run":     "ok",
		"mount-tmpfs:":    "ok",
		"remount-ro:/tmp": "ok",
	}
	// Nested namespaces, whose mounts are all copied, may do less still; what
	// differs there is not said by the flags but by where the mount came from.
	nested := maps.Clone(attacks)
	for operation, errno := range map[string]string{
		"bind:/proc":      "ok",
		"create:/run":     "EACCES", // its root is another user
		"create:/srv/rw":  "EOVERFLOW",
		"mknod-char:/dev": "EACCES",
		"detach:/srv/ro":  "EINVAL",
		"move:/srv/ro":    "EINVAL",
		"remount-ro:/tmp": "ok",
	} {
		nested[operation] = errno
	}
	guarded := maps.Clone(attacks)
	for operation, errno := range attacks {
		switch name, _, _ := strings.Cut(operation, ":"); {
		case errno != "EINVAL":
		case name == "umount" || name == "detach":
			guarded[operation] = "EBUSY"
		case name == "move":
			guarded[operation] = "EPERM"
		}
	}
	// With the masks of the container's own.
	guarded["mount-proc:"], guarded["mount-sysfs:"] = "ok", "ok"
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := unrestricted + immutableMounts(t, h) + "[sandbox]\nProtectKernelTunables = true\n"
		for name, test := range map[string]struct {
			want    map[string]string
			guard   string
			command []string
		}{
			"root":    {attacks, kernelAlone, []string{"try"}},
			"nested":  {nested, kernelAlone, []string{"nested", "try"}},
			"twice":   {nested, kernelAlone, []string{"nested", "nested", "try"}},
			"guarded": {guarded, "", []string{"try"}},
		} {
			t.Run(name, func(t *testing.T) {
				operations := lastTheOnesThatWork(test.want)
				got := try(t, h, body+test.guard, append(test.command, operations...)...)
				for _, operation := range operations {
					if got[operation] != test.want[operation] {
						t.Errorf("%s: got %s, want %s", operation, got[operation], test.want[operation])
					}
				}
			})
		}
		if got := shell(t, h, "cat /srv/canary/sub/file; ls -A /srv/canary /srv/root | grep attack$ | grep -v '^attack$' || true"); got != "x" {
			t.Errorf("on the host: %q", got)
		}
	})
}

// lastTheOnesThatWork orders operations so that what succeeds can't make
// another one fail.
func lastTheOnesThatWork(want map[string]string) []string {
	operations := slices.Sorted(maps.Keys(want))
	slices.SortStableFunc(operations, func(a, b string) int { return works(want[a]) - works(want[b]) })
	return operations
}

func works(errno string) int {
	if errno == "ok" {
		return 1
	}
	return 0
}

// A mount that came by itself may be unmounted, which shows only what the
// container's own root file system has below it.
func TestUnmountShowsOwnFilesOnly(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := unrestricted + immutableMounts(t, h) + "[sandbox]\nProtectKernelTunables = true\n"
		for guard, errno := range map[string]string{"": "EBUSY", kernelAlone: "EINVAL"} {
			got := try(t, h, body+guard, "try", "detach:/srv/ro", "detach:/tmp", "detach:/run", "detach:/sys/fs/cgroup", "detach:/dev", "detach:/sys", "detach:/proc", "create:/srv/ro", "read:/dev/null")
			for operation, want := range map[string]string{
				"detach:/srv/ro": "ok", "detach:/tmp": "ok", "detach:/run": "ok", "detach:/sys/fs/cgroup": "ok", "detach:/dev": "ok",
				"detach:/sys": errno, "detach:/proc": errno, "create:/srv/ro": "EROFS", "read:/dev/null": "ENOENT",
			} {
				if got[operation] != want {
					t.Errorf("%q: %s: got %s, want %s", guard, operation, got[operation], want)
				}
			}
		}
	})
}

// afterwards is shell once the test's context has ended.
func afterwards(t *testing.T, h *host.Host, script string) {
	t.Helper()
	if out, err := h.Shell(context.Background(), script); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// eachMount runs /attack try with operations on each mount of the container, the
// innermost first.
func eachMount(operations string) []string {
	return []string{"/usr/bin/sh", "-c", `
list=; masks=
while read -r id parent device root target options rest; do list="$target $list"; done < /proc/self/mountinfo
for target in $list; do
	for operation in ` + operations + `; do /attack try $operation:$target; done
done`}
}

// With immutable_unmounts = "deny" every mount stays, also where nobody looks at
// the calls, and those that depend on the start: the cgroup's, and the terminal's.
func TestUnmountsDenied(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		withAttacks(t)
		for guard, enabled := range map[string]string{"kernel": "enabled = false\n", "guard": ""} {
			t.Run(guard, func(t *testing.T) {
				body := withProgram(unrestricted + immutableMounts(t, h) + "[process]\nterminal = true\n[sandbox]\nProtectKernelTunables = true\nPrivateTmp = true\nStateDirectory = \"box\"\n[mountguard]\nimmutable_unmounts = \"deny\"\n" + enabled)
				shell(t, h, "mkdir -p /srv/root/var/lib/box /srv/root/var/tmp")
				t.Cleanup(func() { afterwards(t, h, "rm -rf /var/lib/box /var/lib/private/box") })
				got := runContainer(t, h, "box", body, eachMount("umount detach")...)
				if got.Status != 0 {
					t.Fatalf("got %+v", got)
				}
				tried := errnos(strings.ReplaceAll(got.Stdout, "\r", ""))
				for operation, errno := range tried {
					name, path, _ := strings.Cut(operation, ":")
					want := "EINVAL"
					if enabled == "" {
						want = "EPERM"
						if path == "/" || strings.HasPrefix(path, "/proc") || strings.HasPrefix(path, "/sys") {
							want = "EBUSY"
						}
					}
					if errno != want {
						t.Errorf("%s:%s: got %s, want %s", name, path, errno, want)
					}
				}
				for _, path := range strings.Fields("/ /proc /proc/sys /sys /sys/fs/cgroup /dev /dev/pts /dev/console /dev/shm /dev/mqueue /run /tmp /var/tmp /srv/ro /srv/rw /attack /var/lib/box") {
					if tried["detach:"+path] == "" {
						t.Errorf("no mount at %s", path)
					}
				}
				// What is mounted on top comes and goes.
				got = runContainer(t, h, "box", body, "/usr/bin/sh", "-c", "/attack try mount-tmpfs: bind:/srv/ro detach:/tmp")
				for operation, want := range map[string]string{"mount-tmpfs:": "ok", "bind:/srv/ro": "ok"} {
					if errnos(strings.ReplaceAll(got.Stdout, "\r", ""))[operation] != want {
						t.Errorf("%s: got %+v", operation, got)
					}
				}
			})
		}
	})
}

// With immutable_remounts = "allow" mounts have their flags at the start, and the
// container's root can take away those that are the mount's own. What settings
// and the masks of /proc and /sys say stays.
func TestRemountsAllowed(t *testing.T) {
	want := map[string]string{
		// At the start.
		"create:/srv/ro":  "EROFS",
		"create:/usr":     "EROFS",
		"create:/srv/mem": "EROFS",

		// Not what protects.
		"remount-rw:/sys":                "EPERM",
		"remount-exec:/proc":             "EPERM",
		"remount-rw:/proc/sys":           "EPERM",
		"remount-suid:/proc/kallsyms":    "EPERM",
		"setattr-rw:/proc/sys":           "EPERM",
		"remount-rw:/srv/setting":        "EPERM",
		"bind-rw:/srv/setting":           "EPERM",
		"remount-rw:/srv/canary-by-rule": "EPERM",
		"remount-rw:/srv/ro/host":        "EPERM", // read-only on the host
		"remount-suid:/srv/ro/host":      "EPERM", // mounted below the source of a bind
		"remount-suid:/srv/rw/by-rule":   "EPERM", // a rule's, and as the mount that it is part of

		// What is a mount's own.
		"remount-suid:/tmp":    "ok",
		"remount-suid:/srv/rw": "ok",
		"remount-dev:/srv/rw":  "ok",
		"remount-exec:/srv/rw": "ok",
		"setattr-rw:/srv/ro":   "ok",
		"remount-rw:/srv/mem":  "ok",
		"remount-dev:/":        "ok",
		"remount-rw:/":         "ok",
		"remount-suid:/dev":    "ok",
	}
	withBerth(t, func(t *testing.T, h *host.Host) {
		withAttacks(t)
		mounts := immutableMounts(t, h) + `
[[mounts]]
type = "tmpfs"
target = "/srv/mem"
read_only = true
[[mounts]]
type = "bind"
source = "/srv/canary"
target = "/srv/canary-by-rule"
[sandbox]
ProtectKernelTunables = true
BindReadOnlyPaths = "/srv/canary:/srv/setting"
ReadOnlyPaths = "/srv/canary-by-rule /srv/rw/by-rule"
[mountguard]
immutable_remounts = "allow"
`
		shell(t, h, "mkdir -p /srv/root/srv/mem /srv/root/srv/setting /srv/root/srv/canary-by-rule /srv/canary/host /srv/canary/by-rule; chown -R 4321:4321 /srv/canary; mount -t tmpfs -o ro none /srv/canary/host")
		t.Cleanup(func() { afterwards(t, h, "umount /srv/canary/host") })
		for name, more := range map[string]string{
			"kernel": "enabled = false\n", "guard": "",
			"kernel, unmounts denied": "enabled = false\nimmutable_unmounts = \"deny\"\n", "guard, unmounts denied": "immutable_unmounts = \"deny\"\n",
		} {
			t.Run(name, func(t *testing.T) {
				body := unrestricted + mounts + more
				operations := lastTheOnesThatWork(want)
				got := try(t, h, body, append([]string{"try"}, operations...)...)
				for _, operation := range operations {
					if got[operation] != want[operation] {
						t.Errorf("%s: got %s, want %s", operation, got[operation], want[operation])
					}
				}
				flags := mountFlags(t, h, body)
				for path, want := range map[string]string{
					"/": "ro,nodev", "/tmp": "nosuid,nodev", "/dev": "nosuid,noexec", "/srv/ro": "ro,nosuid,nodev", "/srv/rw": "nosuid,nodev,noexec",
					"/srv/mem": "ro,nosuid,nodev", "/sys": "ro,nosuid,nodev,noexec", "/proc": "nosuid,nodev,noexec",
					"/srv/ro/host": "ro,nosuid,nodev", "/srv/rw/host": "ro,nosuid,nodev,noexec", "/srv/rw/by-rule": "ro,nosuid,nodev,noexec",
				} {
					if flags[path] != want {
						t.Errorf("%s is %s, want %s", path, flags[path], want)
					}
				}
			})
		}
	})
}

// mountFlags are the flags that a container's mounts have at its start, by the
// mount points.
func mountFlags(t *testing.T, h *host.Host, body string) map[string]string {
	t.Helper()
	got := runContainer(t, h, "box", withProgram(body), "/usr/bin/cat", "/proc/self/mountinfo")
	if got.Status != 0 {
		t.Fatalf("got %+v", got)
	}
	found := map[string]string{}
	for line := range strings.Lines(got.Stdout) {
		fields := strings.Fields(line)
		options := strings.Split(fields[5], ",")
		found[fields[4]] = strings.Join(slices.DeleteFunc(options, func(o string) bool { return o == "rw" || o == "idmapped" || strings.HasSuffix(o, "atime") }), ",")
	}
	return found
}

// An init has more capabilities, but the same walls.
func TestMountsAreImmutableForBootCapabilities(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := immutableMounts(t, h) + "\n[process]\nboot = true\n"
		shell(t, h, "cp -a /srv/root/usr/bin/sh /srv/root/usr/bin/shell; rm -f /srv/root/usr/sbin; mkdir -p /srv/root/usr/sbin; ln -sfn usr/sbin /srv/root/sbin; printf '#!/bin/sh\\n\"$@\"\\n' > /srv/root/usr/sbin/init; chmod 755 /srv/root/usr/sbin/init")
		got := try(t, h, body, "try", "remount-rw:/", "bind-rw:/srv/ro", "detach:/proc/kallsyms", "setattr-dev:/srv/rw", "mknod-block:/tmp")
		if len(got) != 5 {
			t.Fatalf("got %v", got)
		}
		for operation, errno := range got {
			want := "EPERM"
			if operation == "detach:/proc/kallsyms" {
				want = "EBUSY"
			}
			if errno != want {
				t.Errorf("%s: got %s, want %s", operation, errno, want)
			}
		}
	})
}
