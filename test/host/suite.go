package host

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// A Suite is a Debian release whose systemd the tests run on.
type Suite struct {
	Name    string
	Systemd int  // major version
	Canary  bool // changes daily: a root that can't be built is reported, not a failure

	aptOptions []string
}

// Suites returns every suite, oldest first.
func Suites() []Suite {
	return []Suite{
		{Name: "bookworm", Systemd: 252},
		{Name: "trixie", Systemd: 257},
		// A mirror may serve a testing release past the date in its Release file.
		{Name: "forky", Systemd: 262, Canary: true, aptOptions: []string{`Acquire::Check-Valid-Until "false"`}},
	}
}

// DefaultSuite is the one a person gets who names none.
const DefaultSuite = "trixie"

// SuiteNamed finds a suite by its release name; "" is the default one.
func SuiteNamed(name string) (Suite, error) {
	if name == "" {
		name = DefaultSuite
	}
	known := make([]string, 0, 3)
	for _, s := range Suites() {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	return Suite{}, fmt.Errorf("cannot use suite %q: known are %s", name, strings.Join(known, ", "))
}

// packages is what a root has above Debian's essential packages: systemd and
// its company, what the examples run, and the peers berth is measured against.
func packages() []string {
	return []string{
		"systemd", "systemd-sysv", "systemd-container", "libpam-systemd", "libnss-systemd", "dbus",
		"iproute2", "procps", "kmod", "strace", "curl", "nginx-light",
		"bubblewrap", "crun", "runc",
	}
}

// maskedUnits would change what belongs to the machine (sysctls, modules,
// binfmt, devices), need a terminal or the network, or only cost time.
func maskedUnits() []string {
	return []string{
		"systemd-sysctl.service", "systemd-modules-load.service", "modprobe@.service",
		"systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount",
		"systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket",
		"systemd-udevd-varlink.socket", "systemd-udev-trigger.service", "systemd-udev-load-credentials.service",
		"sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount",
		"sys-fs-fuse-connections.mount", "dev-hugepages.mount",
		"systemd-journald-audit.socket", "systemd-random-seed.service", "systemd-pstore.service",
		"systemd-remount-fs.service", "systemd-networkd-wait-online.service",
		"getty.target", "console-getty.service", "getty@.service", "container-getty@.service", "serial-getty@.service",
		"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
		"e2scrub_reap.service", "fstrim.timer", "machines.target", "remote-fs.target", "nginx.service",
	}
}

// settings are files written into the root, path by content.
func settings() map[string]string {
	return map[string]string{
		"/etc/systemd/journald.conf.d/test.conf": "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\n",
		// A hung unit is found by a test's own deadline, not by waiting.
		"/etc/systemd/system.conf.d/test.conf": "[Manager]\nDefaultTimeoutStopSec=10s\n",
		"/etc/hostname":                        "berth-host\n",
		"/etc/hosts":                           "127.0.0.1 localhost berth-host\n::1 localhost\n",
		"/etc/resolv.conf":                     "",
		"/etc/fstab":                           "",
	}
}

// recipe names all that decides what is in the root, so that its hash changes
// whenever a cached root is no longer the one wanted.
func (s Suite) recipe() string {
	var b strings.Builder
	fmt.Fprintln(&b, "layout 1", s.Name, packages(), maskedUnits(), s.aptOptions, excludedPaths())
	files := settings()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s %q\n", name, files[name])
	}
	return b.String()
}

// rootName is the file name of the suite's cached root.
func (s Suite) rootName() string { return s.Name + "-" + hash(s.recipe()) }

// hash shortens a recipe to what tells it from others.
func hash(recipe string) string {
	sum := sha256.Sum256([]byte(recipe))
	return hex.EncodeToString(sum[:6])
}
