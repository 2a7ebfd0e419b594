package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindFile(t *testing.T) {
	inDirectory(t, map[string]string{
		"etc/web.toml": "", "lib/web.toml": "", "lib/db.toml": "", "local.toml": "", "bare": "",
	})
	dirs := []string{"etc", "lib"}
	tests := []struct{ name, argument, want string }{
		{"first directory", "web", "etc/web.toml"},
		{"second directory", "db", "lib/db.toml"},
		{"path", "./web", "./web"},
		{"path that is not there", "/none/web", "/none/web"},
		{"file name", "local.toml", "local.toml"},
		{"file name that is not there", "none.toml", "none.toml"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := findFile(test.argument, dirs)
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
	wrong := map[string]string{
		"none":  `cannot find the file of "none": there is neither etc/none.toml nor lib/none.toml`,
		"local": `cannot find the file of "local": there is neither etc/local.toml nor lib/local.toml; ./local.toml is the one in this directory`,
		"bare":  `cannot find the file of "bare": there is neither etc/bare.toml nor lib/bare.toml; ./bare is the one in this directory`,
	}
	for argument, want := range wrong {
		got, err := findFile(argument, dirs)
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %q, %v; want the error %s", argument, got, err, want)
		}
	}
}

// A directory that can't be searched must not make the next one's file be taken
// in silence.
func TestFindFileUnreadable(t *testing.T) {
	inDirectory(t, map[string]string{"etc": "not a directory", "lib/web.toml": ""})
	if got, err := findFile("web", []string{"etc", "lib"}); err != nil || got != "etc/web.toml" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestExecEnvironment(t *testing.T) {
	t.Setenv("BERTH_TEST_SET", "from here")
	if err := os.Unsetenv("BERTH_TEST_UNSET"); err != nil {
		t.Fatal(err)
	}
	cmd, options := execCommand(), execOptions{}
	options.environment = []string{"A=1", "B=", "BERTH_TEST_SET", "BERTH_TEST_UNSET", "C=x=y"}
	want := []string{"A=1", "B=", "BERTH_TEST_SET=from here", "C=x=y"}
	if diff := cmp.Diff(want, options.exec(cmd).Env); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
