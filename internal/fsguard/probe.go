package fsguard

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Probe tells why this kernel would not enforce a guard; nil: it will. Only root
// can find out all of it.
func Probe(l Layout) error {
	if err := Asked(); err != nil {
		return err
	}
	g, err := New(Rule{}, l)
	if err != nil {
		return err
	}
	return g.Close()
}

// Asked is nil where BPF is among the active security modules. Where it isn't,
// guards can be attached and are never asked.
func Asked() error {
	modules, err := kernel.LSMs()
	if errors.Is(err, unix.ENOSYS) {
		modules, err = securityModules()
	}
	if err != nil {
		return fmt.Errorf("cannot tell the active security modules: %w", err)
	}
	if !slices.Contains(modules, "bpf") {
		return fmt.Errorf("BPF is not among the active security modules (%s): add it to lsm= on the kernel's command line", strings.Join(modules, ","))
	}
	return nil
}

// securityModules reads them from securityfs, mounted or not. For kernels before
// 6.8, which have no lsm_list_modules(2).
func securityModules() ([]string, error) {
	f, err := os.Open("/sys/kernel/security/lsm")
	if errors.Is(err, fs.ErrNotExist) {
		f, err = openUnmounted()
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	return strings.Split(strings.TrimSpace(string(data)), ","), err
}

func openUnmounted() (*os.File, error) {
	mnt, err := kernel.NewFS("securityfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, err
	}
	defer mnt.Close()
	return kernel.OpenAt(mnt, "lsm", unix.O_RDONLY)
}
