package launcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/config"
	"berth/sandbox"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// credentialsIn is a set that looks for credentials by name in two directories.
func credentialsIn(dir string) *credentialSet {
	c := newCredentialSet("berth-box.scope")
	c.stores, c.sealed = []string{dir + "/first", dir + "/second"}, nil
	return c
}

// files writes files below a new directory.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range contents {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCredentials(t *testing.T) {
	dir := files(t, map[string]string{
		"plain": "secret", "tree/a": "A", "tree/sub/b": "B", "tree/.hidden": "no",
		"first/db.user": "u1", "second/db.user": "u2", "second/db.password": "p", "second/other": "o", "first/.dot": "d",
	})
	if err := os.Symlink("/etc/passwd", dir+"/tree/link"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		list []Credential
		want map[string]string
	}{
		{"from a file", []Credential{{Setting: "LoadCredential", ID: "x", Source: dir + "/plain"}}, map[string]string{"x": "secret"}},
		{"by name", []Credential{{Setting: "LoadCredential", ID: "x", Source: "db.user"}, {Setting: "LoadCredential", ID: "other"}}, map[string]string{"x": "u1", "other": "o"}},
		{"by a name that is nowhere", []Credential{{Setting: "LoadCredential", ID: "x", Source: "nowhere"}}, nil},
		{"a directory", []Credential{{Setting: "LoadCredential", ID: "t", Source: dir + "/tree"}}, map[string]string{"t_a": "A", "t_sub_b": "B"}},
		{"set", []Credential{{Setting: "SetCredential", ID: "x", Data: []byte("a\x00b")}, {Setting: "SetCredential", ID: "empty"}}, map[string]string{"x": "a\x00b", "empty": ""}},
		{"set for want of a file", []Credential{{Setting: "SetCredential", ID: "x", Data: []byte("set")}, {Setting: "LoadCredential", ID: "x", Source: dir + "/nothing"}}, map[string]string{"x": "set"}},
		{"a file before what is set", []Credential{{Setting: "SetCredential", ID: "x", Data: []byte("set")}, {Setting: "LoadCredential", ID: "x", Source: dir + "/plain"}}, map[string]string{"x": "secret"}},
		{"the last of one ID", []Credential{{Setting: "LoadCredential", ID: "x", Source: dir + "/nothing"}, {Setting: "LoadCredential", ID: "x", Source: dir + "/plain"}}, map[string]string{"x": "secret"}},
		{"import", []Credential{{Setting: "ImportCredential", ID: "db.*"}}, map[string]string{"db.user": "u1", "db.password": "p"}},
		{"import all", []Credential{{Setting: "ImportCredential", ID: "*"}}, map[string]string{"db.user": "u1", "db.password": "p", "other": "o"}},
		{"import one", []Credential{{Setting: "ImportCredential", ID: "other"}, {Setting: "ImportCredential", ID: "db"}}, map[string]string{"other": "o"}},
		{"import renamed", []Credential{{Setting: "ImportCredential", ID: "db.*", Rename: "mysql."}, {Setting: "ImportCredential", ID: "other", Rename: "new"}}, map[string]string{"mysql.user": "u1", "mysql.password": "p", "new": "o"}},
		{"import nothing", []Credential{{Setting: "ImportCredential", ID: "none.*"}}, nil},
		{"what is loaded before what is imported", []Credential{{Setting: "ImportCredential", ID: "db.*"}, {Setting: "LoadCredential", ID: "db.user", Source: dir + "/plain"}}, map[string]string{"db.user": "secret", "db.password": "p"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := credentialsIn(dir)
			if err := c.addAll(test.list); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for id, data := range c.contents {
				got[id] = string(data)
			}
			if test.want == nil {
				test.want = map[string]string{}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCredentialsRefused(t *testing.T) {
	dir := files(t, map[string]string{"large": strings.Repeat("x", maxCredentials), "first/a:b": "x", "tree/a:b": "x"})
	if err := unix.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		list []Credential
		want string
	}{
		{"no file", []Credential{{Setting: "LoadCredential", ID: "x", Source: dir + "/nothing"}}, "no such file"},
		{"a pipe", []Credential{{Setting: "LoadCredential", ID: "x", Source: dir + "/fifo"}}, "not a regular file"},
		{"too large with its name", []Credential{{Setting: "LoadCredential", ID: "x", Source: dir + "/large"}}, "larger than"},
		{"too large together", []Credential{
			{Setting: "SetCredential", ID: "a", Data: make([]byte, 600<<10)}, {Setting: "SetCredential", ID: "b", Data: make([]byte, 600<<10)},
		}, "larger than"},
		{"a bad name in a directory", []Credential{{Setting: "LoadCredential", ID: "x", Source: dir + "/tree"}}, "can't be the name"},
		{"a relative path", []Credential{{Setting: "LoadCredential", ID: "x", Source: "a/b"}}, "neither an absolute path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := credentialsIn(dir).addAll(test.list)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want …%s…", err, test.want)
			}
		})
	}
}

// Who listens on a socket learns who asks for what.
func TestCredentialFromSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 1)
	go func() {
		conn, err := l.AcceptUnix()
		if err != nil {
			asked <- err.Error()
			return
		}
		defer conn.Close()
		asked <- conn.RemoteAddr().String()
		_, _ = io.WriteString(conn, "from the socket")
	}()
	c := credentialsIn(t.TempDir())
	if err := c.addAll([]Credential{{Setting: "LoadCredential", ID: "x", Source: path}}); err != nil {
		t.Fatal(err)
	}
	if got := string(c.contents["x"]); got != "from the socket" {
		t.Errorf("got %q", got)
	}
	if from := <-asked; !strings.HasPrefix(from, "@") || !strings.HasSuffix(from, "/unit/berth-box.scope/x") {
		t.Errorf("asked from %q", from)
	}
}

// Without systemd-creds, or with one that fails, there is no credential.
func TestCredentialIsNotLeftEncrypted(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := credentialsIn(t.TempDir())
	err := c.addAll([]Credential{{Setting: "SetCredentialEncrypted", ID: "x", Data: []byte("sealed")}})
	if err == nil || len(c.contents) != 0 {
		t.Errorf("got %v, %v", err, c.contents)
	}
}

func TestCredentialMount(t *testing.T) {
	d := draftOf("", &sandbox.Settings{Credentials: []sandbox.Credential{
		{Setting: "SetCredential", ID: "token", Data: []byte("hush")},
		{Setting: "LoadCredential", ID: "key", Source: "/etc/key"},
	}})
	d.host.Sources = map[string]Source{"/etc/key": {}}
	list := d.credentialMounts(nil)
	if len(d.errors) > 0 || len(list) != 1 || list[0].Target != "/run/credentials/berth-box.scope" {
		t.Fatalf("got %+v, %v", list, d.errors)
	}
	printed, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(printed); strings.Contains(text, "hush") || strings.Contains(text, "aHVzaA") || !strings.Contains(text, "/etc/key") {
		t.Errorf("printed: %s", text)
	}
	if diff := cmp.Diff([]string{"CREDENTIALS_DIRECTORY=/run/credentials/berth-box.scope"}, d.credentialVariables()); diff != "" {
		t.Error(diff)
	}
}

func TestCredentialSourceIsMissing(t *testing.T) {
	for _, test := range []struct {
		err     string
		set     bool
		refused bool
	}{
		{"", false, false},
		{"no such file or directory", false, true},
		{"no such file or directory", true, false},
		{"permission denied", true, true},
	} {
		t.Run(fmt.Sprint(test.err, test.set), func(t *testing.T) {
			s := &sandbox.Settings{Credentials: []sandbox.Credential{{Setting: "LoadCredential", ID: "key", Source: "/etc/key"}}}
			if test.set {
				s.Credentials = append(s.Credentials, sandbox.Credential{Setting: "SetCredential", ID: "key"})
			}
			d := draftOf("", s)
			d.Sandbox = []config.Setting{
				{Name: "LoadCredential", Values: []string{"key:/etc/key"}, Pos: config.Position{Line: 7}},
				{Name: "LoadCredential", Values: []string{"other:/etc/key"}, Pos: config.Position{Line: 8}},
			}
			d.host.Sources = map[string]Source{"/etc/key": {Err: test.err}}
			d.credentialMounts(nil)
			if (len(d.errors) > 0) != test.refused {
				t.Fatalf("got %v", d.errors)
			}
			if test.refused && d.errors[0].Pos.Line != 7 {
				t.Errorf("at %v", d.errors[0].Pos)
			}
		})
	}
}

// A file of the kernel's may look like a regular one and have nothing to tell yet.
func TestImpatient(t *testing.T) {
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	conn, err := from.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(impatient{conn}); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("nothing for now: got %v, want EAGAIN", err)
	}
	to.Close()
	if data, err := io.ReadAll(impatient{conn}); len(data) != 0 || err != nil {
		t.Errorf("at the end: got %q, %v", data, err)
	}
}
