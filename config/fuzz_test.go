package config

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// FuzzParse holds that no file makes Parse panic, that every error has a
// place and a message of one line, and that what Parse accepts keeps what
// Container promises.
func FuzzParse(f *testing.F) {
	f.Add(whole, "MemoryMax=1G")
	f.Add(small, "process.command=['/bin/sh']")
	f.Add("[[mounts]]\ntype='overlay'\nsource=['/a','/b']\ntarget='/a'", "mounts=[]")
	f.Add("[process]\nboot=true\n[users]\nmap_root=false\nmap=524288", "process.environment={A='b'}")
	f.Add("a={b={c=[{d=1}]}}\n[a.b]\n[[a]]", "name=x")
	f.Add("[[mounts]]\n[mounts.x]\n[[mounts.y]]\n[[mounts]]\nsource=[[1],{}]", "resources.A=1.5")
	f.Add("\"\\u0000\"=1\n''=2\n\"a.b\".c=3\n[\"d[0]\"]", "a.b.c={}")
	f.Add("name=\"\"\"\na\"\"\"\ndescription='''\n'''\n", "users.size=256")
	f.Add("x=1979-05-27T07:32:00Z\ny=0x7f\nz=1e400\nw=nan", "x")
	f.Add("\ufeffname='a'\r\n[root]\r\nvolatile=true\r\n", "root.directory=/a")
	f.Fuzz(func(t *testing.T, text, override string) {
		c, err := Parse("fuzz.toml", []byte(text), Overrides{Set: []string{override}})
		if err == nil {
			promised(t, c)
			return
		}
		var errs Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("error is %T, want Errors", err)
		}
		for _, e := range errs {
			if e.Pos.File == "" || e.Msg == "" || strings.IndexFunc(e.Error(), unicode.IsControl) >= 0 {
				t.Errorf("error %q", e.Error())
			}
			lineThere(t, text, e.Pos)
		}
	})
}

// lineThere holds that a position in the file exists in it.
func lineThere(t *testing.T, text string, pos Position) {
	t.Helper()
	if pos.Line == 0 {
		return
	}
	all := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	if pos.Line > len(all) || pos.Column < 1 || pos.Column > len(all[pos.Line-1])+1 {
		t.Errorf("no place %v in %q", pos, text)
	}
}

func promised(t *testing.T, c *Container) {
	t.Helper()
	if CheckName(c.Name) != nil {
		t.Errorf("name %q", c.Name)
	}
	if c.Process.Hostname == "" || checkHostname(c.Process.Hostname) != nil {
		t.Errorf("hostname %q", c.Process.Hostname)
	}
	if len(c.Process.Command) == 0 && !c.Process.Boot {
		t.Error("no command")
	}
	if _, err := Signal(c.Process.StopSignal); err != nil {
		t.Error(err)
	}
	if c.Root.Directory == "" && c.Root.Volatile == VolatileNo && !c.Root.ReadOnly {
		t.Error("the host's tree can be written")
	}
	if (c.Users.Size == 0) != (c.Users.Map == "host") {
		t.Errorf("users %+v", c.Users)
	}
	if c.Users.Size > blockSize || c.Users.Map != "host" && c.Users.Size > blockSize || c.Users.Base%c.Users.Size != 0 ||
		c.Users.Map == "base" && c.Users.Base < firstContainerID {
		t.Errorf("users %+v", c.Users)
	}
	if c.Profile == "" || checkProfile(c.Profile) != nil {
		t.Errorf("profile %q", c.Profile)
	}
	for _, s := range slices.Concat(c.Resources, c.Sandbox) {
		if len(s.Values) == 0 || strings.IndexFunc(s.Name+strings.Join(s.Values, ""), unicode.IsControl) >= 0 {
			t.Errorf("setting %+v", s)
		}
	}
	promisedPaths(t, c)
}

func promisedPaths(t *testing.T, c *Container) {
	t.Helper()
	paths := []string{c.Process.WorkingDirectory}
	targets := make(map[string]bool)
	for _, m := range c.Mounts {
		paths = append(paths, m.Target)
		if m.Type == "bind" {
			paths = append(paths, m.Source)
		}
		paths = append(paths, m.Lower...)
		if m.Upper != "" || m.Work != "" {
			paths = append(paths, m.Upper, m.Work)
		}
		first := strings.Split(m.Target, "/")[1]
		if targets[m.Target] || slices.Contains([]string{"", "proc", "sys"}, first) {
			t.Errorf("target %q", m.Target)
		}
		targets[m.Target] = true
	}
	for _, p := range paths {
		if !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsAny(p, "\x00\n") || slices.Contains(strings.Split(p, "/"), "..") {
			t.Errorf("path %q", p)
		}
	}
}
