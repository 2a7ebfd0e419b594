package launcher

import (
	"os"
	"strconv"

	"berth/internal/kernel"
)

// devices are what systemd's PrivateDevices=yes has, by number. See
// Documentation/admin-guide/devices.txt.
var devices = []struct {
	name         string
	major, minor uint32
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
}

// dev makes the container's /dev: real nodes that belong to its root, which can
// make no others.
func (s *stage) dev(m Mount) (*os.File, error) {
	mnt, err := s.tmpfs(m)
	if err != nil {
		return nil, err
	}
	owner := s.owner()
	for _, d := range devices {
		if err := kernel.MakeDevice(mnt, d.name, d.major, d.minor, owner); err != nil {
			return nil, err
		}
	}
	links := [][2]string{{"/proc/self/fd", "fd"}, {"pts/ptmx", "ptmx"}}
	for i, name := range []string{"stdin", "stdout", "stderr"} {
		links = append(links, [2]string{"/proc/self/fd/" + strconv.Itoa(i), name})
	}
	return mnt, kernel.As(owner, func() error {
		for _, l := range links {
			if err := kernel.SymlinkIn(mnt, l[0], l[1]); err != nil {
				return err
			}
		}
		return nil
	})
}
