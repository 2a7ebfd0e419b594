package seccomp

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"berth/test/require"
)

// cached fills a cache, and returns the layers, the programs and the file.
func cached(t *testing.T) (c Cache, layers []Layer, programs []Program, file string) {
	t.Helper()
	c = Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	layers = Hostname()
	programs, err := c.Load(layers)
	if err != nil {
		t.Fatal(err)
	}
	return c, layers, programs, c.file(layers)
}

func TestCache(t *testing.T) {
	c, layers, want, file := cached(t)
	if got, err := read(file); err != nil || !cmp.Equal(got, want) {
		t.Fatalf("the file has %v, %v", got, err)
	}
	if info, err := os.Stat(c.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	// Only the cache can know of a program that was put there.
	want[0].Name = "from the cache"
	if err := os.WriteFile(file, encode(want), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Load(layers); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestCacheOfNothing(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	for range 2 {
		if got, err := c.Load(nil); err != nil || len(got) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

// What is not to be trusted is compiled again, and comes out right.
func TestCacheTrustsNobody(t *testing.T) {
	evil := encode([]Program{{Name: "evil", Code: instructions{returns(retAllow)}.bytes()}})
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		do   func(t *testing.T, dir, file string)
	}{
		{"others may write the file", func(t *testing.T, _, file string) { must(t, os.Chmod(file, 0o602)) }},
		{"the group may write the file", func(t *testing.T, _, file string) { must(t, os.Chmod(file, 0o620)) }},
		{"others may write the directory", func(t *testing.T, dir, _ string) { must(t, os.Chmod(dir, 0o777)) }},
		{"another's file", func(t *testing.T, _, file string) { require.Root(t); must(t, os.Chown(file, 1234, 0)) }},
		{"another's directory", func(t *testing.T, dir, _ string) { require.Root(t); must(t, os.Chown(dir, 1234, 0)) }},
		{"a symlink", func(t *testing.T, dir, file string) {
			must(t, os.Rename(file, file+"x"))
			must(t, os.Symlink(file+"x", file))
		}},
		{"a symlink to the directory", func(t *testing.T, dir, _ string) {
			must(t, os.Rename(dir, dir+"x"))
			must(t, os.Symlink(dir+"x", dir))
		}},
		{"a directory", func(t *testing.T, _, file string) {
			must(t, os.Remove(file))
			must(t, os.Mkdir(file, 0o700))
		}},
		{"no file", func(t *testing.T, _, file string) { must(t, os.Remove(file)) }},
		{"no directory", func(t *testing.T, dir, _ string) { must(t, os.RemoveAll(dir)) }},
		{"a file in place of the directory", func(t *testing.T, dir, _ string) {
			must(t, os.RemoveAll(dir))
			must(t, os.WriteFile(dir, nil, 0o600))
		}},
		{"a huge file", func(t *testing.T, _, file string) { must(t, os.Truncate(file, maxSize+1)) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, layers, want, file := cached(t)
			if err := os.WriteFile(file, evil, 0o600); err != nil {
				t.Fatal(err)
			}
			test.do(t, c.Dir, file)
			if got, err := c.Load(layers); err != nil || !cmp.Equal(got, want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestCacheDamaged(t *testing.T) {
	programs := []Program{{Name: "one", Code: bytes.Repeat([]byte{1}, 24), Flags: 8}, {Name: "", Code: []byte{2}}}
	good := encode(programs)
	if got, err := decode(good); err != nil || !cmp.Equal(got, programs) {
		t.Fatalf("got %v, %v", got, err)
	}
	for n := range good {
		if got, err := decode(good[:n]); err == nil {
			t.Fatalf("cut to %d bytes: got %v", n, got)
		}
		damaged := slices.Clone(good)
		damaged[n] ^= 0x10
		if got, err := decode(damaged); err == nil {
			t.Fatalf("byte %d changed: got %v", n, got)
		}
	}
	if got, err := decode(append(good, 0)); err == nil {
		t.Errorf("with a byte more: got %v", got)
	}
}

// A field whose length lies, with a checksum that is right.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 255, 255, 255, 255})
	f.Add(encode([]Program{{Name: "x", Code: []byte{1}}})[len(format)+32:])
	f.Fuzz(func(t *testing.T, body []byte) {
		programs, err := decode(seal(body))
		if err == nil && !bytes.Equal(encode(programs), seal(body)) {
			t.Errorf("%x isn't what it decodes to", body)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	if err := os.Chmod(c.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for i := range 2 * maxCached {
		name := filepath.Join(c.Dir, fmt.Sprintf("%s%03d", []string{"", ".new-"}[i%2], i))
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, old, old.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	layers := Hostname()
	if _, err := c.Load(layers); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(c.Dir)
	if err != nil || len(left) != maxCached {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if _, err := read(c.file(layers)); err != nil {
		t.Errorf("the newest is gone: %v", err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "000")); err == nil {
		t.Error("the oldest is left")
	}
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c, layers, _, file := cached(t)
	old := time.Now().Add(-2 * touched)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(layers); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("its time is %v, %v", info.ModTime(), err)
	}
}

func TestCacheOfManyAtOnce(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	want, err := Compile(Realtime())
	if err != nil {
		t.Fatal(err)
	}
	var loads sync.WaitGroup
	for range 16 {
		loads.Go(func() {
			if got, err := c.Load(Realtime()); err != nil || len(got) != len(want) {
				t.Errorf("got %d programs, %v", len(got), err)
			}
		})
	}
	loads.Wait()
	if left, err := os.ReadDir(c.Dir); err != nil || len(left) != 1 {
		t.Errorf("%d files, %v", len(left), err)
	}
}

// Everything that a program depends on makes a key of its own.
func TestKey(t *testing.T) {
	layer := func() Layer {
		return Layer{Name: "n", Default: Allow, Unknown: Allow, Foreign: Allow, Archs: []string{"x32"},
			Rules: []Rule{{Call: "read", Args: []Compare{{Arg: 1, Op: Equal, Mask: 3, Value: 1}}, Action: "EPERM"}}}
	}
	mine := compiler("/proc/self/exe")
	changes := []func(l *Layer){
		func(l *Layer) {}, func(l *Layer) { l.Name = "m" }, func(l *Layer) { l.Default = Log }, func(l *Layer) { l.Unknown = Log },
		func(l *Layer) { l.Foreign = Log }, func(l *Layer) { l.Archs = nil }, func(l *Layer) { l.Archs = []string{"x3", "2"} },
		func(l *Layer) { l.Rules = nil }, func(l *Layer) { l.Rules = append(l.Rules, l.Rules[0]) },
		func(l *Layer) { l.Rules[0].Call = "write" }, func(l *Layer) { l.Rules[0].Action = Kill },
		func(l *Layer) { l.Rules[0].Args = nil }, func(l *Layer) { l.Rules[0].Args[0].Arg = 2 },
		func(l *Layer) { l.Rules[0].Args[0].Op = Less }, func(l *Layer) { l.Rules[0].Args[0].Mask = 1 },
		func(l *Layer) { l.Rules[0].Args[0].Value = 3 },
	}
	seen := map[string]int{}
	for i, change := range changes {
		l := layer()
		change(&l)
		name := key(mine, []Layer{l})
		if other, ok := seen[name]; ok {
			t.Errorf("changes %d and %d have the same key", i, other)
		}
		seen[name] = i
	}
	if one, again, two := key(mine, []Layer{layer()}), key(mine, []Layer{layer()}), key(mine, []Layer{layer(), layer()}); one != again || one == two {
		t.Error("the key isn't the layers'")
	}
	for i := range mine {
		other := mine
		other[i]++
		if key(mine, nil) == key(other, nil) {
			t.Errorf("number %d of the program isn't in the key", i)
		}
	}
}

// An update puts another file in the place of the program.
func TestCompiler(t *testing.T) {
	program, update := filepath.Join(t.TempDir(), "berth"), filepath.Join(t.TempDir(), "new")
	for _, file := range []string{program, update} {
		if err := os.WriteFile(file, []byte("same size"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	before, again := compiler(program), compiler(program)
	if err := os.Rename(update, program); err != nil {
		t.Fatal(err)
	}
	if after := compiler(program); before != again || before == after {
		t.Errorf("got %v and %v, after an update %v", before, again, after)
	}
	if got := compiler(update); got != [3]uint64{} {
		t.Errorf("of no file: got %v", got)
	}
}
