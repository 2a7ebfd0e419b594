package mountguard

import (
	"errors"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// turns has another thread receive calls where the one that does is kept waiting
// by a call. To read its arguments may take for ever: the caller's memory can be
// a file of a file system that doesn't answer.
type turns struct {
	guard    *Guard
	now      atomic.Uint64 // whose turn it is
	calls    atomic.Uint64
	busy     atomic.Uint64 // the number of the call that is looked at; 0 for none
	late     atomic.Int64  // threads whose turn is over, and that still look at a call
	watching atomic.Bool
	watch    *time.Timer
	seen     uint64 // the call of the last look
	freed    uint64 // how many there were when memory was given back
}

// crowd is how many calls leave memory behind that is worth giving back.
const crowd = 1000

// errTurn: it is another thread's turn.
var errTurn = errors.New("another thread receives calls")

// turnTime is how long a call may take that needs no waiting: a thousand times as
// long as usual.
const turnTime = 10 * time.Millisecond

func (t *turns) begin(g *Guard) {
	t.guard = g
	t.watch = time.AfterFunc(time.Hour, t.look)
	t.watch.Stop()
}

// enter is called before a call is looked at. The watch runs from then on until
// it finds nothing to watch: it is not wound up for each call.
func (t *turns) enter() (call uint64) {
	call = t.calls.Add(1)
	t.busy.Store(call)
	if t.watching.CompareAndSwap(false, true) {
		t.watch.Reset(turnTime)
	}
	return call
}

func (t *turns) leave(call uint64) { t.busy.CompareAndSwap(call, 0) }

func (t *turns) look() {
	call := t.busy.Load()
	if call == 0 {
		if calls := t.calls.Load(); calls-t.freed >= crowd {
			t.freed = calls
			debug.FreeOSMemory()
		}
		t.watching.Store(false)
		if t.busy.Load() == 0 || !t.watching.CompareAndSwap(false, true) {
			return
		}
	}
	if call != 0 && call == t.seen && t.late.Load() < maxSlow {
		t.late.Add(1)
		turn := t.now.Add(1)
		t.busy.CompareAndSwap(call, 0)
		go t.guard.run(turn)
		t.guard.signal() // it has no listeners yet
	}
	t.seen = call
	t.watch.Reset(turnTime)
}
