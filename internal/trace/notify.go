package trace

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Listener records by seccomp notification, until it is stopped or the last of
// its processes has ended.
//
// It sees calls before they are done: what would fail is passed over as far as a
// look at the files tells. Each call goes on whatever is thought of it.
type Listener struct {
	listener *os.File
	stop     *os.File // an eventfd
	watches  map[Call][]Watch
	tell     func(Use)
	done     sync.WaitGroup
	err      error // of the goroutine, until it is done

	called map[Call]bool
	facts  map[any]bool // Argument, Address
	seen   map[Use]bool
	record Record
}

// Listen begins to record the processes behind a listener, which it takes over.
// They have to have NotifyFilter. Options.Cgroup means nothing here.
func Listen(listener *os.File, o Options) (*Listener, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &Listener{
		listener: listener, stop: os.NewFile(uintptr(fd), "stop"), tell: o.Use, watches: map[Call][]Watch{},
		called: map[Call]bool{}, facts: map[any]bool{}, seen: map[Use]bool{},
	}
	for _, w := range o.Watches {
		l.watches[w.Call] = append(l.watches[w.Call], w)
	}
	kernel.WakeAnswered(listener)
	l.done.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		l.err = errors.Join(l.loop(), l.listener.Close()) // or whoever calls next would wait for ever
	})
	return l, nil
}

// Stop ends the recording and returns what was seen. Processes that still run
// have every further call fail with ENOSYS.
func (l *Listener) Stop() (Record, error) {
	if _, err := l.stop.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return Record{}, fmt.Errorf("cannot stop listening: %w", err)
	}
	l.done.Wait()
	err := errors.Join(l.err, l.stop.Close())
	for call := range l.called {
		l.record.Calls = append(l.record.Calls, Called{Call: call})
	}
	for fact := range l.facts {
		switch fact := fact.(type) {
		case Argument:
			l.record.Arguments = append(l.record.Arguments, fact)
		case Address:
			l.record.Addresses = append(l.record.Addresses, fact)
		}
	}
	return l.record, err
}

// loop answers until there is nobody left to answer.
func (l *Listener) loop() error {
	listener := kernel.FD(l.listener.Fd())
	fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}, {Fd: int32(l.stop.Fd()), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		if fds[1].Revents != 0 || fds[0].Revents&unix.POLLIN == 0 && fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0 {
			return nil
		}
		if fds[0].Revents == 0 {
			continue
		}
		var n kernel.Notification
		switch err := kernel.ReceiveNotification(listener, &n); err {
		case nil:
		case unix.ENOENT, unix.EINTR: // it has been killed meanwhile
			continue
		default:
			return fmt.Errorf("ioctl SECCOMP_IOCTL_NOTIF_RECV: %w", err)
		}
		l.look(&n)
		if err := kernel.AnswerContinue(listener, n.ID); err != nil && err != unix.ENOENT {
			return fmt.Errorf("ioctl SECCOMP_IOCTL_NOTIF_SEND: %w", err)
		}
	}
}

// called tells which one it is.
func called(n *kernel.Notification) Call {
	switch {
	case n.Arch != nativeArch:
		return Call{Compat, int(n.Number)}
	case x32Bit != 0 && n.Number&x32Bit != 0:
		return Call{X32, int(n.Number &^ x32Bit)}
	}
	return Call{Native, int(n.Number)}
}

// look records a call.
func (l *Listener) look(n *kernel.Notification) {
	call := called(n)
	l.called[call] = true
	p := caller{n: n}
	defer p.close()
	if call.ABI == Native {
		l.executes(&p, call.Number)
	}
	for _, w := range l.watches[call] {
		l.watch(&p, w)
	}
}

// watch records what a watch says.
func (l *Listener) watch(p *caller, w Watch) {
	a := Argument{Call: w.Call}
	switch w.Kind {
	case Values:
		a.Values = [2]uint64{p.n.Args[w.A] & w.Masks[0], p.n.Args[w.B] & w.Masks[1]}
	case Memory:
		a.Values = [2]uint64{p.word(p.n.Args[w.A]+uint64(w.Offset)) & w.Masks[0], p.n.Args[w.B] & w.Masks[1]}
	case Bound:
		l.bound(p, w)
		return
	default:
		l.path(p, w)
		return
	}
	l.facts[a] = true
}

// path records a use of a file.
func (l *Listener) path(p *caller, w Watch) {
	use := Use{Access: w.Access}
	if w.Flags >= 0 {
		use.Flags = p.n.Args[w.Flags]
		if w.Pointer {
			use.Flags = p.word(use.Flags)
		}
		use.Flags &= w.Masks[0]
		if w.Require != 0 && use.Flags&w.Require == 0 {
			return
		}
	}
	dir := int32(p.n.Args[w.B])
	switch w.Kind {
	case File:
		use.Path = p.file(dir)
	case PathAt:
		use.Path = p.path(dir, p.n.Args[w.A]+uint64(w.Offset))
	default:
		use.Path = p.path(unix.AT_FDCWD, p.n.Args[w.A]+uint64(w.Offset))
	}
	l.use(p, use)
}

// use tells of a use, once, unless it will fail.
func (l *Listener) use(p *caller, use Use) {
	if use.Path == "" || !p.willSucceed(use) {
		return
	}
	use.PID, use.User = p.identity(use.Path)
	if !l.seen[use] {
		l.seen[use] = true
		l.tell(use)
	}
}

// bound records the address that a socket is bound to.
func (l *Listener) bound(p *caller, w Watch) {
	var address [24]byte
	at := p.n.Args[w.A]
	p.read(at, address[:2])
	a := Address{Family: int(address[0]) | int(address[1])<<8}
	switch a.Family {
	case unix.AF_UNIX:
		l.use(p, Use{Access: w.Access, Path: p.path(unix.AT_FDCWD, at+2)})
		return
	case inet:
		p.read(at, address[:8])
		copy(a.IP[:4], address[4:])
	case inet6:
		p.read(at, address[:])
		copy(a.IP[:], address[8:])
	default:
		return
	}
	a.Port = int(address[2])<<8 | int(address[3])
	l.facts[a] = true
}

// executes records the execution of a program.
func (l *Listener) executes(p *caller, number int) {
	var name string
	switch number {
	case unix.SYS_EXECVE:
		name = p.path(unix.AT_FDCWD, p.n.Args[0])
	case unix.SYS_EXECVEAT:
		name = p.path(int32(p.n.Args[0]), p.n.Args[1])
		if p.text(p.n.Args[1], 1) == "" {
			name = p.file(int32(p.n.Args[0]))
		}
	default:
		return
	}
	if name == "" {
		return
	}
	use := Use{Access: Execute, Path: name}
	if p.gainsRights(name) {
		l.record.GainedRights = true
	}
	l.use(p, use)
}
