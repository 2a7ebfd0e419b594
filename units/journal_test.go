package units

import (
	"io"
	"net"
	"path/filepath"
	"testing"
)

func TestOpenStream(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "stdout")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := openStream(socket, Stream{Identifier: "web", Unit: "berth-web.scope", Priority: 6, Facility: 3, LevelPrefix: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := io.ReadAll(conn)
	if want := "web\nberth-web.scope\n30\n1\n0\n0\n0\nhello\n"; string(got) != want || err != nil {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
}

func TestOpenStreamRefuses(t *testing.T) {
	for name, s := range map[string]Stream{
		"a line break in the identifier": {Identifier: "a\nb"},
		"a line break in the unit":       {Unit: "a.scope\n0"},
		"a priority below 0":             {Priority: -1},
		"a priority above 7":             {Priority: 8},
		"a facility below 0":             {Facility: -1},
		"a facility above 23":            {Facility: 24},
	} {
		if f, err := openStream(filepath.Join(t.TempDir(), "none"), s); err == nil || f != nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := openStream(filepath.Join(t.TempDir(), "none"), Stream{}); err == nil {
		t.Error("a journal that isn't there is accepted")
	}
}
