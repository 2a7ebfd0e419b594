package launcher

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"berth/internal/archive"
	"berth/internal/kernel"
	"berth/internal/nsinit"

	"golang.org/x/sys/unix"
)

// Copy is a copy of files between a container and the host.
type Copy struct {
	Container string
	Out       bool   // out of the container; else into it
	Inside    string // path in the container; a relative one begins at /
	Outside   string // path on the host; "-": a tar stream on standard input or output
	Archive   bool   // keep owners, by number, and all bits of modes
}

// Copy copies files, directories and symlinks as cp -r does: what a symlink given as
// a path leads to, and symlinks below it as they are; into a directory that is there,
// or to a new name; with "/." at the end of the source, what is in the directory.
//
// The container's side is a process of its own with the rights over files that the
// container's root user has.
func (l *Launcher) Copy(c Copy) error {
	if unix.Geteuid() != 0 {
		return errors.New("cannot enter a container: it takes root; run berth with sudo")
	}
	if c.Out && c.Outside == "-" && IsTerminal(l.Stdio.Out) {
		return errors.New("cannot write an archive to a terminal: send it into a file or a pipe")
	}
	state, err := ReadState(c.Container)
	if err != nil {
		return err
	}
	leader, err := state.Leader.open()
	if err != nil {
		return &NotRunningError{c.Container}
	}
	defer leader.Close()
	x := &copying{Copy: c, Launcher: l, state: state, leader: leader}
	// The parent-death signal belongs to a thread.
	thread := kernel.NewThread()
	defer thread.Stop()
	if err := thread.Do(x.start); err != nil {
		return errors.Join(err, thread.Do(x.abort))
	}
	return x.run()
}

// copying is a copy under way.
type copying struct {
	Copy
	*Launcher
	state  *State
	leader *os.File // pidfd of the container's PID 1

	conn          *nsinit.Conn
	helper, child *os.Process // as those of an execution
	stream        *os.File    // this side's end
	skips         int
}

// start makes the stream, and starts the container's side of it.
func (x *copying) start() error {
	read, write, err := os.Pipe()
	if err != nil {
		return cannot("copy", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0) // Go would open the container's
	if err != nil {
		read.Close()
		write.Close()
		return cannot("copy", err)
	}
	defer null.Close()
	if x.Out {
		x.stream = read
		defer write.Close()
		return x.enter(null, write, null)
	}
	x.stream = write
	defer read.Close()
	return x.enter(read, null, null)
}

// enter starts berth again. Before Go runs there it joins the namespaces of users and
// mounts, and no others.
func (x *copying) enter(streams ...*os.File) error {
	conn, end, err := nsinit.Pair()
	if err != nil {
		return err
	}
	defer end.Close()
	x.conn = conn
	setup, err := nsinit.Setup{Copy: x.inside()}.File()
	if err != nil {
		return err
	}
	defer setup.Close()
	first, namespaces := 0, unix.CLONE_NEWNS
	if !x.state.Users.MapRoot {
		first = 1
	}
	if !x.state.Users.Host {
		namespaces |= unix.CLONE_NEWUSER
	}
	args := []string{nsinit.CopyName, strconv.Itoa(namespaces), strconv.Itoa(first)}
	x.helper, err = os.StartProcess("/proc/self/exe", args, &os.ProcAttr{
		Dir: "/", Env: []string{},
		Files: append(streams, end, setup, x.leader), // as enter.c expects them
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return cannot("enter the container", err)
	}
	end.Close()
	if x.child, err = awaitJoined(conn, x.helper); err != nil {
		return err
	}
	x.helper = nil
	return nil
}

// inside is what the container's side does.
func (x *copying) inside() *nsinit.Copy {
	c := &nsinit.Copy{Out: x.Out, Path: absolute("/", x.Inside), Owners: x.Archive, Modes: 0o777}
	if x.Archive {
		c.Modes = 0o7777
	}
	switch {
	case x.Out && x.Outside == "-":
		c.Name = nameOf(x.Inside)
	case x.Out:
		c.Name = "."
	case x.Outside == "-":
		c.Tree = true
	default:
		c.Name = nameOf(x.Outside)
	}
	if c.Name == "" && x.Out {
		c.Name = "."
	}
	return c
}

// nameOf is what a source is called in a directory: "" for what is in it.
func nameOf(source string) string {
	if strings.HasSuffix(source, "/.") {
		return ""
	}
	switch base := path.Base(source); base {
	case "/", ".", "..":
		return ""
	default:
		return base
	}
}

// absolute is a path that begins at a directory. What its end says stays, and so
// does "..", which openat2 knows better.
func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return strings.TrimSuffix(dir, "/") + "/" + name
}

// run does this side's part, and waits for the other.
func (x *copying) run() error {
	told := make(chan error, 1)
	go func() { told <- x.listen() }()
	here := x.outside()
	x.stream.Close()
	there := <-told
	state, err := x.child.Wait()
	x.conn.Close()
	if err != nil {
		return cannot("wait for the copy", err)
	}
	if there == nil && !state.Success() {
		there = fmt.Errorf("cannot copy: berth's own process in the container ended with %q", state)
	}
	if x.skips > maxSkips {
		x.Warn(fmt.Sprintf("skipped %d more", x.skips-maxSkips))
	}
	// Each side sees no more than a broken stream of what the other has met.
	broken := errors.Is(here, io.ErrUnexpectedEOF) || errors.Is(here, unix.EPIPE) && !x.Out
	if here != nil && !broken || there == nil {
		return here
	}
	return there
}

// maxSkips is how many files that are not copied are named.
const maxSkips = 20

// listen hears what the container's side says until it ends.
func (x *copying) listen() error {
	for {
		m, files, err := x.conn.Receive()
		nsinit.CloseAll(files)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
			return nil
		case err != nil:
			return err
		case m.Kind == nsinit.Skipped:
			x.skip(m.Step, m.Error)
		case m.Kind == nsinit.Failed:
			return fmt.Errorf("in container %q: %s", x.Container, m.Error)
		}
	}
}

func (x *copying) skip(name, why string) {
	if x.skips++; x.skips <= maxSkips {
		x.Warn(fmt.Sprintf("skipped %q: %s", name, why))
	}
}

// outside does the host's part.
func (x *copying) outside() error {
	if x.Outside == "-" {
		return x.passThrough()
	}
	dir, err := os.Getwd()
	if err != nil {
		return cannot("copy", err)
	}
	root, err := kernel.OpenPath("/")
	if err != nil {
		return err
	}
	defer root.Close()
	name := absolute(dir, x.Outside)
	if !x.Out {
		return archive.Source{Root: root, Path: name, Name: ".", Skipped: x.skip}.Pack(x.stream)
	}
	t := archive.Target{
		Root: root, Path: name, Into: nameOf(x.Inside), Owners: x.Archive, Modes: 0o777 &^ umask(), Skipped: x.skip,
	}
	if x.Archive {
		t.Modes = 0o7777
	}
	return t.Unpack(x.stream)
}

// passThrough connects a stream of the user's own.
func (x *copying) passThrough() error {
	var err error
	if x.Out {
		_, err = io.Copy(x.Stdio.Out, x.stream)
	} else {
		_, err = io.Copy(x.stream, x.Stdio.In)
	}
	if err != nil {
		return cannot("copy", err)
	}
	return nil
}

// umask returns this process' own. See umask(2).
func umask() uint32 {
	mask := unix.Umask(0o077)
	unix.Umask(mask)
	return uint32(mask)
}

// abort ends what a failed start has begun.
func (x *copying) abort() error {
	if x.conn != nil {
		x.conn.Close()
	}
	for _, p := range []*os.Process{x.helper, x.child} {
		if p != nil {
			_ = p.Kill()
			_, _ = p.Wait()
		}
	}
	if x.stream != nil {
		x.stream.Close()
	}
	return nil
}

// ParseCopy reads SRC and DST of berth cp: one of them is NAME:PATH, and the other a
// path of the host's or "-". A path of the host's that looks like the first needs a
// "/" before its colon.
func ParseCopy(source, target string) (Copy, error) {
	from, inside, out := splitPlace(source)
	to, outside, in := splitPlace(target)
	switch {
	case out && in:
		return Copy{}, errors.New("cannot copy: both are in containers; copy to a path of the host's between them")
	case out:
		return Copy{Container: from, Out: true, Inside: inside, Outside: target}.check()
	case in:
		return Copy{Container: to, Inside: outside, Outside: source}.check()
	}
	return Copy{}, fmt.Errorf("cannot copy: neither %q nor %q is NAME:PATH, a path in a container", source, target)
}

func splitPlace(arg string) (container, path string, ok bool) {
	container, path, ok = strings.Cut(arg, ":")
	return container, path, ok && container != "" && !strings.Contains(container, "/") && container != "."
}

func (c Copy) check() (Copy, error) {
	if c.Inside == "" || c.Outside == "" {
		return c, errors.New("cannot copy: a path is empty")
	}
	if strings.ContainsRune(c.Inside+c.Outside, 0) {
		return c, errors.New("cannot copy: a path has a zero byte")
	}
	return c, nil
}
