package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A bind of the command line is the entry of [[mounts]] with the same values.
func TestNewBind(t *testing.T) {
	for _, test := range []struct {
		name, toml string
		bind       func() (Mount, error)
	}{
		{"defaults", ``, func() (Mount, error) { return NewBind("/a", "/b", false, "", nil) }},
		{"all", "read_only = true\nidmap = \"identity\"\noptions = [\"noexec\", \"dev\", \"norbind\"]",
			func() (Mount, error) {
				return NewBind("/a", "/b", true, "identity", []string{"noexec", "dev", "norbind"})
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("x.toml", []byte("[process]\ncommand = [\"x\"]\n[[mounts]]\ntype = \"bind\"\nsource = \"/a\"\ntarget = \"/b\"\n"+test.toml), Overrides{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := test.bind()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Mounts[0], got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestNewBindRefuses(t *testing.T) {
	for _, test := range []struct {
		name, source, target, idMap string
		options                     []string
		want                        string
	}{
		{"a relative source", "a", "/b", "", nil, `SOURCE: must be an absolute path, not "a"`},
		{"the root", "/a", "/", "", nil, `TARGET: must not be "/"`},
		{"proc", "/a", "/proc", "", nil, "TARGET: must not be in /proc"},
		{"below sys", "/a", "/sys/fs/x", "", nil, "TARGET: must not be in /sys"},
		{"a way out", "/a", "/b/../../c", "", nil, `TARGET: must not contain ".."`},
		{"no target", "/a", "", "", nil, "TARGET: "},
		{"an unknown map", "/a", "/b", "owners", nil, "--idmap: "},
		{"an unknown option", "/a", "/b", "", []string{"noexec", "nosiud"}, `--option: "nosiud" is no option of this type of mount, did you mean "nosuid"?`},
		{"a contradiction", "/a", "/b", "", []string{"exec", "noexec"}, `--option: "noexec" cannot stand beside "exec"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewBind(test.source, test.target, false, test.idMap, test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
