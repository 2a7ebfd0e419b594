package mountguard

import (
	"sync"
	"syscall"
	"time"
)

// Refusal is a call that was refused, for people to read.
type Refusal struct {
	TID     int    // in the host's numbering
	PID     int    // of its process
	Command string // what ps(1) shows
	Call    Call
	Rule    Rule
	Path    string // of the initial mount that it was about, in the container
	Errno   syscall.Errno
	Cause   string // Internal: what went wrong

	// Skipped is how many refusals before this one have not been told.
	Skipped int
}

// A container's refusals are told at most at this rate, in the mean and at once.
const (
	refusalEvery = time.Second / 5
	refusalBurst = 20
)

// refusals tells of refusals, apart from the thread that answers.
type refusals struct {
	queue       chan *Refusal
	stop, ended chan struct{}

	mu      sync.Mutex
	tokens  float64
	last    time.Time
	skipped int
}

func newRefusals(tell func(Refusal)) *refusals {
	r := &refusals{
		queue: make(chan *Refusal, refusalBurst), stop: make(chan struct{}), ended: make(chan struct{}),
		tokens: refusalBurst, last: time.Now(),
	}
	go r.run(tell)
	return r
}

func (r *refusals) run(tell func(Refusal)) {
	defer close(r.ended)
	for {
		select {
		case refusal := <-r.queue:
			tell(*refusal)
		case <-r.stop:
			for range len(r.queue) {
				tell(*<-r.queue)
			}
			return
		}
	}
}

// close returns once all that was refused before has been told, if that doesn't
// take long.
func (r *refusals) close() {
	close(r.stop)
	select {
	case <-r.ended:
	case <-time.After(2 * time.Second):
	}
}

// begin looks at a caller that is about to be refused; nil: it is one too many.
func (r *refusals) begin(q *request, v Verdict, cause string) *Refusal {
	skipped, ok := r.admit()
	if !ok {
		return nil
	}
	refusal := &Refusal{
		TID: q.task.TID, PID: q.task.TID, Command: q.task.Command(), Call: q.call,
		Rule: v.Rule, Path: v.Path, Errno: v.Errno, Cause: cause, Skipped: skipped,
	}
	if status, err := q.task.Status(); err == nil {
		refusal.PID = status.TGID
	}
	return refusal
}

// admit takes a token.
func (r *refusals) admit() (skipped int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.tokens = min(refusalBurst, r.tokens+float64(now.Sub(r.last))/float64(refusalEvery))
	r.last = now
	if r.tokens < 1 {
		r.skipped++
		return 0, false
	}
	r.tokens--
	skipped, r.skipped = r.skipped, 0
	return skipped, true
}

// tell passes a refusal on. Where the journal is slow it is one that is skipped.
func (r *refusals) tell(refusal *Refusal) {
	if refusal == nil {
		return
	}
	select {
	case r.queue <- refusal:
	default:
		r.mu.Lock()
		r.skipped += 1 + refusal.Skipped
		r.mu.Unlock()
	}
}
