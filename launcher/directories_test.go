package launcher

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/config"
	"berth/internal/kernel"
	"berth/sandbox"
	"berth/test/require"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// draftOf is a plan in the making of a container with the given settings, on
// the host's own tree where root is "".
func draftOf(root string, settings *sandbox.Settings) *draft {
	p := &Plan{Name: "box", Users: Users{Base: 524288, Size: 65536, MapRoot: true}}
	if p.Root.Type = "directory"; root == "" {
		p.Root.Type = "overlay"
	}
	return &draft{
		Container: &config.Container{Name: "box", Root: config.Root{Directory: root}},
		plan:      p, settings: settings, decision: &sandbox.Decision{},
	}
}

func TestDirectoryMounts(t *testing.T) {
	for _, test := range []struct {
		name        string
		root        string
		directories []sandbox.Directory
		want        []string // type, source and flags of each target; symlink on the host
	}{
		{"state", "/srv/root", []sandbox.Directory{{Kind: "State", Name: "web", Mode: 0o750}},
			[]string{"/var/lib/web bind /var/lib/private/web nosuid,nodev link=/var/lib/web"}},
		{"state on the host's tree", "", []sandbox.Directory{{Kind: "State", Name: "web"}, {Kind: "State", Name: "db"}},
			[]string{"/var/lib/private tmpfs - nosuid,nodev,noexec", "/var/lib/web bind /var/lib/private/web nosuid,nodev link=/var/lib/web", "/var/lib/db bind /var/lib/private/db nosuid,nodev link=/var/lib/db"}},
		{"nested", "/srv/root", []sandbox.Directory{{Kind: "Cache", Name: "a"}, {Kind: "Cache", Name: "a/b", ReadOnly: true}},
			[]string{"/var/cache/a bind /var/cache/private/a nosuid,nodev link=/var/cache/a below=b"}},
		{"logs", "/srv/root", []sandbox.Directory{{Kind: "Logs", Name: "a/b"}},
			[]string{"/var/log/a/b bind /var/log/private/a/b nosuid,nodev link=/var/log/a/b"}},
		{"configuration is the host's", "", []sandbox.Directory{{Kind: "Configuration", Name: "web"}},
			[]string{"/etc/web bind /etc/web nosuid,nodev,ro"}},
		{"runtime", "", []sandbox.Directory{{Kind: "Runtime", Name: "web", Mode: 0o2755, Preserve: "no"}},
			[]string{"/run/web tmpfs - nosuid,nodev"}},
		{"runtime that stays", "/srv/root", []sandbox.Directory{{Kind: "Runtime", Name: "web", Preserve: "yes"}},
			[]string{"/run/web bind /run/private/web nosuid,nodev link=/run/web"}},
		{"one that is mounted already", "", []sandbox.Directory{{Kind: "Runtime", Name: "taken", Preserve: "no"}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := draftOf(test.root, &sandbox.Settings{Directories: test.directories})
			var got []string
			for _, m := range d.directoryMounts([]Mount{{Target: "/run/taken"}})[1:] {
				source := m.Source
				if source == "" {
					source = "-"
				}
				line := strings.Join([]string{m.Target, m.Type, source, strings.Join(m.Flags, ",")}, " ")
				if m.Directory != nil && m.Directory.Public != "" {
					line += " link=" + m.Directory.Public
				}
				if m.Directory != nil {
					for _, b := range m.Directory.Below {
						line += " below=" + b.Name
					}
				}
				if (m.IDs != nil) != (m.Type == "bind") {
					t.Errorf("%s: IDs %v", m.Target, m.IDs)
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// ProtectSystem=strict must leave a directory what it was asked for.
func TestDirectoryRules(t *testing.T) {
	d := draftOf("", &sandbox.Settings{Directories: []sandbox.Directory{
		{Kind: "State", Name: "web"}, {Kind: "State", Name: "ro", ReadOnly: true}, {Kind: "Configuration", Name: "web"},
		{Kind: "State", Name: "web/ro", ReadOnly: true},
	}})
	d.directoryMounts(nil)
	rules := append(d.plan.Rules, sandbox.PathRule{Path: "/", Access: sandbox.ReadOnly})
	for path, want := range map[string]sandbox.Access{
		"/var/lib/web/x": sandbox.ReadWrite, "/var/lib/ro": sandbox.ReadOnly, "/var/lib/web/ro/x": sandbox.ReadOnly, "/etc/web": sandbox.ReadOnly, "/var/lib": sandbox.ReadOnly,
	} {
		if got := at(rules, path).access; got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestDirectoryVariables(t *testing.T) {
	d := draftOf("", &sandbox.Settings{Directories: []sandbox.Directory{
		{Kind: "State", Name: "a-b"}, {Kind: "Runtime", Name: "r"}, {Kind: "State", Name: "a/c"}, {Kind: "State", Name: "a"}, {Kind: "Configuration", Name: "x"},
	}})
	want := []string{"STATE_DIRECTORY=/var/lib/a:/var/lib/a/c:/var/lib/a-b", "RUNTIME_DIRECTORY=/run/r", "CONFIGURATION_DIRECTORY=/etc/x"}
	if diff := cmp.Diff(want, d.directoryVariables()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRelativeTo(t *testing.T) {
	for _, test := range []struct{ dir, target, want string }{
		{"/var/lib", "/var/lib/web", "web"},
		{"/var/lib/a/b", "/var/lib/web", "../../web"},
		{"/var/lib/a", "/var/lib/a/c/d", "c/d"},
		{"/run", "/run/x", "x"},
	} {
		if got := relativeTo(test.dir, test.target); got != test.want {
			t.Errorf("%s from %s: got %q, want %q", test.target, test.dir, got, test.want)
		}
	}
}

// stateDirectory is StateDirectory=NAME with another parent than /var/lib.
func stateDirectory(parent, name string) Mount {
	return Mount{Directory: &Directory{Kind: "State", Parent: parent, Name: name, Mode: 0o2750, Public: filepath.Join(parent, name)}}
}

func TestOpenDirectory(t *testing.T) {
	require.Root(t)
	parent := t.TempDir()
	for range 2 {
		for _, name := range []string{"web", "a/b/c"} {
			dir, err := openDirectory(stateDirectory(parent, name), new(undo))
			if err != nil {
				t.Fatal(err)
			}
			dir.Close()
		}
	}
	for name, want := range map[string]uint32{
		"private": 0o700, "private/web": 0o2750, "private/a": 0o755, "private/a/b/c": 0o2750, "a": 0o755, "a/b": 0o755,
	} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(parent, name), &st); err != nil || st.Mode != unix.S_IFDIR|want {
			t.Errorf("%s: mode %o (%v), want %o", name, st.Mode, err, want)
		}
	}
	for name, want := range map[string]string{"web": "private/web", "a/b/c": "../../private/a/b/c"} {
		if got, err := os.Readlink(filepath.Join(parent, name)); got != want {
			t.Errorf("%s leads to %q (%v), want %q", name, got, err, want)
		}
	}
}

// A symlink of another container's directory leads to what is below it too.
func TestOpenDirectoryBelowAnother(t *testing.T) {
	require.Root(t)
	parent := t.TempDir()
	for _, name := range []string{"a", "a/b"} {
		dir, err := openDirectory(stateDirectory(parent, name), new(undo))
		if err != nil {
			t.Fatal(err)
		}
		dir.Close()
	}
	if info, err := os.Lstat(filepath.Join(parent, "a/b")); err != nil || !info.IsDir() {
		t.Errorf("a/b: %v (%v)", info, err)
	}
}

func TestOpenDirectoryRefuses(t *testing.T) {
	require.Root(t)
	for _, test := range []struct {
		name, setup string // commands of a tiny language, see do
		want        string // of the error
	}{
		{"a directory in the public place", "dir web 755", "is there already"},
		{"a file in the public place", "file web", "is there already"},
		{"another symlink in the public place", "link web /etc", `is a symlink to "/etc"`},
		{"private is a symlink", "link private /etc", "private"},
		{"private is open to others", "dir private 755", "must not be open to others"},
		{"private is another's", "dir private 700; own private 1000", "belongs to user 1000"},
		{"the directory is a symlink", "dir private 700; link private/web /etc", "is not a directory"},
		{"the directory is a file", "dir private 700; file private/web", "is not a directory"},
		{"the parent is another's", "own . 1000", "belongs to user 1000"},
		{"the parent is open to all", "mode . 777", "must not be open to others"},
	} {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			for command := range strings.SplitSeq(test.setup, "; ") {
				if command != "" {
					do(t, parent, strings.Fields(command))
				}
			}
			before := names(t, parent)
			var u undo
			dir, err := openDirectory(stateDirectory(parent, "web"), &u)
			if err == nil {
				dir.Close()
				t.Fatal("it is accepted")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want …%s…", err, test.want)
			}
			u.run()
			if diff := cmp.Diff(before, names(t, parent)); diff != "" {
				t.Errorf("what is left (-before +after):\n%s", diff)
			}
		})
	}
}

// names lists all that is in a directory and below.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		list = append(list, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestUndo(t *testing.T) {
	require.Root(t)
	tests := []struct {
		name, setup string   // setup: see do; in what the start has made
		earlier     string   // a directory of an earlier start
		want        []string // what is left
	}{
		{"nothing was there", "", "", []string{"."}},
		{"one in one that stays", "", "a", []string{".", "a", "private", "private/a"}},
		{"another container uses it", "file private/a/b/x", "", []string{".", "a", "a/b", "private", "private/a", "private/a/b", "private/a/b/x"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			open := func(name string, u *undo) {
				dir, err := openDirectory(stateDirectory(parent, name), u)
				if err != nil {
					t.Fatal(err)
				}
				dir.Close()
			}
			if test.earlier != "" {
				var u undo
				open(test.earlier, &u)
				u.close()
			}
			var u undo
			open("a/b", &u)
			if test.setup != "" {
				do(t, parent, strings.Fields(test.setup))
			}
			u.run()
			var got []string
			for _, name := range names(t, parent) {
				name, _ = filepath.Rel(parent, name)
				got = append(got, name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// do makes a file for a test: "dir NAME MODE", "file NAME", "link NAME TARGET",
// "own NAME UID" or "mode NAME MODE".
func do(t *testing.T, parent string, words []string) {
	t.Helper()
	name := filepath.Join(parent, words[1])
	mode := func(octal string) os.FileMode {
		var m os.FileMode
		for _, digit := range octal {
			m = m<<3 | os.FileMode(digit-'0')
		}
		return m
	}
	var err error
	switch words[0] {
	case "dir":
		if err = os.Mkdir(name, 0o700); err == nil {
			err = os.Chmod(name, mode(words[2]))
		}
	case "file":
		err = os.WriteFile(name, nil, 0o644)
	case "link":
		err = os.Symlink(words[2], name)
	case "own":
		err = os.Chown(name, 1000, 1000)
	case "mode":
		err = os.Chmod(name, mode(words[2]))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Who can write a directory above, as the payload of a container with
// StateDirectory=a can for one with StateDirectory=a/b, must not lead elsewhere.
func TestOpenDirectoryUnderAttack(t *testing.T) {
	require.Root(t)
	parent := t.TempDir()
	target := filepath.Join(t.TempDir(), "target")
	first, err := openDirectory(stateDirectory(parent, "a/b"), new(undo))
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(parent, "private/a/b")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Remove(place)
			_ = os.Symlink(target, place)
			_ = os.Remove(place)
			_ = os.Mkdir(place, 0o755)
		}
	}()
	for range 3000 {
		dir, err := openDirectory(stateDirectory(parent, "a/b"), new(undo))
		if err != nil {
			continue
		}
		_ = kernel.ChownTree(dir, kernel.Owner{UID: 1234, GID: 1234}) // it may be removed by now
		dir.Close()
	}
	close(stop)
	<-stopped
	if owner := ownerOfPath(t, target); owner != 0 {
		t.Errorf("a directory elsewhere was given to %d", owner)
	}
}

func ownerOfPath(t *testing.T, path string) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Uid
}
