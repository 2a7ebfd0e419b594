package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// KeepCaps leaves the calling thread, of its capabilities, those in keep, and none
// to inherit. See capset(2).
func KeepCaps(keep Caps) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	for i := range data {
		some := uint32(keep >> (32 * i))
		data[i].Permitted &= some
		data[i].Effective = data[i].Permitted
		data[i].Inheritable = 0
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}
