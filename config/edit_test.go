package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEdit(t *testing.T) {
	for _, test := range []struct {
		name, before string
		values       []string
		want         string
	}{
		{"value and comments",
			"# mine\n[resources]\n\tMemoryMax  =  \"1G\"   # enough\nTasksMax = 3\n", []string{"2G"},
			"# mine\n[resources]\n\tMemoryMax  =  \"2G\"   # enough\nTasksMax = 3\n"},
		{"number", "[resources]\nMemoryMax = 1\n", []string{"1073741824"}, "[resources]\nMemoryMax = 1073741824\n"},
		{"leading zero", "[resources]\nMemoryMax = 1\n", []string{"010"}, "[resources]\nMemoryMax = \"010\"\n"},
		{"array over lines", "[resources]\nMemoryMax = [\n  \"a\", # ]\n  'b]',\n] # end\nX = 1\n", []string{"1G"}, "[resources]\nMemoryMax = \"1G\" # end\nX = 1\n"},
		{"to an array", "[resources]\nMemoryMax = true\n", []string{"", "a\"b\\"}, "[resources]\nMemoryMax = [\"\", \"a\\\"b\\\\\"]\n"},
		{"multi-line string", "[resources]\nMemoryMax = \"\"\"\n1\nMemoryMax = 2\"\"\"\n", []string{"1G"}, "[resources]\nMemoryMax = \"1G\"\n"},
		{"quoted key", "[resources]\n\"MemoryMax\"= '1G'", []string{"2G"}, "[resources]\n\"MemoryMax\"= \"2G\""},
		{"quoted header", "[ \"resources\" ] # x\n[users]\nsize = 256\n", []string{"2G"}, "[ \"resources\" ] # x\nMemoryMax = \"2G\"\n[users]\nsize = 256\n"},
		{"dotted", "resources.MemoryMax = 1\n[users]\nsize = 256\n", []string{"2"}, "resources.MemoryMax = 2\n[users]\nsize = 256\n"},
		{"dotted, added", "resources.TasksMax = 1 # a\n[users]\nsize = 256\n", []string{"2"}, "resources.TasksMax = 1 # a\nresources.MemoryMax = 2\n[users]\nsize = 256\n"},
		{"inline", "resources = { TasksMax = 1, MemoryMax = \"1G\" }\n", []string{"2G"}, "resources = { TasksMax = 1, MemoryMax = \"2G\" }\n"},
		{"inline, added", "resources = { TasksMax = 1 }\n", []string{"2G"}, "resources = { MemoryMax = \"2G\", TasksMax = 1 }\n"},
		{"inline, empty", "resources = {}\n", []string{"2G"}, "resources = { MemoryMax = \"2G\" }\n"},
		{"added behind the last", "[resources]\n  TasksMax = [\n1,\n] # a\n\n[users]\nsize = 256\n", []string{"2"}, "[resources]\n  TasksMax = [\n1,\n] # a\nMemoryMax = 2\n\n[users]\nsize = 256\n"},
		{"indented", "[resources]\n  TasksMax = 1\n\n[users]\nsize = 256\n", []string{"2"}, "[resources]\n  TasksMax = 1\n  MemoryMax = 2\n\n[users]\nsize = 256\n"},
		{"no newline", "[resources]\nTasksMax = 1", []string{"2"}, "[resources]\nTasksMax = 1\nMemoryMax = 2"},
		{"no table", "[users]\nsize = 256", []string{"2"}, "[users]\nsize = 256\n\n[resources]\nMemoryMax = 2\n"},
		{"nothing", "", []string{"2"}, "[resources]\nMemoryMax = 2\n"},
		{"DOS", "\ufeff[resources]\r\nTasksMax = 1\r\n", []string{"2"}, "\ufeff[resources]\r\nTasksMax = 1\r\nMemoryMax = 2\r\n"},
		{"mark, dotted", "\ufeffresources.TasksMax = 1\n", []string{"2"}, "\ufeffresources.TasksMax = 1\nresources.MemoryMax = 2\n"},
		{"name elsewhere", "# MemoryMax = 1\ndescription = \"MemoryMax = 1\"\n[resources]\nX = \"MemoryMax = 1\"\nMemoryMax = 1\n", []string{"2"},
			"# MemoryMax = 1\ndescription = \"MemoryMax = 1\"\n[resources]\nX = \"MemoryMax = 1\"\nMemoryMax = 2\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Edit("x.toml", []byte(test.before), Setting{Name: "MemoryMax", Values: test.values})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
			again, err := Edit("x.toml", got, Setting{Name: "MemoryMax", Values: test.values})
			if err != nil || string(again) != string(got) {
				t.Errorf("once more: %q, %v", again, err)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	for _, test := range []struct{ name, before, value string }{
		{"no TOML", "[resources\n", "1"},
		{"given twice", "[resources]\nMemoryMax = 1\nMemoryMax = 2\n", "1"},
		{"below it", "[resources.MemoryMax]\nx = 1\n", "1"},
		{"no table", "resources = 1\n", "1"},
		{"several tables", "[[resources]]\nMemoryMax = 1\n", "1"},
		{"line break", "[resources]\n", "1\nx = 1"},
		{"no UTF-8", "[resources]\n", "a\xff"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Edit("x.toml", []byte(test.before), Setting{Name: "MemoryMax", Values: []string{test.value}})
			if err == nil {
				t.Fatalf("got %q", got)
			}
			if !strings.Contains(err.Error(), "x.toml") {
				t.Errorf("the error doesn't name the file: %v", err)
			}
		})
	}
}

// What is edited reads as what was meant, or is refused.
func FuzzEdit(f *testing.F) {
	f.Add("[resources]\nMemoryMax = 1\n", "2")
	f.Add("resources = {A = [1, 2]}", "x")
	f.Add("[a.b]\nresources.MemoryMax = 1\n[[c]]\n[resources]", "\"")
	f.Fuzz(func(t *testing.T, before, value string) {
		got, err := Edit("x.toml", []byte(before), Setting{Name: "MemoryMax", Values: []string{value}})
		if err != nil {
			return
		}
		c, _ := Parse("x.toml", got, Overrides{})
		if c == nil {
			t.Fatalf("%q, %q: no TOML any more: %q", before, value, got)
		}
	})
}

func TestAssign(t *testing.T) {
	got, err := Assign([]string{"MemoryMax=1G", "IPAddressDeny=[\"any\", 'x']", "resources.TasksMax=20", "CPUQuota=", "MemoryMax=2G"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Setting{
		{"CPUQuota", []string{""}, Position{File: "CPUQuota="}},
		{"IPAddressDeny", []string{"any", "x"}, Position{File: "IPAddressDeny=[\"any\", 'x']"}},
		{"MemoryMax", []string{"2G"}, Position{File: "MemoryMax=2G"}},
		{"TasksMax", []string{"20"}, Position{File: "resources.TasksMax=20"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, word := range []string{"", "MemoryMax", "=1", "process.user=x", "MemoryMax=1979-05-27", "name=x", "resources=1", "memory=1", "MemoryMax=\"a\\nb\""} {
		if got, err := Assign([]string{word}); err == nil {
			t.Errorf("%q: got %+v", word, got)
		}
	}
}
