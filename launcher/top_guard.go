package launcher

import (
	"context"
	"slices"
	"sync"
	"time"

	"berth/mountguard"
)

// refusals asks the guards of containers how many system calls they have refused.
// Each is another process, which an answer wakes up and which may be stopped: a
// sample waits for the answers only so long, and asks only some of many again.
type refusals struct {
	mu    sync.Mutex
	known map[string]*refusal // by container
}

// refusal is what one guard has said.
type refusal struct {
	inode   uint64 // of the container's cgroup: another container may come to have its name
	count   *uint64
	asked   time.Time
	waiting bool // for an answer
	guarded bool // there is a guard
	without bool // there is no guard: it needn't be asked
}

const (
	guardPatience = 250 * time.Millisecond // how long a sample waits for answers
	guardsAgain   = 64                     // how many of the guards that have answered are asked in a sample
	guardsAtOnce  = 64                     // how many are asked at the same time
)

// ask brings the counts up to date: those of containers that are new, and of the
// others those that are the oldest.
func (r *refusals) ask(scopes []*scope) {
	due := r.due(scopes)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		var all sync.WaitGroup
		slots := make(chan struct{}, guardsAtOnce)
		for name, one := range due {
			slots <- struct{}{}
			all.Go(func() {
				r.update(name, one)
				<-slots
			})
		}
		all.Wait()
	}()
	select {
	case <-answered:
	case <-time.After(guardPatience):
	}
}

// update asks one guard, if there is one: a container's state tells, which is long
// and read once.
func (r *refusals) update(name string, one *refusal) {
	var count *uint64
	guarded, without := one.guarded, false // nobody else changes it while it waits
	if !guarded {
		state, err := ReadState(name)
		guarded, without = err == nil && state.Guarded, err == nil && !state.Guarded
	}
	if guarded {
		count = refused(name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	one.count, one.guarded, one.without, one.waiting = count, guarded, without, false
}

// due picks whom to ask, and forgets those that are gone.
func (r *refusals) due(scopes []*scope) map[string]*refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, due := time.Now(), map[string]*refusal{}
	known := make(map[string]*refusal, len(scopes))
	var again []string
	for _, s := range scopes {
		one := r.known[s.name]
		switch {
		case s.inode == 0 || s.state == unsupervised:
			continue
		case one == nil || one.inode != s.inode:
			one = &refusal{inode: s.inode}
			due[s.name] = one
		case !one.waiting && !one.without:
			again = append(again, s.name)
		}
		known[s.name] = one
	}
	r.known = known
	slices.SortStableFunc(again, func(a, b string) int { return known[a].asked.Compare(known[b].asked) })
	for _, name := range again[:min(len(again), guardsAgain)] {
		due[name] = known[name]
	}
	for _, one := range due {
		one.asked, one.waiting = now, true
	}
	return due
}

// of returns what a container's guard has refused, as far as it is known.
func (r *refusals) of(name string) *uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.known[name]
	if one == nil {
		return nil
	}
	return one.count
}

// refused asks one guard; nil where it doesn't say.
func refused(name string) *uint64 {
	reply, err := ask(context.Background(), name, controlRequest{}, nil, 0)
	if err != nil {
		return nil
	}
	n := new(uint64)
	for _, c := range reply.Counts {
		if c.Action == mountguard.Refuse {
			*n += c.Count
		}
	}
	return n
}
