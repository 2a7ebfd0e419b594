package host

import (
	"context"
	"fmt"
	"io"
)

// toolsPackages are programs that mount, and make containers of their own:
// systemd as an init, both generations of mount(8), and every common runtime. As
// with servers, they are no part of a host's root.
func toolsPackages() []string {
	return []string{
		"systemd", "systemd-sysv", "systemd-container", "libnss-systemd", "dbus",
		"util-linux", "mount", "busybox-static", "procps", "kmod", "iproute2", "strace",
		"bubblewrap", "crun", "runc", "podman", "fuse-overlayfs", "fuse3", "squashfuse", "uidmap",
	}
}

// ToolsRoot returns the directory of a pristine root of the suite that boots and
// runs containers itself, for containers. It is built and cached as Root does.
func ToolsRoot(ctx context.Context, s Suite, log io.Writer) (string, error) {
	recipe := fmt.Sprintln("tools 1", s.Name, toolsPackages(), maskedUnits(), settings(), s.aptOptions, excludedPaths())
	// Not "trixie-…": outdated roots are found by what names begin with.
	name := "tools-" + s.Name
	return cached(name, name+"-"+hash(recipe), log, func(dir string) error {
		if err := buildRoot(ctx, s, toolsPackages(), dir); err != nil {
			return err
		}
		return configureRoot(dir)
	})
}
