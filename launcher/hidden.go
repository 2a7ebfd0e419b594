package launcher

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// hiddenOfHost is what a container that runs on the host's own tree does not
// get to see of it: what people and services keep to themselves rather than what
// makes up the operating system. Patterns of path.Match; a file without a pattern
// is left out also when the host makes it later, as usermod(8) does when it
// changes a password.
var hiddenOfHost = []string{
	"/boot", "/efi", "/home", "/lost+found", "/media", "/mnt", "/root",
	"/etc/gshadow", "/etc/gshadow-", "/etc/machine-id", "/etc/shadow", "/etc/shadow-", "/etc/ssh/ssh_host_*_key", "/etc/ssl/private",
	"/etc/gshadow+", "/etc/ngshadow", "/etc/nshadow", "/etc/shadow+", "/etc/shadow.lock", "/etc/security/nopasswd",
	"/var/backups", "/var/lib/containers", "/var/lib/docker", "/var/lib/machines", "/var/lib/private",
	"/var/log", "/var/spool", "/var/tmp",
}

// privateOfHost is where secrets lie beside what anybody may read. The
// container's root could read both, since files of the host's root appear as
// its own; so what the host's other users can't read is left out.
var privateOfHost = []string{
	"/*", "/etc/*", "/etc/*/*", "/etc/*/*/*", "/etc/*/*/*/*",
	"/opt/*", "/opt/*/*", "/srv/*", "/srv/*/*",
	"/var/*", "/var/*/*", "/var/*/*/*",
}

// hiddenTargets is where those of hiddenOfHost that are symlinks on this host
// point to.
func hiddenTargets() []string {
	var targets []string
	for _, pattern := range hiddenOfHost {
		found, _ := filepath.Glob(pattern) // its one error is a bad pattern
		for _, name := range found {
			info, err := os.Lstat(name)
			if err != nil || info.Mode()&fs.ModeSymlink == 0 {
				continue
			}
			if target, err := filepath.EvalSymlinks(name); err == nil && target != "/" {
				targets = append(targets, target)
			}
		}
	}
	return targets
}

// below is what of patterns lies in a directory, as patterns below it: a file
// system that is mounted there is an overlay of its own.
func below(dir string, patterns []string) []string {
	var list []string
	for _, pattern := range patterns {
		for rest := pattern; rest != ""; rest = rest[:max(strings.LastIndexByte(rest, '/'), 0)] {
			if match, _ := path.Match(rest, dir); match && len(rest) < len(pattern) {
				list = append(list, pattern[len(rest):])
			}
		}
	}
	return list
}

// public tells whether every user of the host may read a file, or list and
// enter a directory. A symlink tells nothing by itself.
func public(mode fs.FileMode) bool {
	switch {
	case mode&fs.ModeSymlink != 0:
		return true
	case mode.IsDir():
		return mode&0o005 == 0o005
	}
	return mode&0o004 != 0
}
