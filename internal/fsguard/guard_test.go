package fsguard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"berth/internal/kernel"
	"berth/test/require"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestMain lets the test program be what is guarded.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "obey" {
		obey()
		return
	}
	os.Exit(m.Run())
}

// obey does what each line of standard input says, and answers with a line: "ok"
// or the errno's name.
func obey() {
	answer := func(err error) {
		var errno syscall.Errno
		switch {
		case errors.As(err, &errno):
			fmt.Println(unix.ErrnoName(errno))
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println("ok")
		}
	}
	answer(nil)
	in := make([]byte, 1)
	readLine := func() string { // nothing is read ahead: an exec would lose it
		var line []byte
		for {
			if n, err := os.Stdin.Read(in); n == 0 || err != nil {
				os.Exit(0)
			}
			if in[0] == '\n' {
				return string(line)
			}
			line = append(line, in[0])
		}
	}
	for {
		verb, argument, _ := strings.Cut(readLine(), " ")
		switch verb {
		case "open":
			f, err := os.Open(argument)
			f.Close()
			answer(err)
		case "exec":
			if err := syscall.Exec("/proc/self/fd/3", []string{"obey", "obey"}, nil); err != nil {
				answer(err)
			}
		case "child":
			cmd := exec.Command("/proc/self/fd/3", "obey")
			cmd.ExtraFiles = []*os.File{os.NewFile(3, "self")}
			cmd.Stdin = strings.NewReader("open " + argument + "\n")
			out, err := cmd.Output()
			if err != nil {
				answer(err)
				break
			}
			fmt.Println(strings.TrimPrefix(strings.TrimSpace(string(out)), "ok\n"))
		}
	}
}

// guarded is a process that obeys, in a cgroup.
type guarded struct {
	*exec.Cmd
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs the test program, from a file on a file system that type names.
func start(t *testing.T, cgroup *os.File) *guarded {
	t.Helper()
	self, err := kernel.OpenPath("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	g := &guarded{Cmd: exec.Command("/proc/self/exe", "obey"), t: t}
	g.Stderr, g.ExtraFiles = os.Stderr, []*os.File{self}
	g.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	if g.in, err = g.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := g.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.out = bufio.NewReader(out)
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.in.Close()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	g.expect("start", "ok")
	return g
}

// expect compares the next answer.
func (g *guarded) expect(what, want string) {
	g.t.Helper()
	line, err := g.out.ReadString('\n')
	if err != nil {
		g.t.Fatalf("%s: %v", what, err)
	}
	if got := strings.TrimSpace(line); got != want {
		g.t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

// do gives an order, and compares the answer.
func (g *guarded) do(order, want string) {
	g.t.Helper()
	if _, err := fmt.Fprintln(g.in, order); err != nil {
		g.t.Fatal(err)
	}
	g.expect(order, want)
}

// guard makes one, where the kernel lets it decide: not where BPF is no active
// security module, or where root may not load programs for security hooks.
func guard(t *testing.T, r Rule) *Guard {
	t.Helper()
	require.Root(t)
	if err := Asked(); err != nil {
		t.Skip(err)
	}
	g, err := New(r, Layout{})
	if errors.Is(err, unix.EPERM) {
		t.Skipf("this kernel takes no guard: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func attach(t *testing.T, g *Guard, cgroup *os.File) {
	t.Helper()
	if err := g.Attach(cgroup); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil { // it stays
		t.Fatal(err)
	}
}

// magicOf is the number of the file system that a file is on.
func magicOf(t *testing.T, path string) uint64 {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		t.Fatal(err)
	}
	return uint64(uint32(fs.Type))
}

const (
	procFile   = "/proc/version"
	sysFile    = "/sys/kernel/notes"
	deviceFile = "/dev/null"
)

func TestRule(t *testing.T) {
	device := magicOf(t, "/dev")
	for _, test := range []struct {
		name              string
		rule              Rule
		proc, sys, device string
	}{
		{"deny nothing", Rule{}, "ok", "ok", "ok"},
		{"allow nothing", Rule{Allow: true}, "EPERM", "EPERM", "EPERM"},
		{"deny one", Rule{Magics: []uint64{unix.PROC_SUPER_MAGIC}}, "EPERM", "ok", "ok"},
		{"deny two", Rule{Magics: []uint64{unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC}}, "EPERM", "EPERM", "ok"},
		{"allow one", Rule{true, []uint64{unix.SYSFS_MAGIC}}, "EPERM", "ok", "EPERM"},
		{"allow the last of many", Rule{true, append(many(200), unix.PROC_SUPER_MAGIC, device)}, "ok", "EPERM", "ok"},
		{"deny the last of many", Rule{false, append(many(200), unix.PROC_SUPER_MAGIC, device)}, "EPERM", "ok", "EPERM"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, dir := guard(t, test.rule), require.Cgroup(t)
			p := start(t, dir)
			attach(t, g, dir)
			p.do("open "+procFile, test.proc)
			p.do("open "+sysFile, test.sys)
			p.do("open "+deviceFile, test.device)
			f, err := os.Open(procFile)
			if err != nil {
				t.Errorf("a process outside: %v", err)
			}
			f.Close()
		})
	}
}

// many are numbers of no file system, among them some that are negative to a
// processor.
func many(n uint64) []uint64 {
	var magics []uint64
	for i := range n {
		magics = append(magics, 0xfedc0000+i<<8)
	}
	return magics
}

func TestMagicOfMoreThan32Bits(t *testing.T) {
	if _, err := program(Rule{Magics: []uint64{1 << 32}}, places{}, 3); err == nil {
		t.Error("a number that can't be compared was taken")
	}
}

func TestHoldsBelow(t *testing.T) {
	g, dir := guard(t, Rule{Magics: []uint64{unix.PROC_SUPER_MAGIC}}), require.Cgroup(t)
	inner := require.CgroupBelow(t, dir)
	attach(t, g, dir)
	p := start(t, inner)
	p.do("open "+procFile, "EPERM")
	p.do("open "+sysFile, "ok")
	p.do("child "+procFile, "EPERM")

	// What is attached below adds to it, and takes nothing away.
	attach(t, guard(t, Rule{Magics: []uint64{unix.SYSFS_MAGIC}}), inner)
	p.do("open "+procFile, "EPERM")
	p.do("open "+sysFile, "EPERM")
}

// The exec itself is judged: its file lies on a file system that isn't allowed.
func TestExemptBeforeExec(t *testing.T) {
	own := magicOf(t, "/proc/self/exe")
	for _, test := range []struct {
		name string
		rule Rule
		want string // of the exec
	}{
		{"program denied", Rule{Magics: []uint64{own, unix.PROC_SUPER_MAGIC}}, "EPERM"},
		{"program allowed", Rule{Magics: []uint64{unix.PROC_SUPER_MAGIC}}, "ok"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, dir := guard(t, test.rule), require.Cgroup(t)
			p := start(t, dir)
			exempt(t, g, p, BeforeExec)
			attach(t, g, dir)
			p.do("open "+procFile, "ok")
			p.do("child "+procFile, map[string]string{"ok": "EPERM", "EPERM": "EPERM"}[test.want])
			p.do("open "+procFile, "ok")
			p.do("exec", test.want)
			p.do("open "+procFile, "EPERM")
		})
	}
}

func TestExemptThroughExec(t *testing.T) {
	own := magicOf(t, "/proc/self/exe")
	g, dir := guard(t, Rule{Magics: []uint64{own, unix.PROC_SUPER_MAGIC}}), require.Cgroup(t)
	p := start(t, dir)
	exempt(t, g, p, ThroughExec)
	attach(t, g, dir)
	p.do("child "+procFile, "EPERM")
	p.do("exec", "ok")
	p.do("open "+procFile, "EPERM")
	p.do("exec", "EPERM")
	p.do("open "+procFile, "EPERM")
}

// A guard is found again by the cgroup, and lets others be exempted.
func TestOf(t *testing.T) {
	dir := require.Cgroup(t)
	if g, err := Of(dir); g != nil || err != nil {
		t.Errorf("of an unguarded cgroup: %v, %v", g, err)
	}
	attach(t, guard(t, Rule{Magics: []uint64{unix.PROC_SUPER_MAGIC}}), dir)
	g, err := Of(require.CgroupBelow(t, dir))
	if err != nil || g == nil {
		t.Fatalf("of a guarded cgroup: %v, %v", g, err)
	}
	defer g.Close()
	p := start(t, dir)
	p.do("open "+procFile, "EPERM")
	exempt(t, g, p, BeforeExec)
	p.do("open "+procFile, "ok")
}

func exempt(t *testing.T, g *Guard, p *guarded, e Exemption) {
	t.Helper()
	pidfd, err := kernel.OpenPidfd(p.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer pidfd.Close()
	if err := g.Exempt(pidfd, e); err != nil {
		t.Fatal(err)
	}
}

// What New and Attach cost the first container, and each one after it.
func BenchmarkAttach(b *testing.B) {
	l := Layout{b.TempDir()}
	if err := Probe(l); err != nil {
		b.Skip(err)
	}
	dir, err := os.MkdirTemp("/sys/fs/cgroup", "berth-fsguard-")
	if err != nil {
		b.Skip(err)
	}
	defer os.Remove(dir)
	for b.Loop() {
		g, err := New(Rule{Allow: true, Magics: many(60)}, l)
		if err != nil {
			b.Fatal(err)
		}
		f, err := os.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		if err := g.Attach(f); err != nil {
			b.Fatal(err)
		}
		f.Close()
		g.Close()
		os.Remove(dir)
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
	}
}

// What a guard costs each open, with the longest list.
func BenchmarkOpen(b *testing.B) {
	open := func(b *testing.B) {
		for b.Loop() {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			unix.Close(fd)
		}
	}
	b.Run("free", open)
	g, err := New(Rule{Magics: many(100)}, Layout{})
	if err != nil {
		b.Skip(err)
	}
	defer g.Close()
	dir, err := os.MkdirTemp("/sys/fs/cgroup", "berth-fsguard-")
	if err != nil {
		b.Skip(err)
	}
	cgroup, err := os.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer cgroup.Close()
	if err := g.Attach(cgroup); err != nil {
		b.Fatal(err)
	}
	own, err := kernel.CgroupOf(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	enter := func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
			b.Error(err)
		}
	}
	enter(dir)
	defer os.Remove(dir)
	defer enter(filepath.Join("/sys/fs/cgroup", own))
	b.Run("guarded", open)
}

// The file of securityfs says what the system call says, where both are there.
func TestSecurityModules(t *testing.T) {
	require.Root(t)
	got, err := securityModules()
	if err != nil {
		t.Fatal(err)
	}
	want, err := kernel.LSMs()
	if errors.Is(err, unix.ENOSYS) { // before Linux 6.8
		want, err = got, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || !slices.Contains(got, "capability") {
		t.Errorf("got %v: %s", got, diff)
	}
	f, err := openUnmounted()
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestVerdict(t *testing.T) {
	for _, test := range []struct{ log, want string }{
		{"", ""},
		{"0: R1=ctx()\nR9 !read_ok\nprocessed 3 insns\n\x00junk", " (R9 !read_ok)"},
	} {
		if got := verdict([]byte(test.log)); got != test.want {
			t.Errorf("%q: got %q, want %q", test.log, got, test.want)
		}
	}
}

// A program that the verifier refuses says why.
func TestLoadTellsWhy(t *testing.T) {
	g := guard(t, Rule{})
	p, err := readPlaces()
	if err != nil {
		t.Fatal(err)
	}
	p.Inode++
	_, err = load(Rule{}, p, g.exempted.FD())
	if err == nil || !strings.Contains(err.Error(), "bpf BPF_PROG_LOAD: ") || !strings.Contains(err.Error(), "(") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkNew(b *testing.B) {
	for _, bench := range []struct {
		name   string
		layout Layout
	}{{"uncached", Layout{}}, {"cached", Layout{b.TempDir()}}} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				g, err := New(Rule{true, many(60)}, bench.layout)
				if err != nil {
					b.Fatal(err)
				}
				g.Close()
			}
		})
	}
}

func TestLayoutCache(t *testing.T) {
	const kernel = "this one"
	want := places{Hook: 1, Leader: 8, Memory: 16, Flags: 20, Inode: 24, SuperBlock: 32, Magic: 40}
	for _, test := range []struct {
		name   string
		change func(dir, file string) error
		kernel string
		good   bool
	}{
		{"as stored", nil, kernel, true},
		{"another kernel", nil, "that one", false},
		{"unknown kernel", nil, "", false},
		{"missing", func(_, file string) error { return os.Remove(file) }, kernel, false},
		{"empty", func(_, file string) error { return os.Truncate(file, 0) }, kernel, false},
		{"cut short", func(_, file string) error { return os.Truncate(file, 50) }, kernel, false},
		{"nonsense", func(_, file string) error {
			return os.WriteFile(file, []byte(`{"format":1,"kernel":"this one","places":{"hook":1,"inode":3}}`), 0o600)
		}, kernel, false},
		{"file writable by others", func(_, file string) error { return os.Chmod(file, 0o602) }, kernel, false},
		{"directory writable by others", func(dir, _ string) error { return os.Chmod(dir, 0o777) }, kernel, false},
		{"symlink", func(dir, file string) error {
			return errors.Join(os.Rename(file, file+"x"), os.Symlink(file+"x", file))
		}, kernel, false},
		{"fifo", func(_, file string) error { return errors.Join(os.Remove(file), unix.Mkfifo(file, 0o600)) }, kernel, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := Layout{filepath.Join(t.TempDir(), "made")}
			if err := l.store(kernel, want); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				if err := test.change(l.Dir, filepath.Join(l.Dir, cacheName)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := l.read(test.kernel)
			if test.good != (err == nil) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(want, got); test.good && diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Without a directory that can be written, everything works.
func TestLayoutCacheRefused(t *testing.T) {
	require.Root(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	l := Layout{dir}
	p, err := l.load()
	require.That(t, err == nil, "a kernel with BTF")
	if p.check() != nil {
		t.Errorf("got %+v", p)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestLayoutIsKept(t *testing.T) {
	require.Root(t)
	l := Layout{filepath.Join(t.TempDir(), "cache")}
	read, err := l.load()
	require.That(t, err == nil, "a kernel with BTF")
	kept, err := l.read(kernelID())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(read, kept); diff != "" {
		t.Error(diff)
	}
}
