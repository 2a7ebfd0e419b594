// Package test holds the rules that the whole tree keeps.
package test

import (
	"os/exec"
	"strings"
	"testing"
)

// rules say which of berth's packages a package may import, and which of the
// libraries that only one package should know. "berth/…" that is not listed is
// refused, whoever imports it.
var rules = []struct {
	pkg     string
	may     []string // berth's packages
	because string
}{
	{"berth/config", []string{"berth/internal/nearest"},
		"a file means the same on every host: decoding knows no systemd and makes no system call"},
	{"berth/profiles", []string{"berth/config", "berth/internal/nearest"},
		"profiles are files: what their settings mean is known where they are applied"},
	{"berth/units", []string{"berth/internal/nearest", "berth/internal/unitfile"},
		"systemd's settings and its bus are one subject, without containers"},
	{"berth/idpool", nil,
		"blocks of IDs can be had without a container"},
	{"berth/sandbox", []string{"berth/internal/kernel", "berth/internal/nearest", "berth/internal/unitfile", "berth/sandbox/seccomp"},
		"settings in, a decision out: nothing is asked of the host, nothing is carried out"},
	{"berth/sandbox/exposure", []string{"berth/internal/kernel", "berth/internal/unitfile", "berth/sandbox", "berth/sandbox/seccomp"},
		"a score is a matter of settings: containers are rendered as units elsewhere"},
	{"berth/sandbox/seccomp", []string{"berth/internal/kernel", "berth/internal/nearest"},
		"filters of system calls have a use without the settings that ask for them"},
	{"berth/learn", []string{"berth/sandbox/seccomp"},
		"from a recording to settings: who recorded it, and who applies them, is elsewhere"},
	{"berth/mountguard", []string{"berth/internal/kernel"},
		"a policy, and the loop that asks it: who starts containers is elsewhere"},
	{"berth/internal/structs", nil,
		"where members are: who reads them, and what for, is elsewhere"},
	{"berth/internal/fsguard", []string{"berth/internal/kernel", "berth/internal/structs"},
		"one BPF program, and which files it lets be opened"},
	{"berth/internal/unitfile", nil,
		"a syntax, and no setting"},
	{"berth/internal/nearest", nil,
		"a leaf"},
	{"berth/internal/kernel", nil,
		"mechanism without policy"},
	{"berth/internal/trace", []string{"berth/internal/kernel", "berth/internal/structs"},
		"what happened is told in the kernel's numbers: others know what they mean"},
	{"berth/internal/archive", []string{"berth/internal/kernel"},
		"from one tree to another: whose they are is known elsewhere"},
	{"berth/internal/nsinit", []string{"berth/internal/archive", "berth/internal/kernel"},
		"the side inside is told what to do, and starts fast"},
	{"berth/launcher", []string{"berth/config", "berth/profiles", "berth/sandbox", "berth/sandbox/exposure", "berth/sandbox/seccomp", "berth/learn", "berth/units", "berth/idpool", "berth/mountguard", "berth/internal/archive", "berth/internal/fsguard", "berth/internal/kernel", "berth/internal/nsinit", "berth/internal/nearest", "berth/internal/trace", "berth/internal/unitfile"},
		"the trunk composes the leaves, and knows no command line"},
	{"berth/cmd/berth", []string{"berth/config", "berth/profiles", "berth/sandbox", "berth/sandbox/exposure", "berth/learn", "berth/units", "berth/idpool", "berth/launcher", "berth/internal/nsinit", "berth/internal/nearest"},
		"commands read arguments and print; package launcher acts"},
}

// owned are libraries that belong to one package.
var owned = []struct {
	library, owner, because string
}{
	{"github.com/godbus/dbus/v5", "berth/units", "only units speaks D-Bus"},
	{"github.com/BurntSushi/toml", "berth/config", "only config reads TOML"},
	{"github.com/pelletier/go-toml/v2", "berth/config", "only config reads TOML"},
	{"github.com/seccomp/libseccomp-golang", "berth/sandbox/seccomp", "only seccomp compiles filters"},
	{"github.com/spf13/cobra", "berth/cmd/berth", "the command line is one layer"},
	{"charm.land/bubbletea/v2", "berth/cmd/berth", "a live view is the command line's"},
}

func TestImports(t *testing.T) {
	imports := importsOf(t)
	for _, rule := range rules {
		direct, ok := imports[rule.pkg]
		if !ok {
			t.Errorf("%s has a rule and is not there", rule.pkg)
		}
		allowed := map[string]bool{}
		for _, p := range rule.may {
			allowed[p] = true
		}
		for _, p := range direct {
			if strings.HasPrefix(p, "berth/") && !allowed[p] {
				t.Errorf("%s imports %s: %s", rule.pkg, p, rule.because)
			}
		}
		delete(imports, rule.pkg)
		for _, o := range owned {
			for _, p := range direct {
				if (p == o.library || strings.HasPrefix(p, o.library+"/")) && rule.pkg != o.owner {
					t.Errorf("%s imports %s: %s", rule.pkg, p, o.because)
				}
			}
		}
	}
	for pkg := range imports {
		if !strings.HasPrefix(pkg, "berth/test") {
			t.Errorf("%s has no rule here: say what it may import, and why", pkg)
		}
	}
}

// importsOf lists what each package of the tree imports, its tests aside.
func importsOf(t *testing.T) map[string][]string {
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		imports[fields[0]] = fields[1:]
	}
	return imports
}
