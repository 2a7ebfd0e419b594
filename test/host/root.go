package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// CacheDir is where roots are kept, outside any checkout:
// $XDG_CACHE_HOME/berth, or /var/cache/berth.
func CacheDir() string {
	if dir := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "berth")
	}
	return "/var/cache/berth"
}

// Root returns the directory of the suite's pristine root, built first when it
// is missing or its recipe has changed. Nobody may write to it. Concurrent
// callers wait for the one that builds. Progress goes to log.
func Root(ctx context.Context, s Suite, log io.Writer) (string, error) {
	return cached(s.Name, s.rootName(), log, func(dir string) error {
		if err := buildRoot(ctx, s, packages(), dir); err != nil {
			return err
		}
		return configureRoot(dir)
	})
}

// cached returns the root in the cache of that file name, which build makes when it
// is not there: then others of name are outdated.
func cached(name, file string, log io.Writer, build func(dir string) error) (string, error) {
	roots := filepath.Join(CacheDir(), "roots")
	if err := os.MkdirAll(roots, 0o755); err != nil {
		return "", fmt.Errorf("cannot cache roots: %v", err)
	}
	root := filepath.Join(roots, file)
	lock, err := lockFile(filepath.Join(roots, name+".lock"), unix.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	fmt.Fprintf(log, "building the %s root in %s\n", name, root)
	building := filepath.Join(roots, name+"-building")
	if err := os.RemoveAll(building); err != nil {
		return "", fmt.Errorf("cannot remove an unfinished root: %v", err)
	}
	if err := build(building); err != nil {
		return "", fmt.Errorf("cannot build the %s root: %v", name, err)
	}
	if err := os.Rename(building, root); err != nil {
		return "", fmt.Errorf("cannot keep the %s root: %v", name, err)
	}
	return root, removeOutdated(root, filepath.Join(roots, name+"-*"))
}

// removeOutdated removes the roots of older recipes. A host still running on
// one has a copy of its own, and only loses sight of /opt/debian.
func removeOutdated(current, pattern string) error {
	roots, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, root := range roots {
		if root == current {
			continue
		}
		if err := os.RemoveAll(root); err != nil {
			return fmt.Errorf("cannot remove an outdated root: %v", err)
		}
	}
	return nil
}

// excludedPaths are dpkg globs that no test reads.
func excludedPaths() []string {
	return []string{"/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/lib/x86_64-linux-gnu/gconv/*"}
}

// buildRoot unpacks Debian with these packages.
func buildRoot(ctx context.Context, s Suite, packages []string, dir string) error {
	args := []string{
		"--quiet", "--mode=root", "--format=directory", "--variant=minbase",
		"--include=" + strings.Join(packages, ","),
	}
	for _, option := range append(machineAptOptions(ctx), s.aptOptions...) {
		args = append(args, "--aptopt="+option)
	}
	for _, path := range excludedPaths() {
		args = append(args, "--dpkgopt=path-exclude="+path)
	}
	args = append(args, s.Name, dir)
	if mirror := machineMirror(ctx); mirror != "" {
		args = append(args, mirror)
	}
	var messages bytes.Buffer
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.Stdout, cmd.Stderr = &messages, &messages
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGTERM}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mmdebstrap: %v\n%s", err, messages.Bytes())
	}
	return nil
}

// configureRoot makes a freshly unpacked root one that boots in a namespace.
func configureRoot(dir string) error {
	for name, content := range settings() {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	for _, unit := range maskedUnits() {
		path := filepath.Join(dir, "etc/systemd/system", unit)
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if err := os.Symlink("/dev/null", path); err != nil {
			return err
		}
	}
	// As after the first boot: nothing is to be updated at the next.
	for _, name := range []string{"etc/.updated", "var/.updated"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			return err
		}
	}
	return os.Symlink("/opt/berth/bin/berth", filepath.Join(dir, "usr/local/bin/berth"))
}

// machineMirror is the Debian mirror this machine's apt uses; "" leaves the
// choice to mmdebstrap.
func machineMirror(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets",
		"--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian", "Component: main").Output()
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}

// machineAptOptions are the settings of this machine's apt that decide how a
// mirror is reached and how old it may be.
func machineAptOptions(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return nil
	}
	var options []string
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, " ")
		if strings.HasPrefix(name, "Acquire::Check-") || strings.HasPrefix(name, "Acquire::http") && strings.Contains(name, "Proxy") {
			options = append(options, strings.TrimSuffix(strings.TrimSpace(line), ";"))
		}
	}
	return options
}

// lockFile opens path, made when missing, and takes the flock(2) how on it.
// Closing the file, or dying, releases the lock.
func lockFile(path string, how int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock: %v", err)
	}
	for {
		err = unix.Flock(int(file.Fd()), how)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot lock %q: %w", path, err)
	}
	return file, nil
}
