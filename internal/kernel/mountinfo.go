package kernel

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// MountInfo is one line of a mountinfo file, as far as it is of use here. See
// proc_pid_mountinfo(5).
type MountInfo struct {
	ID, Parent uint64   // used again once the mount is gone
	Device     string   // major:minor of the file system
	Root       string   // what of the file system is mounted
	Target     string   // where it is mounted, below the process' root
	Flags      []string // of the mount: ro, nosuid, …
	Type       string   // of the file system
	Options    []string // of the file system, not those of the mount
}

// Number is the device as makedev(3) has it; 0 if it isn't one.
func (m MountInfo) Number() uint64 {
	var major, minor uint32
	if _, err := fmt.Sscanf(m.Device, "%d:%d", &major, &minor); err != nil {
		return 0
	}
	return unix.Mkdev(major, minor)
}

// Mounts lists the mounts that the calling thread sees, in the order in which
// they were made: a later one covers an earlier one of the same target.
func Mounts() ([]MountInfo, error) { return readMounts("/proc/thread-self/mountinfo") }

// MountsOf is Mounts of another process.
func MountsOf(pid int) ([]MountInfo, error) {
	return readMounts("/proc/" + strconv.Itoa(pid) + "/mountinfo")
}

func readMounts(name string) ([]MountInfo, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot list the mounts: %w", err)
	}
	return ParseMounts(string(data))
}

// ParseMounts reads a mountinfo file.
func ParseMounts(text string) ([]MountInfo, error) {
	var list []MountInfo
	for line := range strings.Lines(text) {
		m, ok := parseMountInfo(line)
		if !ok {
			return nil, fmt.Errorf("cannot parse the mount %q", line)
		}
		list = append(list, m)
	}
	return list, nil
}

// parseMountInfo reads a line. A " - " ends the optional fields in its middle,
// and the source after it can be empty.
func parseMountInfo(line string) (MountInfo, bool) {
	before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
	mount, fs := strings.Split(before, " "), strings.Split(after, " ")
	if !ok || len(mount) < 6 || len(fs) < 3 {
		return MountInfo{}, false
	}
	id, err := strconv.ParseUint(mount[0], 10, 64)
	parent, parentErr := strconv.ParseUint(mount[1], 10, 64)
	if err != nil || parentErr != nil {
		return MountInfo{}, false
	}
	return MountInfo{
		ID:      id,
		Parent:  parent,
		Device:  mount[2],
		Root:    unescape(mount[3]),
		Flags:   strings.Split(mount[5], ","),
		Target:  unescape(mount[4]),
		Type:    fs[0],
		Options: strings.Split(fs[len(fs)-1], ","),
	}, true
}

// unescape replaces \ooo, which stands for blanks and backslashes.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
