package config

// MountGuard says how the mounts that the container starts with are kept from
// its own root. That the kernel locks them is no matter of Enabled.
type MountGuard struct {
	Enabled  bool       // calls about mounts are looked at; never when Users.Map is "host"
	Remounts Permission // what is mounted read-only, nosuid, nodev or noexec may be made otherwise
	Unmounts Permission // they may be unmounted
}

// Permission is what may be done, or may not.
type Permission string

const (
	Allow Permission = "allow"
	Deny  Permission = "deny"
)

// complete fills in what the file leaves out. Without a user namespace the
// kernel locks no mount, and nobody could keep what would be promised.
func (m *MountGuard) complete(d *document, u Users) {
	if m.Remounts == "" {
		m.Remounts = Deny
	}
	if m.Unmounts == "" {
		m.Unmounts = Allow
	}
	host := u.Map == "host"
	if !d.given["mountguard.enabled"] {
		m.Enabled = !host
	}
	if !host {
		return
	}
	const why = `when users.map is "host": the kernel locks no mount without a user namespace`
	if m.Enabled {
		d.fail("mountguard.enabled", "cannot be true %s", why)
	}
	for key, permission := range map[string]Permission{"mountguard.immutable_remounts": m.Remounts, "mountguard.immutable_unmounts": m.Unmounts} {
		if d.given[key] && permission == Deny && !d.failed(key) {
			d.fail(key, `cannot be "deny" %s`, why)
		}
	}
}
