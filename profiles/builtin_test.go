package profiles

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// TestBuiltins holds that every built-in profile is right, says what it is for
// and what each of its settings protects from.
func TestBuiltins(t *testing.T) {
	for _, name := range builtins() {
		t.Run(name, func(t *testing.T) {
			p, err := Search{}.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			if p.Description == "" || !p.Builtin || p.File() != "profile "+name {
				t.Errorf("got %+v", p)
			}
			own := p.Layers[len(p.Layers)-1]
			for _, s := range slices.Concat(own.Sandbox, own.Resources) {
				if comment := own.Comment(s); comment == "" || strings.HasSuffix(comment, ".") {
					t.Errorf("%s %s has the comment %q", s.Pos, s.Name, comment)
				}
			}
			if p.HostUsers != (name == trusted) {
				t.Errorf("HostUsers is %t", p.HostUsers)
			}
		})
	}
}

// TestBuiltinsAreListed holds that no file is forgotten.
func TestBuiltinsAreListed(t *testing.T) {
	found, err := fs.Glob(files, "*.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(builtins()) {
		t.Errorf("built in are %q, listed %q", found, builtins())
	}
	if !slices.IsSorted(builtins()) {
		t.Errorf("%q is not sorted", builtins())
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Default().Load("strict"); err != nil {
			b.Fatal(err)
		}
	}
}
