// Package host boots a real systemd as PID 1 of namespaces of its own, at
// native speed, on a machine that may have none: the private host that berth's
// integration tests, demo and benchmark run on.
//
//	h, err := host.Boot(ctx, host.Options{Suite: "trixie"})
//	if err != nil { … }
//	defer h.Close()
//	out, err := h.Output(ctx, "systemctl", "is-system-running")
//
// A host is a Debian root with mount, PID, UTS, IPC, network and cgroup
// namespaces and a cgroup2 hierarchy of its own. The root is a plain directory,
// copied for each host from one that is built once and cached, because an
// overlay can be neither idmapped nor the upper layer of another overlay, and
// because a copy (0.35 s) lets every test write wherever it likes. Inside,
// /opt/berth is the checkout and /opt/debian the pristine root, both read-only;
// /usr/local/bin/berth leads to /opt/berth/bin/berth.
//
// The host dies with the process that booted it, however that ends, unless it
// was booted detached. What a dead one leaves on disk goes at the next Boot.
//
// It works the same where the machine's PID 1 is systemd: tests that break things
// belong in a host that ends. Its cgroup is then at the top of the hierarchy,
// beside systemd's slices, and systemd leaves it alone.
//
// Limitations: root is needed, as is util-linux. The network is a loopback. The
// controllers are those that the machine has for cgroup v2, none where version
// 1 holds them: then MemoryMax= and its like are accepted and not enforced.
// The kernel, its modules and most sysctls are the machine's: units that
// would change them are masked, but root inside is root outside.
package host

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed boot.sh
var bootScript string

// Options say what to boot. The zero value is a host of the default suite with
// the checkout around the working directory, ended with this process.
type Options struct {
	Suite    string    // a name of Suites; "" is DefaultSuite
	Source   string    // directory to show as /opt/berth; "" is the module around the working directory
	Name     string    // for Attach; "" makes one up
	Detached bool      // stays when this process ends, until Remove
	Log      io.Writer // progress of what takes seconds; nil is nowhere
}

// Host is a running private host. Its methods may be used concurrently.
type Host struct {
	state  state
	cgroup cgroup

	// Of the one who booted it; nil when attached.
	lock   *os.File
	exited chan struct{}
}

// Boot starts a host and returns when its systemd says that it is running, or
// degraded: see Output of systemctl --failed. A canary suite whose root can't
// be built is an error like any other; Suite.Canary says what to make of it.
func Boot(ctx context.Context, o Options) (*Host, error) {
	suite, err := SuiteNamed(o.Suite)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Source == "" {
		if o.Source, err = moduleRoot(); err != nil {
			return nil, err
		}
	}
	if os.Getuid() != 0 {
		return nil, errors.New("cannot boot a private host: only root can")
	}
	pristine, err := Root(ctx, suite, o.Log)
	if err != nil {
		return nil, err
	}
	if err := Sweep(); err != nil {
		return nil, err
	}
	id, lock, err := register(o.Name)
	if err != nil {
		return nil, err
	}
	h := &Host{state: state{ID: id, Suite: suite.Name, Detached: o.Detached}, lock: lock}
	if err := h.boot(ctx, o.Source, pristine); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot boot %s: %v", suite.Name, err), h.Close())
	}
	return h, nil
}

// Attach returns the running host that was booted with that name.
func Attach(name string) (*Host, error) {
	s, err := readState(name)
	if err == nil && !s.alive() {
		err = errors.New("it has died")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot attach to host %q: %w", name, err)
	}
	cgroup, err := hostCgroup(name)
	return &Host{state: s, cgroup: cgroup}, err
}

// Suite is the suite the host runs.
func (h *Host) Suite() Suite {
	s, err := SuiteNamed(h.state.Suite)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return s
}

// PID is that of the host's systemd, seen from outside.
func (h *Host) PID() int { return h.state.Init }

// RootDir is where the host's root directory lies outside. Mounts made inside
// are not to be seen there.
func (h *Host) RootDir() string { return filepath.Join(hostDir(h.state.ID), "root") }

// CgroupDir is the directory of the host's cgroup root outside.
func (h *Host) CgroupDir() string { return string(h.cgroup) }

// Close ends the host with everything in it, removes all it had, and checks
// that nothing is left: what is, is the error.
func (h *Host) Close() error {
	// Held, so that the kernel gives its number to no other until the end.
	held, err := os.Open(filepath.Join("/proc", strconv.Itoa(h.state.Init), "ns/pid"))
	if err == nil {
		defer held.Close()
	}
	pidns := h.pidNamespace()
	if err := remove(h.state.ID); err != nil {
		return err
	}
	if h.exited != nil {
		<-h.exited
	}
	if h.lock != nil {
		h.lock.Close()
	}
	return leftovers(h.state.ID, pidns)
}

func (h *Host) boot(ctx context.Context, source, pristine string) error {
	var err error
	if h.cgroup, err = hostCgroup(h.state.ID); err != nil {
		return err
	}
	if err := h.cgroup.make(); err != nil {
		return err
	}
	if err := h.copyRoot(ctx, pristine); err != nil {
		return err
	}
	if err := h.start(source, pristine); err != nil {
		return err
	}
	if err := h.waitUntilUp(ctx); err != nil {
		return err
	}
	if _, err := h.Shell(ctx, "umount --lazy /proc/sys"); err != nil {
		return err
	}
	return h.state.write() // from now on it can be attached to
}

// copyRoot gives the host a root, and an identity, of its own.
func (h *Host) copyRoot(ctx context.Context, pristine string) error {
	out, err := exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", pristine, h.RootDir()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot copy the root: %v: %s", err, bytes.TrimSpace(out))
	}
	uuid, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	if err != nil {
		return fmt.Errorf("cannot make a machine ID: %v", err)
	}
	id := strings.ReplaceAll(string(uuid), "-", "")
	return os.WriteFile(filepath.Join(h.RootDir(), "etc/machine-id"), []byte(id), 0o444)
}

// start makes the namespaces and runs the boot script as their PID 1. It forks
// from a thread that does nothing else but wait, because the death of that
// thread, not only of the process, would be the death of the host.
func (h *Host) start(source, pristine string) error {
	console, err := os.Create(h.consoleFile())
	if err != nil {
		return err
	}
	defer console.Close()
	cgroup, err := os.Open(string(h.cgroup))
	if err != nil {
		return err
	}
	defer cgroup.Close()
	// The cgroup namespace is rooted where its maker is, so it is made after
	// the clone into the cgroup, not by it.
	cmd := exec.Command("unshare", "--cgroup", "/bin/sh", "-c", bootScript, "boot.sh",
		h.RootDir(), source, pristine, "/.old")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &unix.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
		UseCgroupFD: true,
		CgroupFD:    int(cgroup.Fd()),
		Setsid:      true,
	}
	if !h.state.Detached {
		cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	}
	started := make(chan error)
	h.exited = make(chan struct{})
	go func() {
		defer close(h.exited)
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // its status is that of a kill
		}
		runtime.UnlockOSThread()
	}()
	if err := <-started; err != nil {
		return err
	}
	h.state.Init = cmd.Process.Pid
	return nil
}

func (h *Host) consoleFile() string { return filepath.Join(hostDir(h.state.ID), "console.log") }

// waitUntilUp polls until systemd can be asked, which then waits by itself.
func (h *Host) waitUntilUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		out, err := h.Command(ctx, "systemctl", "is-system-running", "--wait").CombinedOutput()
		switch strings.TrimSpace(string(out)) {
		case "running", "degraded":
			return nil
		}
		select {
		case <-h.exited:
			console, _ := os.ReadFile(h.consoleFile())
			return fmt.Errorf("its init has ended:\n%s", console)
		case <-ctx.Done():
			console, _ := os.ReadFile(h.consoleFile())
			return fmt.Errorf("systemd is not up: %v: %s\n%s", err, bytes.TrimSpace(out), console)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// moduleRoot is the nearest directory at or above the working directory that
// has a go.mod.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot find the checkout: %v", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", fmt.Errorf("cannot find the checkout: no go.mod at or above %q", start)
		}
	}
}
