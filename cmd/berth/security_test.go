package main

import (
	"encoding/json"
	"strings"
	"testing"

	"berth/launcher"
	"berth/sandbox/exposure"

	"github.com/google/go-cmp/cmp"
)

const securityFile = "process.command = ['/bin/true']\nprofile = 'strict'\n"

func TestSecurity(t *testing.T) {
	inDirectory(t, map[string]string{"web.toml": securityFile})
	got := berth("security", "--systemd", "257", "web.toml")
	if got.Status != 0 || got.Stderr != "" {
		t.Fatalf("got %+v", got)
	}
	for _, want := range []string{
		"   NAME ", "\n✗  User=/DynamicUser= ", "\n   RemoveIPC= ", "\n✓  PrivateNetwork= ",
		"\n→ Overall exposure level for web: 1.2 OK, as systemd 257 scores it\n", "\nBeyond what is scored\n  Its IDs are",
	} {
		if !strings.Contains(got.Stdout, want) {
			t.Errorf("no %q in\n%s", want, got.Stdout)
		}
	}
}

func TestSecurityWithoutContainer(t *testing.T) {
	strict, trusted := berth("security", "--profile", "strict"), berth("security", "--profile", "trusted")
	if strict.Status != 0 || trusted.Status != 0 || strict.Stdout == trusted.Stdout {
		t.Errorf("got %+v\nand %+v", strict, trusted)
	}
}

// --profile takes the place of the file's.
func TestSecurityOverridesProfile(t *testing.T) {
	inDirectory(t, map[string]string{"web.toml": securityFile})
	got := berth("security", "--systemd", "257", "--unit", "--profile", "trusted", "-p", "KeyringMode=shared", "web.toml")
	if got.Status != 0 || !strings.Contains(got.Stdout, "\nKeyringMode=shared\n") || strings.Contains(got.Stdout, "\nSystemCallFilter=") {
		t.Errorf("got %+v", got)
	}
}

func TestSecurityJSON(t *testing.T) {
	got := berth("security", "--json", "--systemd", "257", "--profile", "strict")
	var checks []map[string]any
	if err := json.Unmarshal([]byte(got.Stdout), &checks); err != nil || len(checks) != 81 {
		t.Fatalf("%d checks, %v", len(checks), err)
	}
	want := map[string]any{"set": false, "name": "User=/DynamicUser=", "json_field": "UserOrDynamicUser",
		"description": "It runs as root", "exposure": "0.4"}
	if diff := cmp.Diff(want, checks[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if checks[1]["set"] != nil || checks[1]["exposure"] != nil {
		t.Errorf("what doesn't apply: %v", checks[1])
	}
}

func TestSecurityThreshold(t *testing.T) {
	for threshold, want := range map[string]int{"0": 1, "11": 1, "12": 0, "100": 0} {
		got := berth("security", "--systemd", "257", "--profile", "strict", "--threshold", threshold)
		if got.Status != want || (got.Stderr != "") != (want != 0) || !strings.Contains(got.Stdout, "Overall") {
			t.Errorf("%s: got %+v, want status %d", threshold, got, want)
		}
	}
}

func TestSecurityRefuses(t *testing.T) {
	inDirectory(t, map[string]string{
		"wrong.toml": "process.command = ['/bin/true']\n[sandbox]\nProtectHome = 'perhaps'\n",
	})
	tests := []struct {
		name, want string
		args       []string
	}{
		{"nothing", "a FILE, a NAME or --profile is missing", nil},
		{"two files", `"b" is one argument too many`, []string{"a", "b"}},
		{"a name of nothing", `cannot find the file of "nothing-of-that-name"`, []string{"nothing-of-that-name"}},
		{"a profile that is not there", "cannot find the profile", []string{"--profile", "nothing"}},
		{"a threshold too high", "cannot use 101 as the threshold", []string{"--threshold", "101", "--profile", "strict"}},
		{"a threshold below nothing", "cannot use -1 as the threshold", []string{"--threshold=-1", "--profile", "strict"}},
		{"an impossible systemd", "cannot score as systemd -1 does", []string{"--systemd=-1", "--profile", "strict"}},
		{"a unit as JSON", "none of the others can be", []string{"--unit", "--json", "--profile", "strict"}},
		{"a wrong setting", "wrong.toml:3:1: sandbox.ProtectHome: ", []string{"wrong.toml"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := berth(append([]string{"security"}, test.args...)...)
			if got.Status != 1 || got.Stdout != "" || !strings.Contains(got.Stderr, test.want) {
				t.Errorf("got %+v, want %q", got, test.want)
			}
		})
	}
}

// Checks are in the order of what they add; what a file says can't command the
// terminal.
func TestPrintSecurity(t *testing.T) {
	s := &launcher.Security{Name: "a\x1b[31m", Systemd: 257, Report: exposure.Report{
		Exposure: 31, Rating: exposure.OK,
		Checks: []exposure.Check{
			{Name: "Good=", Description: "g", Applies: true},
			{Name: "NA=", Description: "n"},
			{Name: "Small=", Description: "s\x1b", Applies: true, Badness: 1, Exposure: 1},
			{Name: "Large=", Description: "l", Applies: true, Badness: 1, Exposure: 5},
		},
	}}
	var b strings.Builder
	if err := printSecurity(&b, s); err != nil {
		t.Fatal(err)
	}
	want := `   NAME    DESCRIPTION  EXPOSURE
✗  Large=  l            0.5
✗  Small=  s�           0.1
   NA=     n` + "            " + `
✓  Good=   g` + "            " + `

→ Overall exposure level for a�[31m: 3.1 OK, as systemd 257 scores it
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
