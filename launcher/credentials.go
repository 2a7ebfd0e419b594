package launcher

import (
	"path"
	"slices"
	"strings"

	"berth/config"
	"berth/sandbox"

	"golang.org/x/sys/unix"
)

// Credential is one of LoadCredential= and the settings like it. Nothing that
// prints a plan tells what SetCredential= sets.
type Credential struct {
	Setting string `json:"setting"`
	ID      string `json:"id"`               // of ImportCredential: the pattern
	Rename  string `json:"rename,omitempty"` // of ImportCredential
	Source  string `json:"source,omitempty"` // of LoadCredential: a path, or a name to look for
	Data    []byte `json:"-"`                // of SetCredential
}

// encrypted tells whether the content has to be decrypted first.
func (c Credential) encrypted() bool { return strings.HasSuffix(c.Setting, "Encrypted") }

// credentialsParent is where systemd has a directory for each unit.
const credentialsParent = "/run/credentials"

// credentialsDirectory is where the container finds its credentials: by the name
// of its unit, as a service does.
func (d *draft) credentialsDirectory() string {
	return path.Join(credentialsParent, ScopeName(d.Name))
}

// credentialMounts adds the file system that holds the credentials: in memory
// that is not swapped out, read-only, for the payload's user alone.
func (d *draft) credentialMounts(list []Mount) []Mount {
	if len(d.settings.Credentials) == 0 {
		return list
	}
	credentials := make([]Credential, len(d.settings.Credentials))
	for i, c := range d.settings.Credentials {
		credentials[i] = Credential(c)
		d.checkSource(c)
	}
	m := Mount{
		Target: d.credentialsDirectory(), Type: "tmpfs", Credentials: credentials,
		Flags: []string{"ro", "nosuid", "nodev", "noexec", "nosymfollow"}, Setting: credentials[0].Setting,
	}
	d.keepAccess(m)
	return append(list, m)
}

// checkSource: what is to be loaded from a path has to be there, or has to be
// set as well. What is looked for by name may be missing.
func (d *draft) checkSource(c sandbox.Credential) {
	if !path.IsAbs(c.Source) {
		return
	}
	source := d.host.Sources[c.Source]
	set := slices.ContainsFunc(d.settings.Credentials, func(o sandbox.Credential) bool {
		return o.ID == c.ID && strings.HasPrefix(o.Setting, "SetCredential")
	})
	if source.Err == "" || source.Err == unix.ENOENT.Error() && set {
		return
	}
	d.errors = append(d.errors, config.Error{
		Pos: d.assignment(c.Setting, c.ID+":"), Key: "sandbox." + c.Setting,
		Msg: "cannot load the credential \"" + c.ID + "\" from \"" + c.Source + "\": " + source.Err,
	})
}

// assignment is where a setting got a value with the given beginning.
func (d *draft) assignment(name, prefix string) config.Position {
	for _, s := range slices.Backward(d.Sandbox) {
		if s.Name == name && slices.ContainsFunc(s.Values, func(v string) bool { return strings.HasPrefix(v, prefix) }) {
			return s.Pos
		}
	}
	return d.sandboxPos(name)
}

// credentialVariables tell the payload where its credentials are.
func (d *draft) credentialVariables() []string {
	if len(d.settings.Credentials) == 0 {
		return nil
	}
	return []string{"CREDENTIALS_DIRECTORY=" + d.credentialsDirectory()}
}

// credentialSources are the host's paths that a plan has to know about.
func credentialSources(s *sandbox.Settings) []string {
	var paths []string
	for _, c := range s.Credentials {
		if path.IsAbs(c.Source) {
			paths = append(paths, c.Source)
		}
	}
	return paths
}
