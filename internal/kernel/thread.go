package kernel

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Thread is an OS thread of its own, for what the kernel keeps per thread. It
// is never the process' first one, whose namespaces and credentials /proc/self
// shows as the process'.
type Thread struct{ work chan func() }

// NewThread starts one.
func NewThread() *Thread {
	t := &Thread{work: make(chan func())}
	go t.run()
	return t
}

func (t *Thread) run() {
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

// Do runs f on the thread.
func (t *Thread) Do(f func() error) error {
	done := make(chan error)
	t.work <- func() { done <- f() }
	return <-done
}

// Stop ends the thread.
func (t *Thread) Stop() { close(t.work) }

// OnThread runs f on a thread of its own that ends afterwards, and waits for it.
func OnThread(f func()) {
	t := NewThread()
	defer t.Stop()
	_ = t.Do(func() error { // there is none
		f()
		return nil
	})
}
