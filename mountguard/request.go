package mountguard

import (
	"errors"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// request is one call that waits for its answer.
type request struct {
	*Guard
	listener *listener
	n        kernel.Notification
	task     kernel.Task
	call     Call
}

// atOnce answers a call if that takes no waiting: nothing of it follows a path
// further than the kernel has it in memory.
func (r *request) atOnce() bool {
	var err error
	r.call, err = Decode(r.n.Arch, r.n.Number, r.n.Args, memory(r.n.TID))
	if errors.Is(err, ErrKernelRefuses) {
		r.answer(Verdict{Action: Continue})
		return true
	}
	if err != nil {
		r.fail(err)
		return true
	}
	s, err := r.look(cached{r})
	if errors.Is(err, errSlow) {
		s.close()
		return false
	}
	if v := r.judge(s, err); v.Action != Perform {
		s.close() // before the answer: what is held open can't be unmounted
		r.conclude(v, err)
		return true
	}
	s.close()
	return false
}

// atLength answers any call. It runs on a thread that ends afterwards.
func (r *request) atLength() {
	w, err := newWalk(r)
	if err != nil {
		r.fail(err)
		return
	}
	s, err := r.look(w)
	v := r.judge(s, err)
	if v.Action == Perform {
		r.perform(v, s)
		s.close()
		return
	}
	s.close()
	r.conclude(v, err)
}

// judge asks the policy, unless it could not be found out what to ask.
func (r *request) judge(s situation, err error) Verdict {
	if err != nil {
		return Verdict{Action: Refuse, Errno: unix.EPERM, Rule: Internal}
	}
	return r.policy.Judge(r.table.Load(), r.call, s.Situation)
}

func (r *request) conclude(v Verdict, err error) {
	if err != nil {
		r.fail(err)
		return
	}
	r.answer(v)
}

// answer carries out a verdict that isn't Perform. That the answer arrives
// proves that what was read was the caller's.
func (r *request) answer(v Verdict) {
	if v.Action == Continue {
		if kernel.AnswerContinue(r.listener.fd, r.n.ID) == nil {
			r.counts.add(r.call.Name, Continue)
		}
		return
	}
	note := r.refusals.begin(r, v) // it looks at the caller, who is gone afterwards
	if kernel.AnswerErrno(r.listener.fd, r.n.ID, v.Errno) == nil {
		r.counts.add(r.call.Name, Refuse)
		r.refusals.tell(note)
	}
}

// fail refuses a call that the guard can't judge.
func (r *request) fail(err error) {
	v := Verdict{Action: Refuse, Errno: unix.EPERM, Rule: Internal}
	note := r.refusals.begin(r, v)
	if note != nil {
		note.Cause = err.Error()
	}
	if kernel.AnswerErrno(r.listener.fd, r.n.ID, v.Errno) == nil {
		r.counts.add(r.call.Name, Refuse)
		r.refusals.tell(note)
	}
}

// memory is the caller's.
type memory int

func (m memory) Read(at uint64, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), toPageEnd(at))
		if kernel.ReadMemory(int(m), at, p[:n]) != n {
			return ErrFault
		}
		at, p = at+uint64(n), p[n:]
	}
	return nil
}

func (m memory) Text(at uint64, most int) (string, error) {
	var text []byte
	var page [pageSize]byte
	for len(text) < most {
		want := page[:min(toPageEnd(at), most-len(text))]
		n := kernel.ReadMemory(int(m), at, want)
		for i, b := range want[:n] {
			if b == 0 {
				return string(append(text, want[:i]...)), nil
			}
		}
		if n < len(want) {
			return "", ErrFault
		}
		text, at = append(text, want...), at+uint64(n)
	}
	return "", ErrTooLong
}

const pageSize = 4096 // the smallest that there is

func toPageEnd(at uint64) int { return int(pageSize - at%pageSize) }
