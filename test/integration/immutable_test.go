package integration

import (
	"fmt"
	"maps"
	"slices"
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

// The errnos are the kernel's own for mounts that came from a more privileged
// mount namespace: see mount_namespaces(7).
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
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := unrestricted + immutableMounts(t, h) + "[sandbox]\nProtectKernelTunables = true\n"
		for name, test := range map[string]struct {
			want    map[string]string
			command []string
		}{
			"root":   {attacks, []string{"try"}},
			"nested": {nested, []string{"nested", "try"}},
			"twice":  {nested, []string{"nested", "nested", "try"}},
		} {
			t.Run(name, func(t *testing.T) {
				operations := lastTheOnesThatWork(test.want)
				got := try(t, h, body, append(test.command, operations...)...)
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
		got := try(t, h, body, "try", "detach:/srv/ro", "detach:/tmp", "detach:/run", "detach:/sys", "detach:/proc", "read:/proc/1/root", "create:/srv/ro")
		for operation, want := range map[string]string{"detach:/srv/ro": "ok", "read:/proc/1/root": "ENOENT", "create:/srv/ro": "EROFS"} {
			if got[operation] != want {
				t.Errorf("%s: got %s, want %s", operation, got[operation], want)
			}
		}
	})
}

// An init has more capabilities, but the same walls.
func TestMountsAreImmutableForBootCapabilities(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := immutableMounts(t, h) + "\n[process]\nboot = true\n"
		shell(t, h, "cp -a /srv/root/usr/bin/sh /srv/root/usr/bin/shell; rm -f /srv/root/usr/sbin; mkdir -p /srv/root/usr/sbin; ln -sfn usr/sbin /srv/root/sbin; printf '#!/bin/sh\\n\"$@\"\\n' > /srv/root/usr/sbin/init; chmod 755 /srv/root/usr/sbin/init")
		got := try(t, h, body, "try", "remount-rw:/", "bind-rw:/srv/ro", "detach:/proc/kallsyms", "setattr-dev:/srv/rw", "mknod-block:/tmp", "mount-proc:")
		if len(got) != 6 {
			t.Fatalf("got %v", got)
		}
		for operation, errno := range got {
			if errno != "EPERM" && errno != "EINVAL" {
				t.Errorf("%s: got %s", operation, errno)
			}
		}
	})
}
