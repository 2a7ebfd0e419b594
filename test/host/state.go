package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// state is what is kept about a host in its directory, hosts/ID in CacheDir,
// beside its root and the lock that its owner holds while it lives.
type state struct {
	ID       string
	Suite    string
	Init     int  // PID of the host's systemd, outside
	Detached bool // stays when the one who booted it ends
}

func hostsDir() string         { return filepath.Join(CacheDir(), "hosts") }
func hostDir(id string) string { return filepath.Join(hostsDir(), id) }

// register makes a directory and takes its lock, so that a sweep sees either
// nothing or a host with an owner. With a name, that is the ID, and it must be
// free; without, one is made up.
func register(name string) (id string, lock *os.File, err error) {
	if strings.ContainsAny(name, "/.") {
		return "", nil, fmt.Errorf("cannot name a host %q: no slash or dot allowed", name)
	}
	unlock, err := lockHosts()
	if err != nil {
		return "", nil, err
	}
	defer unlock()
	dir := hostDir(name)
	if name == "" {
		dir, err = os.MkdirTemp(hostsDir(), "")
	} else {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		return "", nil, fmt.Errorf("cannot register a host: %w", err)
	}
	if (state{ID: filepath.Base(dir)}).alive() {
		return "", nil, errors.Join(fmt.Errorf("cannot register host %q: it runs from another cache directory", name), os.Remove(dir))
	}
	lock, err = lockFile(filepath.Join(dir, "lock"), unix.LOCK_EX|unix.LOCK_NB)
	return filepath.Base(dir), lock, err
}

// lockHosts excludes other processes from registering and sweeping.
func lockHosts() (unlock func() error, err error) {
	if err := os.MkdirAll(hostsDir(), 0o755); err != nil {
		return nil, fmt.Errorf("cannot keep hosts: %v", err)
	}
	file, err := lockFile(hostsDir()+".lock", unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	return file.Close, nil
}

func (s state) write() error {
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(hostDir(s.ID), "state.json"), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the host's state: %v", err)
	}
	return nil
}

func readState(id string) (state, error) {
	var s state
	data, err := os.ReadFile(filepath.Join(hostDir(id), "state.json"))
	if err != nil {
		return s, fmt.Errorf("cannot read the host's state: %w", err)
	}
	return s, json.Unmarshal(data, &s)
}

// alive says whether the host's systemd still runs. The cgroup is asked, as
// its name, unlike a PID, is never used again by something else.
func (s state) alive() bool {
	cgroup, err := hostCgroup(s.ID)
	return err == nil && cgroup.populated()
}

// Sweep removes what hosts left whose owners died without closing them. Hosts
// that an owner holds, and detached ones that run, are left alone.
func Sweep() error {
	unlock, err := lockHosts()
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(hostsDir())
	if err != nil {
		return fmt.Errorf("cannot sweep dead hosts: %v", err)
	}
	var failed error
	for _, entry := range entries {
		failed = errors.Join(failed, sweepOne(entry.Name()))
	}
	return failed
}

func sweepOne(id string) error {
	lock, err := lockFile(filepath.Join(hostDir(id), "lock"), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if s, err := readState(id); err == nil && s.Detached && s.alive() {
		return nil
	}
	return remove(id)
}

// remove kills a host and removes its cgroup and its directory. Its mounts and
// processes end with its namespaces.
func remove(id string) error {
	cgroup, err := hostCgroup(id)
	if err != nil {
		return err
	}
	if err := cgroup.kill(); err != nil {
		return err
	}
	if err := cgroup.remove(); err != nil {
		return fmt.Errorf("cannot remove a host's cgroup: %v", err)
	}
	if err := os.RemoveAll(hostDir(id)); err != nil {
		return fmt.Errorf("cannot remove a host's directory: %v", err)
	}
	return nil
}
