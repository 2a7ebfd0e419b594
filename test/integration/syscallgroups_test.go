package integration

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"berth/sandbox/seccomp"
	"berth/test/host"
)

// The groups of system calls are those of the systemd that runs.
func TestSyscallGroups(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		got := seccomp.Groups(systemdVersion(t, h))
		want := parseGroups(shell(t, h, "systemd-analyze syscall-filter --no-pager 2>/dev/null"))
		sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
		if diff := cmp.Diff(want, got, sorted); diff != "" {
			t.Errorf("groups (-systemd's +berth's):\n%s", diff)
		}
	})
}

// parseGroups reads what systemd-analyze prints: a group's name, and below it its
// description and its members, indented.
func parseGroups(out string) []seccomp.Group {
	var groups []seccomp.Group
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		word, indented := strings.CutPrefix(line, "    ")
		switch {
		case strings.HasPrefix(line, "@"):
			groups = append(groups, seccomp.Group{Name: line})
		case !indented: // remarks between and after the groups
		case strings.HasPrefix(word, "# "):
			groups[len(groups)-1].Description = word[2:]
		default:
			g := &groups[len(groups)-1]
			g.Members = append(g.Members, word)
		}
	}
	return groups
}

// systemdVersion returns the version of the systemd that runs.
func systemdVersion(t *testing.T, h *host.Host) int {
	t.Helper()
	version, err := strconv.Atoi(shell(t, h, "systemctl --version | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p'"))
	if err != nil {
		t.Fatal(err)
	}
	return version
}
