// Command bench times the start of /bin/true by berth and by its peers, in
// turns, on one host and in one run: times move between runs, ratios hold. It
// then measures what a running container costs. It needs root, systemd, the
// peers, and a Debian tree; make bench runs it in a private host.
//
//	bench [-rounds 40] [-root /opt/debian]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	rounds := flag.Int("rounds", 40, "starts of each")
	root := flag.String("root", "/opt/debian", "root of the containers, not written to")
	calls := flag.Bool("calls", false, "time mount calls, in a container")
	flag.Parse()
	err := error(nil)
	if *calls {
		err = benchCalls()
	} else {
		err = run(*rounds, *root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int, root string) error {
	dir, err := os.MkdirTemp("", "berth-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := prepare(dir, root)
	if err != nil {
		return err
	}
	for _, table := range []struct {
		title string
		pause time.Duration
	}{
		{"one start after another", 0},
		// Moving a process to another cgroup is slow when nobody has done so for
		// a while: what a single start costs on an idle machine.
		{"starts with a pause", 60 * time.Millisecond},
	} {
		starts := contenders(files, root)
		if err := measure(starts, rounds, table.pause); err != nil {
			return err
		}
		printTable(table.title, starts)
	}
	strict := []*contender{
		{name: "profile strict", args: []string{"berth", "run", "--best-effort", files.strict}},
		{name: "without its filters", args: []string{"berth", "run", "--best-effort", files.unfiltered}},
	}
	if err := measure(strict, 2*rounds, 0); err != nil {
		return err
	}
	printTable("filters of system calls", strict)
	printDifference("the filters cost", strict)
	quick := []*contender{
		{name: "berth --help", args: []string{"berth", "--help"}},
		{name: "berth check", args: []string{"berth", "check", files.berth}},
	}
	if err := measure(quick, rounds, 0); err != nil {
		return err
	}
	printTable("no container", quick)
	if err := benchGuard(dir, root); err != nil {
		return err
	}
	for _, file := range []string{files.sleeper, files.guarded} {
		if err := printMemory(file); err != nil {
			return err
		}
	}
	return nil
}

// contender is a command and how long its runs took.
type contender struct {
	name  string
	args  []string
	times []time.Duration
}

// files are what the contenders are told to run.
type files struct {
	berth   string // TOML that runs /bin/true
	sleeper string // TOML that runs until it is stopped
	guarded string // the same, with profile system, whose mount calls are guarded
	bundle  string // OCI bundle that runs /bin/true

	strict, unfiltered string // TOML that runs /bin/true with profile strict, and without the profile's filters
}

// contenders lists the peers with what makes them comparable: a user
// namespace, a scope or service of systemd's, the same read-only root.
func contenders(f files, root string) []*contender {
	return []*contender{
		{name: "/bin/true alone", args: []string{"/bin/true"}},
		{name: "bwrap --unshare-all", args: []string{"bwrap", "--unshare-all", "--ro-bind", root, "/", "/bin/true"}},
		{name: "systemd-run --scope", args: []string{"systemd-run", "--scope", "--quiet", "--collect", "/bin/true"}},
		{name: "berth run", args: []string{"berth", "run", f.berth}},
		{name: reference, args: []string{"crun", "--systemd-cgroup", "run", "--bundle", f.bundle, "bench-crun"}},
		{name: "runc --systemd-cgroup", args: []string{"runc", "--systemd-cgroup", "run", "--bundle", f.bundle, "bench-runc"}},
		{name: "systemd-nspawn -U", args: []string{"systemd-nspawn", "--quiet", "-U", "--read-only", "--directory", root, "/bin/true"}},
	}
}

// reference is the contender the others' ratios are to.
const reference = "crun --systemd-cgroup"

// noFilters undoes each setting of the profile strict that is a filter, and makes
// by other settings what these do to paths.
const noFilters = `
[sandbox]
SystemCallFilter = ""
SystemCallArchitectures = ""
RestrictAddressFamilies = ""
RestrictNamespaces = false
RestrictRealtime = false
RestrictSUIDSGID = false
LockPersonality = false
MemoryDenyWriteExecute = false
ProtectKernelTunables = false
ProtectKernelModules = false
PrivateDevices = false
ReadOnlyPaths = ["-/proc/acpi", "-/proc/bus", "-/proc/fs", "-/proc/irq", "-/proc/mtrr", "-/proc/scsi", "-/proc/sys", "-/proc/sysrq-trigger", "/sys", "-/dev"]
InaccessiblePaths = ["-/proc/kallsyms", "-/proc/kcore", "-/lib/modules", "-/usr/lib/modules"]
ReadWritePaths = ["-/sys/fs/selinux", "/dev/pts", "/dev/shm", "/dev/mqueue"]
`

// prepare writes the containers' descriptions.
func prepare(dir, root string) (files, error) {
	f := files{
		berth:   filepath.Join(dir, "bench.toml"),
		sleeper: filepath.Join(dir, "sleeper.toml"),
		guarded: filepath.Join(dir, "guarded-sleeper.toml"),
		bundle:  filepath.Join(dir, "bundle"),

		strict:     filepath.Join(dir, "strict.toml"),
		unfiltered: filepath.Join(dir, "unfiltered.toml"),
	}
	const description = "[root]\ndirectory = %q\nread_only = true\n[process]\ncommand = [%s]\n"
	if err := os.WriteFile(f.berth, fmt.Appendf(nil, description, root, `"/bin/true"`), 0o644); err != nil {
		return f, err
	}
	sleeper := fmt.Appendf(nil, description, root, `"/bin/sleep", "1000"`)
	if err := os.WriteFile(f.sleeper, sleeper, 0o644); err != nil {
		return f, err
	}
	if err := os.WriteFile(f.guarded, append([]byte("profile = \"system\"\n"), sleeper...), 0o644); err != nil {
		return f, err
	}
	strict := fmt.Appendf([]byte("profile = \"strict\"\n"), description, root, `"/bin/true"`)
	if err := os.WriteFile(f.strict, strict, 0o644); err != nil {
		return f, err
	}
	if err := os.WriteFile(f.unfiltered, append(strict, noFilters...), 0o644); err != nil {
		return f, err
	}
	return f, writeBundle(f.bundle, root)
}

// writeBundle starts from the specification that crun itself proposes.
func writeBundle(dir, root string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	propose := exec.Command("crun", "spec")
	propose.Dir = dir
	if out, err := propose.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make an OCI bundle: %v: %s", err, out)
	}
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec specs.Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return fmt.Errorf("cannot read the specification of crun: %v", err)
	}
	inUserNamespace(&spec, root)
	if data, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func inUserNamespace(spec *specs.Spec, root string) {
	spec.Process.Terminal = false
	spec.Process.Args = []string{"/bin/true"}
	spec.Root.Path = root
	ids := []specs.LinuxIDMapping{{HostID: 1 << 20, Size: 1 << 16}}
	spec.Linux.UIDMappings, spec.Linux.GIDMappings = ids, ids
	spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
}
