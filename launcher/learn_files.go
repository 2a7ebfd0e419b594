package launcher

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"berth/internal/kernel"
	"berth/internal/trace"
	"berth/learn"

	"golang.org/x/sys/unix"
)

// fileLog turns uses of files into what settings care about, while the container
// is there: its root leads to what a path means.
type fileLog struct {
	child int // the container's PID 1
	root  *os.File
	files map[string]learn.File
}

// list returns all of it, and closes the root.
func (l *fileLog) list() []learn.File {
	if l.root != nil {
		l.root.Close()
	}
	var files []learn.File
	for _, f := range l.files {
		files = append(files, f)
	}
	return learn.MergeFiles(files)
}

// note adds a use.
func (l *fileLog) note(name, kind, use string) {
	if l.files == nil {
		l.files = map[string]learn.File{}
	}
	f := l.files[name]
	f.Path = name
	if f.Kind == "" {
		f.Kind = kind
	}
	f.Use = append(f.Use, use)
	l.files[name] = learn.MergeFiles([]learn.File{f})[0]
}

// add takes a use from the tracer.
func (l *fileLog) add(u trace.Use) {
	if l.root == nil {
		// It has pivoted: the payload runs.
		root, err := os.OpenFile(fmt.Sprintf("/proc/%d/root", l.child), unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return // it has ended
		}
		l.root = root
	}
	name := path.Clean(u.Path)
	if name == "/proc" || strings.HasPrefix(name, "/proc/") {
		l.addProc(name, u)
		return
	}
	switch u.Access {
	case trace.Entry:
		l.entries(path.Dir(strings.TrimRight(u.Path, "/")))
	case trace.Execute:
		l.execute(u.Path)
	case trace.Map:
		real, kind := l.resolve(u.Path)
		l.note(real, kind, learn.Map)
	case trace.Alter:
		real, kind := l.resolve(u.Path)
		l.note(real, kind, learn.Write)
	case trace.Open:
		l.open(u)
	}
}

func (l *fileLog) entries(dir string) {
	real, kind := l.resolve(dir)
	l.note(real, kind, learn.Entries)
}

// open tells reading from writing. Files that are only read matter in a few
// places.
func (l *fileLog) open(u trace.Use) {
	real, kind := l.resolve(u.Path)
	if u.Flags&unix.O_ACCMODE != unix.O_RDONLY {
		switch {
		case u.Flags&tmpfile != 0:
			l.note(real, kind, learn.Entries)
		case u.Flags&unix.O_CREAT != 0 && kind != "device":
			// Whether it was there is not known, nor whether it will be.
			l.entries(path.Dir(real))
		default:
			l.note(real, kind, learn.Write)
		}
		return
	}
	for _, dir := range []string{"/home", "/root", "/run/user", "/dev", "/sys", "/usr/lib/modules"} {
		if real == dir || strings.HasPrefix(real, dir+"/") {
			l.note(real, kind, learn.Read)
			return
		}
	}
}

// addProc is for procfs, whose links mean another thing to each who follows them.
func (l *fileLog) addProc(name string, u trace.Use) {
	use := learn.Read
	if u.Access != trace.Open || u.Flags&unix.O_ACCMODE != unix.O_RDONLY {
		use = learn.Write
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(name, "/proc"), "/")
	first, inside, _ := strings.Cut(rest, "/")
	switch pid, err := strconv.Atoi(first); {
	case first == "":
		l.note("/proc", "directory", learn.Others) // to list all processes
	case first == "self" || first == "thread-self":
	case err != nil:
		l.note(name, "", use)
	case pid != u.PID && l.ofAnother(first, u.User):
		l.note(path.Join("/proc/PID", inside), "", learn.Others)
	}
}

// ofAnother tells whether a process belongs to another user than the one given,
// or can't be asked any more.
func (l *fileLog) ofAnother(pid string, user uint32) bool {
	dir, err := kernel.OpenIn(l.root, "proc/"+pid, unix.O_PATH)
	if err != nil {
		return true
	}
	defer dir.Close()
	var stat unix.Stat_t
	return unix.Fstat(int(dir.Fd()), &stat) != nil || stat.Uid != user
}

// resolve follows the symlinks of a path in the container. Of one that isn't there
// any more, those of its directory.
func (l *fileLog) resolve(name string) (real, kind string) {
	file, err := kernel.OpenIn(l.root, name, unix.O_PATH)
	if err != nil {
		clean := path.Clean(name)
		if clean == "/" {
			return "/", "directory"
		}
		dir, _ := l.resolve(path.Dir(clean))
		return path.Join(dir, path.Base(clean)), "missing"
	}
	defer file.Close()
	real, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil || !strings.HasPrefix(real, "/") {
		real = path.Clean(name)
	}
	var stat unix.Stat_t
	if unix.Fstat(int(file.Fd()), &stat) != nil {
		return real, ""
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		kind = "directory"
	case unix.S_IFCHR, unix.S_IFBLK:
		kind = "device"
	}
	return real, kind
}

// execute notes a program and what interprets it.
func (l *fileLog) execute(name string) {
	const most = 6 // the kernel's own limit is 5 scripts
	for range most {
		real, kind := l.resolve(name)
		if kind == "missing" {
			return
		}
		l.note(real, kind, learn.Execute)
		next, err := l.interpreter(real)
		if err != nil || next == "" {
			return
		}
		name = next
	}
}

// interpreter returns what a script or a program names as its interpreter.
func (l *fileLog) interpreter(name string) (string, error) {
	file, err := kernel.OpenIn(l.root, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return "", err
	}
	defer file.Close()
	line, err := bufio.NewReader(io.LimitReader(file, 256)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if script, ok := strings.CutPrefix(line, "#!"); ok {
		words := strings.Fields(script)
		if len(words) == 0 {
			return "", nil
		}
		return words[0], nil
	}
	program, err := elf.NewFile(file)
	if err != nil {
		return "", err
	}
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < unix.PathMax {
			data := make([]byte, p.Filesz)
			if _, err := p.ReadAt(data, 0); err != nil {
				return "", err
			}
			return string(bytes.TrimRight(data, "\x00")), nil
		}
	}
	return "", nil
}
