package launcher

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// thread is an OS thread of its own, for what the kernel keeps per thread. It
// is never the process' first one, whose namespaces and credentials /proc/self
// shows as the process'.
type thread struct{ work chan func() }

func newThread() *thread {
	t := &thread{work: make(chan func())}
	go t.run()
	return t
}

func (t *thread) run() {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		another := make(chan struct{})
		go func() {
			defer close(another)
			t.run()
		}()
		<-another // on another thread, since this one is held
		runtime.UnlockOSThread()
		return
	}
	for f := range t.work {
		f()
	}
	// Still locked, so the thread ends with this goroutine.
}

// do runs f on the thread.
func (t *thread) do(f func() error) error {
	done := make(chan error)
	t.work <- func() { done <- f() }
	return <-done
}

func (t *thread) stop() { close(t.work) }
