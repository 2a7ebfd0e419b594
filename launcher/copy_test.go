package launcher

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCopy(t *testing.T) {
	for _, test := range []struct {
		source, target string
		want           Copy
		err            string
	}{
		{"web:/a", ".", Copy{Container: "web", Out: true, Inside: "/a", Outside: "."}, ""},
		{"web:a", "-", Copy{Container: "web", Out: true, Inside: "a", Outside: "-"}, ""},
		{"a", "web:/b", Copy{Container: "web", Inside: "/b", Outside: "a"}, ""},
		{"-", "web:/b", Copy{Container: "web", Inside: "/b", Outside: "-"}, ""},
		{"./a:b", "web:/c:d", Copy{Container: "web", Inside: "/c:d", Outside: "./a:b"}, ""},
		{"/x/a:b", "web:/c", Copy{Container: "web", Inside: "/c", Outside: "/x/a:b"}, ""},
		{"a", "b", Copy{}, "NAME:PATH"},
		{"./a:b", "/c:d", Copy{}, "NAME:PATH"},
		{":/a", "b", Copy{}, "NAME:PATH"},
		{"a:/b", "c:/d", Copy{}, "both are in containers"},
		{"web:", "a", Copy{}, "empty"},
		{"", "web:/a", Copy{}, "empty"},
		{"a\x00b", "web:/a", Copy{}, "zero byte"},
	} {
		t.Run(test.source+" "+test.target, func(t *testing.T) {
			got, err := ParseCopy(test.source, test.target)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %q", err, test.err)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestNameOf(t *testing.T) {
	for source, want := range map[string]string{
		"a": "a", "/a/b": "b", "/a/b/": "b", "a/.": "", "/": "", ".": "", "..": "", "a/..": "", "/a/./b": "b",
	} {
		if got := nameOf(source); got != want {
			t.Errorf("%q: got %q, want %q", source, got, want)
		}
	}
}
