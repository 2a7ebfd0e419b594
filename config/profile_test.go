package config

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const profileText = `# A profile for web servers.
description = "serves the web"
extends     = "./base.toml"

[sandbox]
# keeps it off the homes of people,
# all of them
ProtectHome = true
# about nothing

SystemCallFilter = ["@system-service", ""]
	#   no more than this   
CapabilityBoundingSet = "CAP_CHOWN"

[resources]
TasksMax = 4
`

func TestParseProfile(t *testing.T) {
	got, err := ParseProfile("p/web.toml", []byte(profileText))
	if err != nil {
		t.Fatal(err)
	}
	want := &Profile{
		File: "p/web.toml", Description: "serves the web", Extends: "p/base.toml",
		Sandbox: []Setting{
			{"ProtectHome", []string{"yes"}, Position{"p/web.toml", 8, 1}},
			{"SystemCallFilter", []string{"@system-service", ""}, Position{"p/web.toml", 11, 1}},
			{"CapabilityBoundingSet", []string{"CAP_CHOWN"}, Position{"p/web.toml", 13, 1}},
		},
		Resources: []Setting{{"TasksMax", []string{"4"}, Position{"p/web.toml", 16, 1}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Profile{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if pos := got.Pos("extends").String(); pos != "p/web.toml:3:1" {
		t.Errorf("extends stands at %s", pos)
	}
	comments := []string{"keeps it off the homes of people, all of them", "", "no more than this", ""}
	for i, s := range slices.Concat(got.Sandbox, got.Resources) {
		if c := got.Comment(s); c != comments[i] {
			t.Errorf("the comment of %s is %q, want %q", s.Name, c, comments[i])
		}
	}
}

func TestParseProfileEmpty(t *testing.T) {
	got, err := ParseProfile("x.toml", nil)
	if err != nil || got.Extends != "" || len(got.Sandbox)+len(got.Resources) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParseProfileErrors(t *testing.T) {
	const noKey = "x.toml:1:1: "
	tests := []struct{ name, text, want string }{
		{"no TOML", "=", "x.toml:1:1: cannot parse TOML: invalid character at start of key: U+003D '='"},
		{"a misspelt key", "extend = 'a'", noKey + `extend: unknown key, did you mean "extends"?`},
		{"a container's key", "name = 'a'", noKey + "name: unknown key"},
		{"a container's table", "[process]", "x.toml:1:2: process: unknown key"},
		{"what only berth grants", "users.map = 'host'", noKey + "users: unknown key"},
		{"a setting outside its table", "ProtectHome = true", noKey + "ProtectHome: unknown key: settings of systemd stand in [resources] and [sandbox]"},
		{"no name", "extends = 'A'", noKey + `extends: "A" is no valid name of a profile, which takes a-z, 0-9 and -; a path has a / or ends in .toml`},
		{"no list", "extends = ['a']", noKey + "extends: must be a string, not an array"},
		{"a newline", `sandbox.User = "a\nb"`, `x.toml:1:9: sandbox.User: must not contain a control character, as "a\nb" does`},
		{"all of them", "extends = 1\ndescription = 2\n[sandbox]\na = 1", inLines(
			noKey+"extends: must be a string, not an integer",
			"x.toml:2:1: description: must be a string, not an integer",
			"x.toml:4:1: sandbox.a: unknown key: it holds settings of systemd, such as ProtectSystem")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseProfile("x.toml", []byte(test.text))
			wantError(t, err, test.want)
		})
	}
}

func TestLoadProfile(t *testing.T) {
	path := t.TempDir() + "/web.toml"
	if _, err := LoadProfile(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v is not os.ErrNotExist", err)
	}
	if err := os.WriteFile(path, []byte(profileText), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := LoadProfile(path)
	if err != nil || p.File != path || p.Description != "serves the web" {
		t.Errorf("got %+v, %v", p, err)
	}
}

// FuzzParseProfile holds for profiles what FuzzParse does for containers.
func FuzzParseProfile(f *testing.F) {
	f.Add(profileText)
	f.Add("extends='a.toml'\nsandbox={A=[0o7,0x1_f],B=1.5}\nresources.C=true")
	f.Add("#\n#a\nsandbox.A='''\n# b\n'''\n[sandbox]\n[[resources]]")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseProfile("fuzz.toml", []byte(text))
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("error is %T, want Errors", err)
			}
			for _, e := range errs {
				if e.Msg == "" || strings.IndexFunc(e.Error(), unicode.IsControl) >= 0 {
					t.Errorf("error %q", e.Error())
				}
				lineThere(t, text, e.Pos)
			}
			return
		}
		if p.Extends != "" && checkProfile(p.Extends) != nil {
			t.Errorf("extends %q", p.Extends)
		}
		for _, s := range slices.Concat(p.Sandbox, p.Resources) {
			if len(s.Values) == 0 || strings.IndexFunc(s.Name+strings.Join(s.Values, ""), unicode.IsControl) >= 0 {
				t.Errorf("setting %+v", s)
			}
			if strings.Contains(p.Comment(s), "\n") {
				t.Errorf("comment %q", p.Comment(s))
			}
		}
	})
}
