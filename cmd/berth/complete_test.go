package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestFileCompletions(t *testing.T) {
	inDirectory(t, map[string]string{
		"etc/web.toml": "", "etc/notes.txt": "", "lib/web.toml": "", "lib/db.toml": "",
		"web2.toml": "", "sub/other.toml": "",
	})
	const names, files = cobra.ShellCompDirectiveNoFileComp, cobra.ShellCompDirectiveFilterFileExt
	tests := []struct {
		name, typed string
		want        []cobra.Completion
		directive   cobra.ShellCompDirective
	}{
		{"nothing typed", "", []cobra.Completion{"web", "db", "web2.toml"}, names},
		{"the beginning of names", "we", []cobra.Completion{"web", "web2.toml"}, names},
		{"a directory", "sub/", []cobra.Completion{"toml"}, files},
		{"no name", "su", []cobra.Completion{"toml"}, files},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, directive := fileCompletions([]string{"etc", "lib", "none"}, test.typed)
			if diff := cmp.Diff(test.want, got); diff != "" || directive != test.directive {
				t.Errorf("directive %v, want %v; -want +got\n%s", directive, test.directive, diff)
			}
		})
	}
}

// TestCompletions asks as the shells' scripts do.
func TestCompletions(t *testing.T) {
	tests := []struct {
		name  string
		args  []string
		offer string // one line of the answer
		count int    // of offers; 0: any number
	}{
		{"command", []string{"ins"}, "inspect\tshow all about a container", 1},
		{"option", []string{"run", "--best"}, "--best-effort\tgo on without what this host can't enforce, with a warning", 1},
		{"signal", []string{"kill", "-s", ""}, "SIGTERM", 31},
		{"setting of systemd", []string{"run", "x", "-p", "Mem"}, "MemoryMax=\tmemory at most, then the OOM killer", 0},
		{"setting of the sandbox", []string{"run", "x", "-p", "ProtectHo"}, "ProtectHome=\t" + aboutSetting("ProtectHome"), 0},
		{"profile", []string{"run", "--profile", "st"}, "strict\tfor programs that compute: no rights of root, no network, few processes", 1},
		{"profile to show", []string{"profiles", "sy"}, "system\tfor whole systems with their own init, the default with process.boot", 1},
		{"nothing after a profile", []string{"profiles", "system", ""}, "", 0},
		{"shell", []string{"completion", ""}, "fish", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			lines := strings.Split(berth(append([]string{cobra.ShellCompRequestCmd}, test.args...)...).Stdout, "\n")
			offers := lines[:len(lines)-2] // before the directive
			if test.count != 0 && len(offers) != test.count {
				t.Errorf("got %d offers, want %d: %q", len(offers), test.count, offers)
			}
			if !strings.Contains("\n"+strings.Join(offers, "\n")+"\n", "\n"+test.offer+"\n") {
				t.Errorf("%q is not offered: %q", test.offer, offers)
			}
		})
	}
}

func TestCompletionScripts(t *testing.T) {
	for shell, marker := range map[string]string{
		"bash": "complete -o default -F __start_berth berth", "zsh": "#compdef berth", "fish": "complete -c berth",
	} {
		got := berth("completion", shell)
		if got.Status != 0 || !strings.Contains(got.Stdout, marker) {
			t.Errorf("%s: status %d, the script lacks %q", shell, got.Status, marker)
		}
	}
}
