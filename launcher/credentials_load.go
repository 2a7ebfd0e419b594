package launcher

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Limits on credentials, those of systemd (src/shared/creds-util.h): a container's
// names and contents together, and what an encrypted one may be larger.
const (
	maxCredentials = 1 << 20
	maxEncrypted   = 2 * maxCredentials // with its Base64
)

// credentialsFS makes the file system for credentials. What can't be swapped out
// is a tmpfs since Linux 6.3 (option noswap), and a ramfs on any.
func credentialsFS() (*os.File, error) {
	mnt, err := kernel.NewFS("tmpfs", 0,
		kernel.Option{Key: "noswap"}, kernel.Option{Key: "mode", Value: "700"},
		kernel.Option{Key: "size", Value: fmt.Sprint(2 * maxCredentials)}, kernel.Option{Key: "nr_inodes", Value: "1024"})
	if err == nil {
		return mnt, nil
	}
	return kernel.NewFS("ramfs", 0, kernel.Option{Key: "mode", Value: "700"})
}

// giveCredentials fills the mount of the credentials, where there is one, and
// closes it.
func (s *stage) giveCredentials() error {
	for _, t := range s.trees {
		if t.base.Credentials == nil {
			continue
		}
		set := newCredentialSet(s.plan.Unit.Scope)
		if err := set.addAll(t.base.Credentials); err != nil {
			return err
		}
		user, err := s.payloadUser()
		if err != nil {
			return err
		}
		if err := set.write(t.mnt, s.hostOwner(user)); err != nil {
			return cannot("write the credentials", err)
		}
		if err := kernel.SetAttr(t.mnt, attributes(t.base.Flags)); err != nil {
			return err
		}
	}
	return nil
}

// credentialSet is what a container's credentials come to. What is there is not
// replaced by what is looked for later, but by the same setting once more.
type credentialSet struct {
	unit     string
	contents map[string][]byte
	left     int      // bytes
	stores   []string // where credentials are looked for by name, best first
	sealed   []string // the same, for encrypted ones
}

func newCredentialSet(unit string) *credentialSet {
	return &credentialSet{
		unit: unit, contents: map[string][]byte{}, left: maxCredentials,
		stores: credentialStores("CREDENTIALS_DIRECTORY", "@system", "credstore"),
		sealed: credentialStores("ENCRYPTED_CREDENTIALS_DIRECTORY", "@encrypted", "credstore.encrypted"),
	}
}

// credentialStores are the directories of systemd.exec(5), ImportCredential=:
// what berth got itself as a service, what the system got, and the stores.
func credentialStores(variable, system, store string) []string {
	var dirs []string
	if own := os.Getenv(variable); path.IsAbs(own) {
		dirs = append(dirs, own)
	}
	dirs = append(dirs, path.Join(credentialsParent, system))
	for _, parent := range []string{"/etc", "/run", "/usr/local/lib", "/usr/lib"} {
		dirs = append(dirs, path.Join(parent, store))
	}
	return dirs
}

// addAll does first what loads, then what imports, and sets last what is missing
// then, as systemd does.
func (c *credentialSet) addAll(list []Credential) error {
	set := map[string]bool{}
	for _, cred := range list {
		set[cred.ID] = set[cred.ID] || strings.HasPrefix(cred.Setting, "SetCredential")
	}
	for _, step := range []struct {
		prefix string
		add    func(Credential) error
	}{
		{"LoadCredential", func(cred Credential) error { return c.load(cred, set[cred.ID]) }},
		{"ImportCredential", c.importAll},
		{"SetCredential", c.set},
	} {
		for _, cred := range lastOf(list, step.prefix) {
			if err := step.add(cred); err != nil {
				return fmt.Errorf("cannot use %s=%s: %w", cred.Setting, cred.ID, err)
			}
		}
	}
	return nil
}

// lastOf picks the credentials of a setting and its encrypted form. Of several
// with one ID, but for patterns, the last counts.
func lastOf(list []Credential, prefix string) []Credential {
	var picked []Credential
	for _, cred := range list {
		if !strings.HasPrefix(cred.Setting, prefix) {
			continue
		}
		if prefix != "ImportCredential" {
			picked = slices.DeleteFunc(picked, func(o Credential) bool { return o.ID == cred.ID })
		}
		picked = append(picked, cred)
	}
	return picked
}

// put takes a credential in, decrypted where it has to be.
func (c *credentialSet) put(id string, data []byte, encrypted bool) error {
	if !validCredential(id) {
		return fmt.Errorf("%q can't be the name of a credential", id)
	}
	if encrypted {
		var err error
		if data, err = decrypt(id, data); err != nil {
			return err
		}
	}
	if old, there := c.contents[id]; there {
		c.left += len(id) + len(old)
	}
	if c.left -= len(id) + len(data); c.left < 0 {
		return fmt.Errorf("credentials are larger than %d bytes, with their names", maxCredentials)
	}
	c.contents[id] = data
	return nil
}

// validCredential: a name of a file, and of what sd_listen_fds_with_names(3)
// could pass.
func validCredential(id string) bool {
	return id != "" && id != "." && id != ".." && len(id) <= 255 &&
		!strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r >= 127 || r == ':' || r == '/' })
}

func (c *credentialSet) set(cred Credential) error {
	if _, there := c.contents[cred.ID]; there {
		return nil
	}
	return c.put(cred.ID, cred.Data, cred.encrypted())
}

// load takes a credential from a path, or from where there is one of the name.
// With optional a path may lead nowhere.
func (c *credentialSet) load(cred Credential, optional bool) error {
	source := cred.Source
	if source == "" {
		source = cred.ID
	}
	if path.IsAbs(source) {
		err := c.loadPath(cred, source)
		if optional && errors.Is(err, unix.ENOENT) {
			return nil
		}
		return err
	}
	if !validCredential(source) {
		return fmt.Errorf("%q is neither an absolute path nor the name of a credential", source)
	}
	for _, dir := range slices.Concat(c.sealed, c.stores) {
		data, err := readCredential(path.Join(dir, source), cred.encrypted())
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		return c.put(cred.ID, data, cred.encrypted())
	}
	return nil
}

// loadPath takes a file, what a socket sends, or all files of a directory.
func (c *credentialSet) loadPath(cred Credential, source string) error {
	f, err := kernel.OpenSource(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var data []byte
	switch {
	case info.IsDir():
		return c.loadDirectory(cred, cred.ID, f)
	case info.Mode()&os.ModeSocket != 0:
		data, err = receiveCredential(f, fmt.Sprintf("@%x/unit/%s/%s", rand.Uint64(), c.unit, cred.ID), maxSize(cred.encrypted()))
	default:
		data, err = readOpened(f, maxSize(cred.encrypted()))
	}
	if err != nil {
		return err
	}
	return c.put(cred.ID, data, cred.encrypted())
}

// loadDirectory takes the files in a directory and below it, whose names get id
// and an underscore in front. It doesn't replace what is there.
func (c *credentialSet) loadDirectory(cred Credential, id string, dir *os.File) error {
	names, err := kernel.Names(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.loadEntry(cred, id+"_"+name, dir, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *credentialSet) loadEntry(cred Credential, id string, dir *os.File, name string) error {
	f, err := kernel.OpenAt(dir, name, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) {
		return nil // gone meanwhile; a symlink
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return c.loadDirectory(cred, id, f)
	case !info.Mode().IsRegular():
		return nil
	}
	if _, there := c.contents[id]; there {
		return nil
	}
	data, err := readOpened(f, maxSize(cred.encrypted()))
	if err != nil {
		return err
	}
	return c.put(id, data, cred.encrypted())
}

// importAll takes what matches a pattern from the stores. The first of a name
// counts.
func (c *credentialSet) importAll(cred Credential) error {
	for _, stores := range []struct {
		dirs      []string
		encrypted bool
	}{{c.stores, false}, {c.sealed, true}} {
		for _, dir := range stores.dirs {
			if err := c.importFrom(dir, cred, stores.encrypted); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *credentialSet) importFrom(dir string, cred Credential, encrypted bool) error {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, e := range entries {
		id, ok := importedName(cred, e.Name())
		if _, there := c.contents[id]; !ok || there || !validCredential(id) || e.IsDir() {
			continue
		}
		data, err := readCredential(path.Join(dir, e.Name()), encrypted)
		if err == nil {
			err = c.put(id, data, encrypted)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// importedName matches a name with a pattern, in which only a star at the end is
// special, and renames it.
func importedName(cred Credential, name string) (id string, ok bool) {
	prefix, star := strings.CutSuffix(cred.ID, "*")
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok || !star && rest != "" || prefix == "" && strings.HasPrefix(name, ".") {
		return "", false
	}
	if cred.Rename != "" {
		return cred.Rename + rest, true
	}
	return name, true
}

// write puts all into the file system, for owner to read.
func (c *credentialSet) write(mnt *os.File, owner kernel.Owner) error {
	for _, id := range slices.Sorted(maps.Keys(c.contents)) {
		if err := kernel.CreateAt(mnt, id, c.contents[id], 0o400, owner); err != nil {
			return err
		}
	}
	dir, err := kernel.Reopen(mnt, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := kernel.Chmod(dir, 0o500); err != nil {
		return err
	}
	return kernel.Chown(dir, owner)
}
