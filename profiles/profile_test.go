package profiles

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth/config"

	"github.com/google/go-cmp/cmp"
)

// inDirectory makes files and works beside them, with etc and lib as the
// directories of profiles.
func inDirectory(t *testing.T, files map[string]string) Search {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Search{Dirs: []string{"etc", "lib"}}
}

// assignments writes settings as lines of a unit, each with its position.
func assignments(settings []config.Setting) []string {
	var lines []string
	for _, s := range settings {
		for _, v := range s.Values {
			lines = append(lines, fmt.Sprintf("%s=%s (%s)", s.Name, v, s.Pos))
		}
	}
	return lines
}

func TestLoad(t *testing.T) {
	search := inDirectory(t, map[string]string{
		"etc/web.toml":     "description='web'\nextends='base'\n[sandbox]\nUMask='7'\n[resources]\nTasksMax=9",
		"lib/web.toml":     "[sandbox]\nUMask='1'",
		"lib/base.toml":    "sandbox={BindPaths=['/a', '/b']}\nresources={TasksMax=8}",
		"etc/strict.toml":  "extends='strict'\nsandbox.UMask='3'",
		"lib/strict.toml":  "sandbox.UMask='4'",
		"lib/trusted.toml": "sandbox.UMask='5'",
		"own/mine.toml":    "extends='../etc/strict.toml'\nsandbox.UMask='6'",
		"own/easy.toml":    "extends='easier'",
		"etc/easier.toml":  "extends='lib'",
		"etc/lib.toml":     "extends='trusted'",
		"lib/default.toml": "extends='default'",
	})
	tests := []struct {
		name, reference    string
		search             Search
		sandbox, resources []string
		profile            Profile // without layers
	}{
		{"one that builds on another", "web", search,
			[]string{"BindPaths=/a (lib/base.toml:1:10)", "BindPaths=/b (lib/base.toml:1:10)", "UMask=7 (etc/web.toml:4:1)"},
			[]string{"TasksMax=8 (lib/base.toml:2:12)", "TasksMax=9 (etc/web.toml:6:1)"},
			Profile{Name: "web", Description: "web"}},
		{"one that hides its like", "strict", search,
			[]string{"UMask=4 (lib/strict.toml:1:9)", "UMask=3 (etc/strict.toml:2:9)"}, nil, Profile{Name: "strict"}},
		{"a path", "own/mine.toml", search,
			[]string{"UMask=4 (lib/strict.toml:1:9)", "UMask=3 (etc/strict.toml:2:9)", "UMask=6 (own/mine.toml:2:9)"}, nil, Profile{Name: "mine"}},
		{"one that hides trusted", "own/easy.toml", search,
			[]string{"UMask=5 (lib/trusted.toml:1:9)"}, nil, Profile{Name: "easy"}},
		{"one that builds on trusted", "own/easy.toml", Search{Dirs: []string{"etc"}},
			[]string{"MountAPIVFS=yes (profile trusted:14:1)", "PrivateTmp=yes (profile trusted:17:1)"}, nil,
			Profile{Name: "easy", HostUsers: true}},
		{"trusted itself", "trusted", Search{},
			[]string{"MountAPIVFS=yes (profile trusted:14:1)", "PrivateTmp=yes (profile trusted:17:1)"}, nil,
			Profile{Name: "trusted", Builtin: true, HostUsers: true,
				Description: "for programs that could as well run on the host: next to no restrictions"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.search.Load(test.reference)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.sandbox, assignments(got.Sandbox())); diff != "" {
				t.Errorf("[sandbox]: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(test.resources, assignments(got.Resources())); diff != "" {
				t.Errorf("[resources]: -want +got\n%s", diff)
			}
			got.Layers = nil
			if diff := cmp.Diff(test.profile, *got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestLoadWrong(t *testing.T) {
	files := map[string]string{
		"etc/a.toml":       "description='a'\nextends='b'",
		"etc/b.toml":       "extends='c'",
		"lib/c.toml":       "extends='../etc/b.toml'",
		"etc/self.toml":    "extends='self'",
		"etc/path.toml":    "extends='./path.toml'",
		"etc/nobody.toml":  "\n  extends='sytem'",
		"etc/nofile.toml":  "extends='./none.toml'",
		"etc/wrong.toml":   "extends='wrong2'\nsandbx.A=1",
		"etc/wrong2.toml":  "extends='torn'\n[resources]\nmax=1",
		"etc/torn.toml":    "a=",
		"etc/hurried.toml": "extends=3",
		"etc/onpipe.toml":  "description='x'\nextends='./pipe.toml'",
		"etc/on-dir.toml":  "extends='./'",
	}
	for i := range maxLayers + 1 {
		files[fmt.Sprintf("etc/n%d.toml", i)] = fmt.Sprintf("extends='n%d'", i+1)
	}
	search := inDirectory(t, files)
	if err := syscall.Mkfifo("etc/pipe.toml", 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, reference, want string
	}{
		{"not there", "webs", `cannot find the profile "webs": it is not built in, and there is neither etc/webs.toml nor lib/webs.toml`},
		{"misspelt", "strct", `cannot find the profile "strct": it is not built in, and there is neither etc/strct.toml nor lib/strct.toml; did you mean "strict"?`},
		{"a path that is not there", "./none.toml", `cannot find the profile "./none.toml": no such file`},
		{"a directory", "./etc", `cannot read "./etc": not a regular file`},
		{"a pipe", "pipe", `cannot read "etc/pipe.toml": not a regular file`},
		{"a device", "/dev/zero", `cannot read "/dev/zero": not a regular file`},
		{"extends a pipe", "onpipe", `etc/onpipe.toml:2:1: extends: cannot read "etc/pipe.toml": not a regular file`},
		{"extends a directory", "on-dir", `etc/on-dir.toml:1:1: extends: cannot read "./etc": not a regular file`},
		{"a loop", "a", "lib/c.toml:1:1: extends: the profile would build on itself: etc/b.toml → lib/c.toml → etc/b.toml"},
		{"itself alone", "self", `etc/self.toml:1:1: extends: cannot find the profile "self": it is not built in, and there is neither lib/self.toml`},
		{"itself by path", "path", "etc/path.toml:1:1: extends: the profile would build on itself: etc/path.toml → etc/path.toml"},
		{"extends what is not there", "nobody", `etc/nobody.toml:2:3: extends: cannot find the profile "sytem": it is not built in, and there is neither etc/sytem.toml nor lib/sytem.toml; did you mean "system"?`},
		{"extends a path that is not there", "nofile", `etc/nofile.toml:1:1: extends: cannot find the profile "etc/none.toml": no such file`},
		{"errors in all files", "wrong", strings.Join([]string{
			`etc/torn.toml:1:2: cannot parse TOML: expected value, not end of input`,
			`etc/wrong.toml:2:1: sandbx: unknown key, did you mean "sandbox"?`,
			`etc/wrong2.toml:3:1: resources.max: unknown key: it holds settings of systemd, such as MemoryMax`}, "\n")},
		{"extends no name", "hurried", "etc/hurried.toml:1:1: extends: must be a string, not an integer"},
		{"too many", "n0", "etc/n15.toml:1:1: extends: more than 16 profiles build on each other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := search.Load(test.reference)
			if err == nil || p != nil {
				t.Fatalf("got %+v, %v; want an error", p, err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	search := inDirectory(t, map[string]string{
		"etc/web.toml": "", "lib/web.toml": "", "lib/db.toml": "", "lib/strict.toml": "",
		"etc/README": "", "etc/No.toml": "", "etc/-x.toml": "",
	})
	want := []string{"default", "nonetwork", "strict", "system", "trusted", "db", "web"}
	if diff := cmp.Diff(want, search.Names()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestComments holds where the comment of a setting is found.
func TestComments(t *testing.T) {
	search := inDirectory(t, map[string]string{
		"etc/web.toml": "extends='default'\n[sandbox]\n# my own\nProtectHome=true\nProtectSystem='full'\nUMask='7'",
	})
	p, err := search.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range p.Layers[len(p.Layers)-1].Sandbox {
		got[s.Name] = p.Comment(s)
	}
	want := map[string]string{
		"ProtectHome": "my own", "UMask": "",
		"ProtectSystem": "changes to anything but /dev, /proc, /sys and what is mounted as writable",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
