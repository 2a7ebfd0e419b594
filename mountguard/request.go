package mountguard

import (
	"bytes"
	"errors"
	"fmt"

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
	if err != nil {
		r.conclude(Undecoded(err), err)
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
		w.perform(v, s)
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

// conclude carries out a verdict that isn't Perform. err is why the guard could not
// judge, where the rule is Internal.
func (r *request) conclude(v Verdict, err error) {
	switch {
	case v.Action == Continue:
		if kernel.AnswerContinue(r.listener.fd, r.n.ID) == nil {
			r.counts.add(r.call.Name, Continue)
		}
	case v.Rule == Internal && err != nil:
		r.fail(err)
	case v.Rule == BadArguments:
		_ = kernel.AnswerErrno(r.listener.fd, r.n.ID, v.Errno) // ENOENT: the caller is gone
	case !r.privileged():
		r.conclude(Verdict{Action: Continue}, nil) // the kernel's EPERM, whatever it is about
	default:
		r.refused(v, "")
	}
}

// privileged tells whether the caller has the capability without which none of
// the calls does anything. It can't get it while it waits.
func (r *request) privileged() bool {
	effective, err := r.task.Effective()
	return err != nil || effective&kernel.CapSet(unix.CAP_SYS_ADMIN) != 0
}

// refused has the call fail. That the answer arrives proves that what was read
// was the caller's.
func (r *request) refused(v Verdict, cause string) {
	note := r.refusals.begin(r, v, cause) // it looks at the caller, who is gone afterwards
	if kernel.AnswerErrno(r.listener.fd, r.n.ID, v.Errno) == nil {
		r.counts.add(r.call.Name, Refuse)
		r.refusals.tell(note)
	}
}

// fail refuses a call that the guard can't judge.
func (r *request) fail(err error) {
	r.refused(Verdict{Action: Refuse, Errno: unix.EPERM, Rule: Internal}, err.Error())
}

// memory is the caller's.
type memory int

func (m memory) Read(at uint64, p []byte) error {
	for len(p) > 0 {
		want := p[:min(len(p), toPageEnd(at))]
		if _, err := m.part(at, want); err != nil {
			return err
		}
		at, p = at+uint64(len(want)), p[len(want):]
	}
	return nil
}

func (m memory) Text(at uint64, most int) (string, error) {
	var text []byte
	var page [pageSize]byte
	for len(text) < most {
		want := page[:min(toPageEnd(at), most-len(text))]
		if _, err := m.part(at, want); err != nil {
			return "", err
		}
		if end := bytes.IndexByte(want, 0); end >= 0 {
			return string(append(text, want[:end]...)), nil
		}
		text, at = append(text, want...), at+uint64(len(want))
	}
	return "", ErrTooLong
}

// part reads within a page, all or nothing.
func (m memory) part(at uint64, p []byte) (int, error) {
	n, err := kernel.ReadMemory(int(m), at, p)
	switch {
	case err == unix.EFAULT || err == nil && n != len(p):
		return 0, ErrFault
	case err != nil:
		return 0, fmt.Errorf("process_vm_readv: %v", err) // the guard's trouble, and not the caller's errno
	}
	return n, nil
}

const pageSize = 4096 // the smallest that there is

func toPageEnd(at uint64) int { return int(pageSize - at%pageSize) }
