package mountguard

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Options are what a guard is made of.
type Options struct {
	Policy    Policy
	Initial   []Initial
	Namespace *os.File // the container's mount namespace; the guard takes it over
	Views     Views
	// Refused is told of each refusal that is to be logged, one after another.
	Refused func(Refusal)
	// Failed is told why the guard has given up: every call that it would have
	// judged fails with ENOSYS from then on.
	Failed func(error)
}

// Views makes the file systems that the kernel refuses to root of a user
// namespace while parts of the ones there are hidden.
type Views interface {
	// Open opens a context of "proc" for a PID namespace, or of "sysfs" for a
	// network namespace. See fsopen(2).
	Open(fs string, ns *os.File) (*os.File, error)
	// Mount makes the mount of a context that has been created, with the attributes
	// of the container's own. It comes back detached, with the masks of the
	// container's on it, locked in place.
	Mount(fs string, context *os.File) (*os.File, error)
}

// Guard answers the calls of one container.
type Guard struct {
	policy    Policy
	table     atomic.Pointer[Table]
	namespace *os.File
	own       uint64 // the inode of it
	user      uint64 // that of the user namespace which owns it
	unique    bool   // mounts have IDs that are never used again
	views     Views
	proc      kernel.FD
	refusals  *refusals
	failed    func(error)
	counts    counts
	contexts  handed         // file system contexts
	made      made           // detached mounts
	slots     chan struct{}  // for calls that may have to wait
	working   sync.WaitGroup // those, and those that are looked at
	turns     turns

	mu        sync.Mutex
	listeners []*listener
	closed    bool
	wake      *os.File // an eventfd
	done      chan struct{}
}

// maxSlow is how many calls are waited with at the same time, each on a thread.
// A container whose file systems never answer fills them, and has only itself
// waiting then.
const maxSlow = 64

// New makes a guard, and begins to wait for listeners.
func New(o Options) (*Guard, error) {
	g := &Guard{
		policy: o.Policy, namespace: o.Namespace, views: o.Views, failed: o.Failed,
		slots: make(chan struct{}, maxSlow), done: make(chan struct{}),
	}
	g.table.Store(NewTable(o.Initial))
	var st unix.Stat_t
	if err := unix.Fstat(int(o.Namespace.Fd()), &st); err != nil {
		return nil, fmt.Errorf("fstat: %w", err)
	}
	g.own = st.Ino
	var err error
	if g.user, err = kernel.OwnerOf(o.Namespace); err != nil {
		return nil, err
	}
	_, err = kernel.MountNamespaceID(o.Namespace)
	g.unique = err == nil
	if g.proc, err = kernel.OpenDir("/proc"); err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		g.proc.Close()
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	g.wake = os.NewFile(uintptr(wake), "wake")
	g.refusals = newRefusals(o.Refused)
	g.turns.begin(g)
	go g.run(0)
	return g, nil
}

// listener is the descriptor by which calls come. It is closed when nothing
// uses it any more: its number must not become another's under a call that is
// being answered.
type listener struct {
	fd    kernel.FD
	users atomic.Int32
}

func (l *listener) release() {
	if l.users.Add(-1) == 0 {
		l.fd.Close()
	}
}

// Add takes over a listener of processes of the container. See
// seccomp_unotify(2). Once the guard is closed, it is closed as well.
func (g *Guard) Add(file *os.File) error {
	defer file.Close()
	kernel.WakeAnswered(file)
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("fcntl F_DUPFD_CLOEXEC: %w", err)
	}
	l := &listener{fd: kernel.FD(fd)}
	l.users.Store(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		l.release()
		return errors.New("it doesn't listen any more: the container has ended, or an error has ended it")
	}
	g.listeners = append(g.listeners, l)
	g.signal()
	return nil
}

// signal has the loop look at the listeners again.
func (g *Guard) signal() {
	_, _ = g.wake.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) // EAGAIN: it has been told already
}

// Close lets go of everything. Calls that still wait fail with ENOSYS, but for
// those that are being carried out.
func (g *Guard) Close() {
	g.mu.Lock()
	g.closed = true
	g.signal()
	g.mu.Unlock()
	<-g.done
	g.refusals.close()
	go func() {
		g.working.Wait() // with what doesn't answer that may be long after the container
		g.contexts.close()
		g.made.close()
		g.proc.Close()
		g.wake.Close()
		g.namespace.Close()
	}()
}

// SetInitial replaces the initial mounts.
func (g *Guard) SetInitial(change func(*Table) *Table) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.table.Store(change(g.table.Load()))
}

// run receives calls for as long as it is its turn.
func (g *Guard) run(turn uint64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := g.loop(turn)
	if err == errTurn {
		g.turns.late.Add(-1)
		return
	}
	defer close(g.done)
	g.turns.watch.Stop()
	if err != nil {
		g.failed(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, l := range g.listeners {
		l.release()
	}
	g.listeners = nil
}

// loop receives calls and answers what can be answered at once.
func (g *Guard) loop(turn uint64) error {
	var listeners []*listener
	fds := []unix.PollFd{{Fd: int32(g.wake.Fd()), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil {
			if err == unix.EINTR {
				continue
			}
			return fmt.Errorf("poll: %w", err)
		}
		var gone []*listener
		for i, l := range listeners {
			switch events := fds[1+i].Revents; {
			case events&unix.POLLIN != 0:
				if err := g.receive(l); err != nil {
					return err
				}
				if g.turns.now.Load() != turn {
					return errTurn
				}
			case events != 0: // the last of its processes has ended
				gone = append(gone, l)
			}
		}
		if fds[0].Revents == 0 && len(gone) == 0 {
			continue
		}
		if listeners = g.without(gone); listeners == nil {
			return nil
		}
		fds = fds[:1]
		for _, l := range listeners {
			fds = append(fds, unix.PollFd{Fd: int32(l.fd), Events: unix.POLLIN})
		}
	}
}

// without lets go of listeners and returns those that are left; nil once the
// guard is closed.
func (g *Guard) without(gone []*listener) []*listener {
	var told [8]byte
	_, _ = unix.Read(int(g.wake.Fd()), told[:]) // EAGAIN where it wasn't that
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	left := make([]*listener, 0, len(g.listeners))
	for _, l := range g.listeners {
		if slices.Contains(gone, l) {
			l.release()
			continue
		}
		left = append(left, l)
	}
	g.listeners = left
	return slices.Clone(left)
}

// receive takes one call and answers it, or leaves it to a thread of its own.
func (g *Guard) receive(l *listener) error {
	r := &request{Guard: g, listener: l}
	switch err := kernel.ReceiveNotification(l.fd, &r.n); err {
	case nil:
	case unix.ENOENT, unix.EINTR: // its caller has been killed meanwhile
		return nil
	default:
		return fmt.Errorf("ioctl SECCOMP_IOCTL_NOTIF_RECV: %w", err)
	}
	r.task = kernel.Task{Proc: g.proc, TID: int(r.n.TID)}
	l.users.Add(1)
	g.working.Add(1)
	defer g.working.Done()
	call := g.turns.enter()
	answered := r.atOnce()
	g.turns.leave(call)
	if answered {
		l.release()
		return nil
	}
	g.working.Go(func() {
		g.slots <- struct{}{}
		kernel.OnThread(r.atLength)
		<-g.slots
		l.release()
	})
	return nil
}
