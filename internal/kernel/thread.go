package kernel

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// Thread is an OS thread of its own, for what the kernel keeps per thread. It
// is never the process' first one, whose namespaces and credentials /proc/self
// shows as the process'.
type Thread struct {
	work  chan func()
	ended chan struct{}
}

// ErrThreadEnded: there is no thread any more to do it.
var ErrThreadEnded = errors.New("its thread has ended")

// NewThread starts one.
func NewThread() *Thread {
	t := &Thread{work: make(chan func()), ended: make(chan struct{})}
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
	for {
		select {
		case f := <-t.work:
			f()
		case <-t.ended:
			return // still locked, so the thread ends with this goroutine
		}
	}
}

// Do runs f on the thread.
func (t *Thread) Do(f func() error) error {
	done := make(chan error)
	select {
	case t.work <- func() { done <- f() }:
		return <-done
	case <-t.ended:
		return ErrThreadEnded
	}
}

// Stop ends the thread.
func (t *Thread) Stop() { close(t.ended) }

// OnThread runs f on a thread of its own that ends afterwards, and waits for it.
func OnThread(f func()) {
	t := NewThread()
	defer t.Stop()
	_ = t.Do(func() error { // there is none
		f()
		return nil
	})
}
