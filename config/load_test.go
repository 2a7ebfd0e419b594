package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.toml")
	if err := os.WriteFile(path, []byte("process.command = ['a']"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if c.File != path || c.Name != "web" {
		t.Errorf("File %q and Name %q, want %q and web", c.File, c.Name, path)
	}
}

func TestLoadWrong(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name, path, want string
	}{
		{"missing", dir + "/a", `cannot read "` + dir + `/a": no such file or directory`},
		{"a directory", dir, `cannot read "` + dir + `": is a directory`},
		{"endless", "/dev/zero", "/dev/zero: larger than 1048576 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Load(test.path, Overrides{})
			wantError(t, err, test.want)
			if c != nil {
				t.Errorf("Container = %+v, want none", c)
			}
		})
	}
	if _, err := Load(dir+"/a", Overrides{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v is not fs.ErrNotExist", err)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("web.toml", []byte(whole), Overrides{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseWrong(b *testing.B) {
	text := []byte(whole + "\n[procses]\na = 1\nb = 2\n[resources.x]\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("web.toml", text, Overrides{}); err == nil {
			b.Fatal("no error")
		}
	}
}
