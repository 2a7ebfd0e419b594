package config

import (
	"path/filepath"
	"strings"
)

// complete fills in what the file leaves out, and checks what concerns several
// keys. A key found wrong before is left alone.
func (c *Container) complete(d *document) {
	c.completeName(d)
	c.completeProfile()
	c.Root.complete(d)
	c.Process.complete(d, c.Name)
	c.Users.complete(d, c.Process)
	completeMounts(d, c.Mounts)
	c.MountGuard.complete(d, c.Users)
	if c.Network.Mode == "" {
		c.Network.Mode = "private"
	}
}

// completeName takes the name from the file's.
func (c *Container) completeName(d *document) {
	if d.given["name"] {
		return
	}
	name := strings.TrimSuffix(filepath.Base(d.file), ".toml")
	if err := CheckName(name); err != nil {
		d.fail("name", "is not given, and the file's name does not serve: %v", err)
		return
	}
	c.Name = name
}

// hostnameOf is the host name of a container without one of its own. A name
// may end in hyphens, a host name not.
func hostnameOf(name string) string { return strings.TrimRight(name, "-") }

// complete keeps the host's own tree from being written.
func (r *Root) complete(d *document) {
	hosts := !d.given["root.directory"]
	switch {
	case r.Volatile != "":
	case hosts:
		r.Volatile = VolatileOverlay
	default:
		r.Volatile = VolatileNo
	}
	if hosts && r.Volatile == VolatileNo && !r.ReadOnly {
		d.fail("root.volatile", `"no" would write to the host's own tree: give read_only = true or a directory as well`)
	}
}
