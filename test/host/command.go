package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Cmd is a command inside the host. It is an exec.Cmd whose Start, Run and
// outputs enter the host; Process.Pid is the command's own PID as seen from
// outside. Dir, if set, is a path inside.
//
// The command runs in a cgroup of its own below /outside in the host's
// hierarchy, as no process may stay in a cgroup whose controllers are enabled.
type Cmd struct {
	*exec.Cmd

	host *Host
	leaf cgroup
}

// Command prepares a command inside the host, as root, with a login's minimal
// environment. It is killed when ctx ends. The program is looked up inside.
// A child that it leaves behind with its outputs open is not waited for longer
// than WaitDelay, ten seconds.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	enter := []string{
		"--target", strconv.Itoa(h.state.Init),
		"--mount", "--cgroup", "--uts", "--ipc", "--net", "--root", "--wd", "--", name,
	}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash", "LANG=C.UTF-8",
	}
	return &Cmd{Cmd: cmd, host: h}
}

// Start starts the command; Wait must follow.
func (c *Cmd) Start() error {
	if c.Dir != "" {
		c.enterDirectory()
	}
	leaf, err := c.host.newLeaf()
	if err != nil {
		return err
	}
	dir, err := os.Open(string(leaf))
	if err != nil {
		return fmt.Errorf("cannot enter the host: %v", err)
	}
	defer dir.Close()
	if c.SysProcAttr == nil {
		c.SysProcAttr = &unix.SysProcAttr{}
	}
	c.SysProcAttr.UseCgroupFD = true
	c.SysProcAttr.CgroupFD = int(dir.Fd())
	c.leaf = leaf
	if err := c.startInPIDNamespace(); err != nil {
		return errors.Join(err, leaf.remove())
	}
	return nil
}

// enterDirectory turns Dir, a path inside, into nsenter's option.
func (c *Cmd) enterDirectory() {
	for i, arg := range c.Args {
		if arg == "--wd" {
			c.Args[i] = "--wdns=" + c.Dir
			break
		}
	}
	c.Dir = ""
}

// startInPIDNamespace forks from a thread whose children are born in the
// host's PID namespace, so that no process stands between us and the command.
// The thread stays locked meanwhile: the Go runtime makes no thread from it.
func (c *Cmd) startInPIDNamespace() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := os.Open("/proc/thread-self/ns/pid_for_children")
	if err != nil {
		return fmt.Errorf("cannot enter the host: %v", err)
	}
	defer own.Close()
	target, err := os.Open(filepath.Join("/proc", strconv.Itoa(c.host.state.Init), "ns/pid"))
	if err != nil {
		return fmt.Errorf("cannot enter the host: it is not running: %v", err)
	}
	defer target.Close()
	if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWPID); err != nil {
		return fmt.Errorf("cannot enter the host: setns: %v", err)
	}
	err = c.Cmd.Start()
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWPID); back != nil {
		panic("internal error: cannot leave the host's PID namespace: " + back.Error())
	}
	return err
}

// Wait waits as exec.Cmd does. What the command leaves running stays in its
// cgroup until the host is closed.
func (c *Cmd) Wait() error {
	err := c.Cmd.Wait()
	os.Remove(string(c.leaf)) // refused while something is left there: then it goes with the host
	return err
}

// Run starts the command and waits for it.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns its standard output. Its standard error,
// when not redirected, is part of the error.
func (c *Cmd) Output() ([]byte, error) {
	var stdout, stderr bytes.Buffer
	c.Stdout = &stdout
	if c.Stderr == nil {
		c.Stderr = &stderr
	}
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		exit.Stderr = stderr.Bytes()
		err = fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	return stdout.Bytes(), err
}

// CombinedOutput runs the command and returns both its outputs.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Status is the exit status after Wait as a shell gives it: 128+n when signal n
// killed the command.
func (c *Cmd) Status() int {
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return c.ProcessState.ExitCode()
}

// Processes lists the PIDs, seen from outside, of the command and of those it
// started that systemd or berth has not moved to another cgroup.
func (c *Cmd) Processes() ([]int, error) { return c.leaf.processes() }

// Kill sends SIGKILL to all of Processes.
func (c *Cmd) Kill() error { return c.leaf.kill() }

// newLeaf makes a cgroup for one command.
func (h *Host) newLeaf() (cgroup, error) {
	outside := cgroup(filepath.Join(string(h.cgroup), "outside"))
	if err := outside.make(); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(string(outside), "")
	if err != nil {
		return "", fmt.Errorf("cannot make a cgroup: %v", err)
	}
	return cgroup(dir), nil
}

// Output runs a command inside and returns its standard output.
func (h *Host) Output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := h.Command(ctx, name, args...).Output()
	return string(out), err
}

// Shell runs a script with sh -eu inside and returns its standard output.
func (h *Host) Shell(ctx context.Context, script string) (string, error) {
	return h.Output(ctx, "/bin/sh", "-euc", script)
}

// Journal returns the messages of a unit, one per line, oldest first, after
// what was logged so far has been written.
func (h *Host) Journal(ctx context.Context, unit string) (string, error) {
	if _, err := h.Output(ctx, "journalctl", "--sync"); err != nil {
		return "", err
	}
	return h.Output(ctx, "journalctl", "--no-pager", "--quiet", "--output=cat", "--unit="+unit)
}

// Remove removes a path inside with all below it, as rm -rf does.
func (h *Host) Remove(path string) error {
	_, err := h.Output(context.Background(), "rm", "-rf", "--", path)
	return err
}
