package launcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"berth/config"
	"berth/internal/kernel"
	"berth/sandbox"
	"berth/units"
)

// Host is a snapshot of the facts that a plan depends on.
type Host struct {
	SystemdVersion int               //
	MDWE           bool              // the kernel has PR_SET_MDWE, Linux 6.3
	BPFLSM         bool              // RestrictFileSystems= can be enforced; false where it isn't given
	NoNotify       string            // why a container's system calls can't be asked about; "" where they can, or no guard is wanted
	Nodes          map[int][]int     // the CPUs of each NUMA node, where settings are about them
	Controllers    []string          // cgroup v2 controllers that units can have
	Sources        map[string]Source // what the file names on the host, by path
	HiddenTargets  []string          // where symlinks at the paths of hiddenOfHost point to
	OSMounts       []string          // file systems mounted at the directories of the OS, such as /usr
	Environment    HostEnvironment   // what the payload's takes from the host
}

// Source is a file or directory of the host that a container is made of.
type Source struct {
	Err      string // why it can't be used; "" when it can
	IsDir    bool
	UID, GID uint32
	Open     bool // every user of the host can reach it
}

// oldestSystemd is the oldest version that berth is tested with. Settings that
// it knows need no question about the version.
const oldestSystemd = 252

// LookAtHost gathers the facts that matter to a container. version is asked at
// most once, and only where systemd's files don't tell theirs.
func LookAtHost(c *config.Container, version func() (int, error)) (Host, error) {
	h := Host{Sources: map[string]Source{}}
	settings, _ := parseSandbox(c) // what is wrong is told by the plan
	for _, path := range sourcesOf(c, settings) {
		h.Sources[path] = lookAt(path)
	}
	h.Environment = lookAtEnvironment(settings)
	controllers, err := os.ReadFile(kernel.CgroupRoot + "/cgroup.controllers")
	if errors.Is(err, fs.ErrNotExist) {
		return h, errors.New("cannot use this host: its cgroups are not the unified hierarchy (cgroup v2); boot with systemd.unified_cgroup_hierarchy=1")
	}
	if err != nil {
		return h, fmt.Errorf("cannot read the cgroup controllers: %w", err)
	}
	h.Controllers = strings.Fields(string(controllers))
	if c.Root.Directory == "" {
		h.OSMounts, h.HiddenTargets = osMounts(), hiddenTargets()
	}
	h.MDWE = kernel.HasMDWE()
	if c.MountGuard.Enabled {
		h.NoNotify = cannotNotify()
	}
	h.BPFLSM = settings.RestrictFileSystems.Set && canRestrictFileSystems()
	if slices.ContainsFunc(c.Sandbox, func(s config.Setting) bool { return s.Name == "NUMAMask" || s.Name == "CPUAffinity" }) {
		if h.Nodes, err = kernel.NUMANodes(); err != nil {
			return h, err
		}
	}
	if h.SystemdVersion = installedSystemd(); h.SystemdVersion == 0 {
		h.SystemdVersion, err = version()
	}
	return h, err
}

// installedSystemd returns systemd's version by the name of its private library,
// libsystemd-shared-257.so or -257.9-1.fc42.so, or 0. It is there everywhere and
// known long before the manager can be asked.
func installedSystemd() int {
	triples := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"} // Debian's
	for _, dir := range []string{triples[runtime.GOARCH] + "/systemd", "systemd", "../lib64/systemd"} {
		found, _ := filepath.Glob(filepath.Join("/usr/lib", dir, "libsystemd-shared-*.so")) // its one error is a bad pattern
		if len(found) != 1 {
			continue
		}
		_, version, _ := strings.Cut(filepath.Base(found[0]), "shared-")
		digits := version[:len(version)-len(strings.TrimLeft(version, "0123456789"))]
		if n, err := strconv.Atoi(digits); err == nil {
			return n
		}
	}
	return 0
}

// sourcesOf lists the host's paths in a file.
func sourcesOf(c *config.Container, settings *sandbox.Settings) []string {
	var paths []string
	if c.Root.Directory != "" {
		paths = append(paths, c.Root.Directory)
	}
	for _, m := range c.Mounts {
		paths = append(paths, m.Lower...)
		for _, path := range []string{m.Source, m.Upper, m.Work} {
			if path != "" {
				paths = append(paths, path)
			}
		}
	}
	if c.Network.Mode == "host" {
		paths = append(paths, resolvConf)
	}
	for _, b := range settings.Binds {
		paths = append(paths, b.Source)
	}
	paths = append(paths, credentialSources(settings)...)
	for _, s := range c.Resources {
		paths = append(paths, pins(s)...)
	}
	return paths
}

// pins lists the pinned BPF programs that a setting names.
func pins(s config.Setting) []string {
	var paths []string
	switch s.Name {
	case "IPIngressFilterPath", "IPEgressFilterPath":
		paths = s.Values
	case "BPFProgram":
		for _, v := range s.Values {
			_, path, _ := strings.Cut(v, ":")
			paths = append(paths, path)
		}
	}
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return path == "" })
}

func lookAt(path string) Source {
	f, err := kernel.OpenSource(path)
	if err != nil {
		return Source{Err: causeOf(err)}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Source{Err: causeOf(err)}
	}
	st := info.Sys().(*syscall.Stat_t)
	return Source{IsDir: info.IsDir(), UID: st.Uid, GID: st.Gid, Open: reachable(path)}
}

// causeOf is an error without the path, which the message around it names.
func causeOf(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// reachable tells whether every user can enter a directory and those above it.
func reachable(path string) bool {
	for dir := filepath.Clean(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil && info.IsDir() && info.Mode()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// cannotEnforce says why a setting would have no effect on this host.
func (h Host) cannotEnforce(s units.Setting) string {
	if s.Since > oldestSystemd {
		if err := s.CheckVersion(h.SystemdVersion); err != nil {
			return err.Error()
		}
	}
	if s.Controller != "" && !slices.Contains(h.Controllers, s.Controller) {
		return fmt.Sprintf("this host has no %s controller in its unified cgroup hierarchy", s.Controller)
	}
	return ""
}

// osDirectories are where an operating system may have a file system of its
// own that belongs to it; homes, media and containers' storage don't.
var osDirectories = []string{"/usr", "/usr/local", "/etc", "/opt", "/var", "/var/lib", "/srv"}

// osMounts lists those of osDirectories that are mount points here.
func osMounts() []string {
	var found []string
	for _, dir := range osDirectories {
		here, err := os.Lstat(dir)
		if err != nil || !here.IsDir() {
			continue
		}
		if isMountPoint(dir) {
			found = append(found, dir)
		}
	}
	return found
}

func isMountPoint(dir string) bool {
	f, err := kernel.OpenPath(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	root, err := kernel.IsMountRoot(f)
	return err == nil && root
}
