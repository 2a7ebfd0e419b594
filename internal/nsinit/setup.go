package nsinit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Setup is all that a child has to know. It says what to do, not why: every
// decision was taken by the launcher.
type Setup struct {
	Root     string   `json:"root,omitempty"`     // path of the built root in the child's mount namespace
	Scope    string   `json:"scope,omitempty"`    // the unit that systemd puts the container into
	Slave    bool     `json:"-"`                  // make its mounts slaves of the launcher's, as a user namespace does by itself
	Hostname string   `json:"hostname,omitempty"` // "" leaves it
	Loopback bool     `json:"loopback,omitempty"` // bring "lo" up
	OpenFS   []string `json:"-"`                  // file system types to open a context of, see fsopen(2); at most 16
	Process  Process  `json:"process"`
	Copy     *Copy    `json:"copy,omitempty"` // CopyName only

	// Record is another Trap. Whether it is that the launcher says with Go: there
	// can be one listener only.
	Record *kernel.Filter `json:"record,omitempty"`
}

// Process is the payload, or a command run beside it.
type Process struct {
	Args       []string          `json:"args"`
	Env        []string          `json:"env"`             // KEY=VALUE, before what the user database gives
	Unset      []string          `json:"unset,omitempty"` // KEY or KEY=VALUE, of what the user database would give
	User       string            `json:"user"`            // name or uid, then optionally :group; "" is 0
	Dir        string            `json:"dir"`
	Terminal   bool              `json:"terminal"` // the terminal comes with the Go message
	LoginShell bool              `json:"login_shell,omitempty"`
	Boot       bool              `json:"boot"` // the payload takes over PID 1
	IDs        uint32            `json:"ids"`  // IDs 0 … IDs-1 exist inside
	Attributes kernel.Attributes `json:"attributes"`
	Limits     []kernel.Rlimit   `json:"limits"`
	Filters    []kernel.Filter   `json:"filters,omitempty"` // the first is set first
	Trap       *kernel.Filter    `json:"trap,omitempty"`    // set before Filters, which may not allow that: its listener goes to the launcher
}

// Args are the arguments of the process that gets the setup: what is done before
// Go starts in it, by enter.c.
func (s Setup) Args() []string {
	slave := ""
	if s.Slave {
		slave = "slave"
	}
	return append([]string{SetupName, slave}, s.OpenFS...)
}

// File puts the setup into a sealed memfd, for the child's descriptor 4.
func (s Setup) File() (*os.File, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("berth-setup", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "berth-setup")
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, err
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("fcntl F_ADD_SEALS: %w", err)
	}
	return f, nil
}

// readSetup reads it on the child's side, and closes it.
func readSetup(f *os.File) (Setup, error) {
	defer f.Close()
	var s Setup
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		return s, err
	}
	return s, json.NewDecoder(bytes.NewReader(data)).Decode(&s)
}
