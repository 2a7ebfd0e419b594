package archive_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/internal/archive"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// tree makes files from lines such as "dir a 755", "file a/b 640 text" and
// "link a/c target", in order.
func tree(t *testing.T, dir string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		words := append(strings.SplitN(line, " ", 4), "", "")
		name := filepath.Join(dir, words[1])
		var mode os.FileMode
		fmt.Sscanf(words[2], "%o", &mode)
		var err error
		switch words[0] {
		case "dir":
			err = os.Mkdir(name, 0o700)
		case "file":
			err = os.WriteFile(name, []byte(words[3]), 0o600)
		case "link":
			err = os.Symlink(words[2], name)
		case "fifo":
			err = unix.Mkfifo(name, 0o600)
		}
		if err == nil && words[0] != "link" {
			err = unix.Chmod(name, uint32(mode))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// listing is a tree as such lines.
func listing(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("find", dir, "-mindepth", "1", "-printf", `%y %P %m %l`, "-type", "f", "-exec", "cat", "{}", ";", "-printf", "\n", "-o", "-mindepth", "1", "-printf", "\n").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	for i := range lines { // in order of their names
		for j := i; j > 0 && strings.Fields(lines[j] + " x x")[1] < strings.Fields(lines[j-1] + " x x")[1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "\n")
}

// root opens a directory that paths are seen from.
func root(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// skips collects what isn't copied.
type skips []string

func (s *skips) add(name, _ string) { *s = append(*s, name) }

func pack(t *testing.T, dir, path string) ([]byte, skips) {
	t.Helper()
	var b bytes.Buffer
	var skipped skips
	if err := (archive.Source{Root: root(t, dir), Path: path, Name: ".", Skipped: skipped.add}).Pack(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), skipped
}

func target(t *testing.T, dir, path, into string) archive.Target {
	return archive.Target{Root: root(t, dir), Path: path, Into: into, Modes: 0o755, Skipped: func(string, string) {}}
}

func TestPlaces(t *testing.T) {
	source := t.TempDir()
	tree(t, source, "dir d 755", "file d/f 640 text", "link d/l /f", "dir d/e 711", "link to-d d", "file f 4777 top")
	for _, test := range []struct {
		name, from, to, into string
		want                 string // an error begins with !
	}{
		{"new directory", "/d", "/new", "d", "d dir 755\nf dir/old 600 old\nl dangling 777 dir/none\nl escape 777 ../../../dir\nf file 600 old\nl inside 777 dir\nd new 755\nd new/e 711\nf new/f 640 text\nl new/l 777 /f"},
		{"into a directory", "/d", "/dir", "d", "d dir 755\nd dir/d 755\nd dir/d/e 711\nf dir/d/f 640 text\nl dir/d/l 777 /f\nf dir/old 600 old"},
		{"by a symlink", "/to-d", "/inside", "to-d", "d dir 755\nf dir/old 600 old\nd dir/to-d 755\nd dir/to-d/e 711\nf dir/to-d/f 640 text"},
		{"by one that seems to lead out", "/f", "/escape", "f", "d dir 755\nf dir/f 755 top\nf dir/old 600 old"},
		{"contents", "/d", "/dir", "", "d dir 755\nd dir/e 711\nf dir/f 640 text\nl dir/l 777 /f\nf dir/old 600 old"},
		{"file over a file", "/f", "/file", "f", "f file 755 top"},
		{"file to a symlink", "/f", "/dangling", "f", "f dir/none 755 top\nf dir/old 600 old\nl dangling 777 dir/none"},
		{"file into a directory", "/f", "/dir/", "f", "f dir/f 755 top"},
		{"file to a new name", "/f", "/dir/g", "f", "f dir/g 755 top"},
		{"directory over a file", "/d", "/file", "d", "!not a directory"},
		{"no directory above", "/f", "/no/such", "f", "!no such file"},
		{"a directory that must be there", "/f", "/no/", "f", "!no such file"},
		{"file as a directory", "/f", "/file/", "f", "!not a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			tree(t, dir, "dir dir 755", "file dir/old 600 old", "file file 600 old", "link inside dir", "link dangling dir/none", "link escape ../../../dir")
			stream, _ := pack(t, source, test.from)
			err := target(t, dir, test.to, test.into).Unpack(bytes.NewReader(stream))
			if want, wrong := strings.CutPrefix(test.want, "!"); wrong {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := listing(t, dir)
			for line := range strings.SplitSeq(test.want, "\n") {
				if !strings.Contains(got+"\n", line+"\n") {
					t.Errorf("no %q in:\n%s", line, got)
				}
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	long := strings.Repeat("n", 200)
	tree(t, source, "dir d 750", "dir d/ro 555", "file d/empty 600 ", "dir d/"+long+" 755", "file d/"+long+"/"+long+" 644 x", "link d/l "+long, "fifo d/fifo 600 ")
	old := time.Unix(1e9, 123456789)
	if err := os.Chtimes(source+"/d/empty", old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(source+"/d/ro", old, old); err != nil {
		t.Fatal(err)
	}
	stream, skipped := pack(t, source, "/d")
	if diff := cmp.Diff(skips{"fifo"}, skipped); diff != "" {
		t.Error(diff)
	}
	to := target(t, dir, "/d", "")
	to.Modes = 0o7777
	if err := to.Unpack(bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	os.Remove(source + "/d/fifo")
	if diff := cmp.Diff(listing(t, source), listing(t, dir)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"/d/empty", "/d/ro"} {
		if info, err := os.Stat(dir + name); err != nil || !info.ModTime().Equal(old) {
			t.Errorf("%s: %v, %v", name, info.ModTime(), err)
		}
	}
}

// hostile makes a stream by hand.
func hostile(t *testing.T, headers ...tar.Header) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = 4
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			io.WriteString(w, "evil")
		}
	}
	w.Close()
	return &b
}

// A stream can't make or change anything outside of its target, nor what has power.
func TestHostileStreams(t *testing.T) {
	entry := func(kind byte, name, link string) tar.Header {
		return tar.Header{Typeflag: kind, Name: name, Linkname: link}
	}
	top := entry(tar.TypeDir, "./", "")
	for _, test := range []struct {
		name    string
		headers []tar.Header
	}{
		{"dots", []tar.Header{top, entry(tar.TypeReg, "../out", "")}},
		{"dots within", []tar.Header{top, entry(tar.TypeDir, "a", ""), entry(tar.TypeReg, "a/../../out", "")}},
		{"a leading slash", []tar.Header{top, entry(tar.TypeReg, "/out", "")}},
		{"through a symlink of its own", []tar.Header{top, entry(tar.TypeSymlink, "l", ".."), entry(tar.TypeReg, "l/out", "")}},
		{"through an absolute one", []tar.Header{top, entry(tar.TypeSymlink, "l", "OUTSIDE"), entry(tar.TypeReg, "l/out", "")}},
		{"through one that is there", []tar.Header{top, entry(tar.TypeReg, "there/out", "")}},
		{"over a symlink to a file", []tar.Header{top, entry(tar.TypeReg, "file", "")}},
		{"directory over a symlink", []tar.Header{top, entry(tar.TypeDir, "there", ""), entry(tar.TypeReg, "there/out", "")}},
		{"hard link to the outside", []tar.Header{top, entry(tar.TypeLink, "h", "../secret"), entry(tar.TypeReg, "h", "")}},
		{"hard link through a symlink", []tar.Header{top, entry(tar.TypeLink, "h", "there/secret"), entry(tar.TypeReg, "h", "")}},
		{"hard link, absolute", []tar.Header{top, entry(tar.TypeLink, "h", "OUTSIDE/secret")}},
		{"device", []tar.Header{top, {Typeflag: tar.TypeChar, Name: "dev", Devmajor: 1, Devminor: 3}}},
		{"device alone", []tar.Header{{Typeflag: tar.TypeBlock, Name: ".", Devmajor: 1, Devminor: 3}}},
		{"fifo", []tar.Header{top, entry(tar.TypeFifo, "fifo", "")}},
		{"setuid", []tar.Header{top, {Typeflag: tar.TypeReg, Name: "s", Mode: 0o6755}, {Typeflag: tar.TypeDir, Name: "sd", Mode: 0o7777}}},
		{"top twice", []tar.Header{top, {Typeflag: tar.TypeReg, Name: "."}}},
	} {
		for _, anybodys := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, anybodys), func(t *testing.T) {
				above := t.TempDir()
				tree(t, above, "dir in 700", "dir other 700", "file secret 600 secret", "file other/secret 600 secret", "link in/there ../other", "link in/file ../secret")
				for i := range test.headers {
					test.headers[i].Linkname = strings.ReplaceAll(test.headers[i].Linkname, "OUTSIDE", above)
				}
				before := outside(t, above)
				to := target(t, above, "/in", "")
				to.Tree = anybodys
				_ = to.Unpack(hostile(t, test.headers...)) // may be refused, or do something else
				if diff := cmp.Diff(before, outside(t, above)); diff != "" {
					t.Errorf("changed outside: %s", diff)
				}
				found, err := exec.Command("find", above, "(", "-perm", "/7000", "-o", "-type", "c", "-o", "-type", "b", "-o", "-type", "p", ")").CombinedOutput()
				if err != nil || len(found) > 0 {
					t.Errorf("made %s (%v)", found, err)
				}
				if links, _ := exec.Command("find", above, "-type", "f", "-links", "+1", "-size", "6c").CombinedOutput(); len(links) > 0 {
					t.Errorf("linked %s", links)
				}
			})
		}
	}
}

func outside(t *testing.T, dir string) string {
	t.Helper()
	var kept []string
	for line := range strings.SplitSeq(listing(t, dir), "\n") {
		if words := strings.Fields(line); words[1] != "in" && !strings.HasPrefix(words[1], "in/") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestShortStreams(t *testing.T) {
	source := t.TempDir()
	tree(t, source, "dir d 755", "file d/f 644 text")
	stream, _ := pack(t, source, "/d")
	for _, n := range []int{0, 100, 512, 1024, 1500, 2100} {
		if err := target(t, t.TempDir(), "/new", "").Unpack(bytes.NewReader(stream[:min(n, len(stream)-1024)])); err == nil && n < 1024 {
			t.Errorf("%d bytes: no error", n)
		}
	}
}

// While a tree changes between files, FIFOs and symlinks to the outside, nothing from
// there is packed, and nothing hangs.
func TestPackRaces(t *testing.T) {
	above := t.TempDir()
	tree(t, above, "dir d 755", "dir d/sub 755", "file d/sub/f 644 plain", "dir out 755", "file out/f 600 SECRET", "file out/sub 600 SECRET")
	stop := make(chan struct{})
	var attack sync.WaitGroup
	attack.Go(func() {
		dir, turn := filepath.Join(above, "d"), 0
		for {
			select {
			case <-stop:
				return
			default:
			}
			turn++
			file := dir + "/sub/f"
			os.Remove(file)
			switch turn % 3 {
			case 0:
				os.WriteFile(file, []byte("plain"), 0o644)
			case 1:
				os.Symlink("../../out/f", file)
			case 2:
				unix.Mkfifo(file, 0o644)
			}
			os.Rename(dir+"/sub", dir+"/aside")
			os.Symlink("../out", dir+"/sub")
			os.Remove(dir + "/sub")
			os.Rename(dir+"/aside", dir+"/sub")
		}
	})
	done := make(chan struct{})
	packed := 0
	go func() {
		defer close(done)
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			var b bytes.Buffer
			err := archive.Source{Root: root(t, above), Path: "/d", Name: ".", Skipped: func(string, string) {}}.Pack(&b)
			if err == nil {
				packed++
			}
			if bytes.Contains(b.Bytes(), []byte("SECRET")) {
				t.Error("packed a file from outside")
				return
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("hangs")
	}
	close(stop)
	attack.Wait()
	if packed == 0 {
		t.Error("it was never packed as a whole")
	}
}
