package learn

import (
	"path"
	"slices"
	"strings"
)

// Predicates of paths.

func anywhere(string) bool { return true }

// below tells of a directory and what is in it.
func below(dirs ...string) func(string) bool {
	return func(p string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return p == d || d == "/" || strings.HasPrefix(p, d+"/") })
	}
}

func among(paths ...string) func(string) bool {
	return func(p string) bool { return slices.Contains(paths, p) }
}

func isClock(p string) bool { return strings.HasPrefix(p, "/dev/rtc") }

// isOtherDevice tells of device nodes that PrivateDevices= takes away. All of
// /dev are asked for, directories too.
func isOtherDevice(p string) bool {
	private := []string{"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue",
		"fd", "stdin", "stdout", "stderr", "log", "char", "hugepages"}
	rest, ok := strings.CutPrefix(p, "/dev/")
	if !ok {
		return false
	}
	first, _, _ := strings.Cut(rest, "/")
	return !slices.Contains(private, first)
}

// isTunable tells of what ProtectKernelTunables= makes read-only. Of what it hides
// reading counts as well.
func isTunable(p string) bool {
	if below("/proc")(p) {
		return isProcBeside(p)
	}
	return below("/sys")(p) && !below("/sys/fs/cgroup", "/sys/fs/selinux")(p)
}

// isProcBeside tells of what is in /proc beside the processes: all that
// ProcSubset=pid takes away.
func isProcBeside(p string) bool {
	rest, ok := strings.CutPrefix(p, "/proc/")
	if !ok {
		return false
	}
	first, _, _ := strings.Cut(rest, "/")
	return first != "self" && first != "thread-self" && strings.Trim(first, "0123456789") != ""
}

// paths returns the paths that were used in one of these ways.
func (d *deriving) paths(is func(string) bool, ways ...string) []string {
	var found []string
	for _, f := range d.Files {
		if is(f.Path) && f.used(ways...) {
			found = append(found, f.Path)
		}
	}
	return found
}

// system protects the file system.
func (d *deriving) system() {
	d.home()
	written := d.written()
	switch {
	case !slices.Contains(written, "/"):
		d.set("ProtectSystem", "", "strict")
		if len(written) > 0 {
			d.set("ReadWritePaths", "where it makes or changes files", words(written)...)
		}
	case len(d.paths(below("/etc"), Write, Entries)) == 0 && len(d.paths(below("/usr", "/boot", "/efi"), Write, Entries)) == 0:
		d.set("ProtectSystem", `it makes or removes files in "/"`, "full")
	case len(d.paths(below("/usr", "/boot", "/efi"), Write, Entries)) == 0:
		d.set("ProtectSystem", `it writes to "/" and /etc`, "yes")
	default:
		d.set("ProtectSystem", "off: it writes everywhere", "no")
	}
	d.executable()
}

// home is where people keep their files.
func (d *deriving) home() {
	homes := below("/home", "/root", "/run/user")
	written := d.paths(homes, Write, Entries)
	used := d.paths(homes, Read, Execute, Map)
	switch {
	case len(written) > 0:
		d.set("ProtectHome", "off: it writes to "+some(written), "no")
	case len(used) > 0:
		d.set("ProtectHome", "it uses "+some(used), "read-only")
	case homes(d.facts.WorkingDirectory):
		d.set("ProtectHome", "its working directory is there", "read-only")
	default:
		d.on("ProtectHome")
	}
}

// written lists what ProtectSystem=strict has to leave writable: directories with
// changed entries and files that were written, the topmost only. Not what that
// setting leaves alone, and /tmp and /var/tmp, which PrivateTmp= has made.
func (d *deriving) written() []string {
	ours := below("/dev", "/proc", "/sys", "/tmp", "/var/tmp")
	var paths []string
	files := map[string]int{} // by directory
	for _, f := range d.Files {
		if f.used(Write, Entries) && !ours(f.Path) {
			paths = append(paths, f.Path)
			files[path.Dir(f.Path)]++
		}
	}
	for i, p := range paths {
		if dir := path.Dir(p); files[dir] > mostFiles && dir != "/" {
			paths[i] = dir
		}
	}
	paths = tops(paths)
	// Below /run are directories that this very program may have made: they aren't
	// there when it starts again.
	for i, p := range paths {
		if below("/run")(p) && p != "/run" {
			paths[i] = "/run"
		}
	}
	return tops(paths)
}

// mostFiles is how many paths in one directory are named one by one.
const mostFiles = 4

// words writes paths as words of a list in a unit file. One that has characters
// with a meaning there gives way to its directory.
func words(paths []string) []string {
	quoted := make([]string, len(paths))
	for i, p := range paths {
		for p != "/" && strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`"'\%:`, r) }) {
			p = path.Dir(p)
		}
		if strings.Contains(p, " ") {
			p = `"` + p + `"`
		}
		quoted[i] = p
	}
	return union(quoted)
}

// tops leaves out what is below another of the paths.
func tops(paths []string) []string {
	paths = union(paths)
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		return slices.ContainsFunc(paths, func(q string) bool { return q != p && below(q)(p) })
	})
}

// mostPrograms is how many programs are named one by one.
const mostPrograms = 8

// executable allows execution of what was executed, and of the libraries'
// directories.
func (d *deriving) executable() {
	programs, libraries := d.paths(isOnDisk, Execute), d.paths(isOnDisk, Map)
	for i, l := range libraries {
		libraries[i] = libraryDir(l)
	}
	dirs := tops(libraries)
	if len(programs) > mostPrograms {
		for i, p := range programs {
			programs[i] = path.Dir(p)
		}
	}
	all := tops(append(programs, dirs...))
	if len(all) == 0 || slices.Contains(all, "/") {
		return
	}
	d.set("NoExecPaths", "all but what it executes, and the libraries' directories", "/")
	d.set("ExecPaths", "", words(all)...)
}

// isOnDisk leaves out memory that has a name, and devices.
func isOnDisk(p string) bool {
	for _, prefix := range []string{"/memfd:", "/SYSV", "/dev/", "/proc/", "/sys/", "/anon_hugepage"} {
		if strings.HasPrefix(p, prefix) {
			return false
		}
	}
	return true
}

// libraryDir is the directory that a library's updates and plug-ins stay in.
func libraryDir(p string) string {
	for _, dir := range []string{"/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/local/lib", "/lib", "/lib64"} {
		if below(dir)(p) {
			return dir
		}
	}
	return path.Dir(p)
}
