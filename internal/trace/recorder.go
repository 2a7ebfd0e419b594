package trace

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// Options say what to record.
type Options struct {
	Cgroup  string // directory of a cgroup (version 2), whose processes are recorded, and those below
	Watches []Watch

	// Use is called for each use of a file, soon after it, by one goroutine, the
	// last time before Stop returns.
	Use func(Use)
}

// Recorder records until it is stopped.
type Recorder struct {
	maps     *maps
	programs []*ebpf.Program
	links    []link.Link
	reader   *ringbuf.Reader

	done sync.WaitGroup
	lost int // of the goroutine that reads, until it is done
	tell func(Use)

	unchecked bool // capabilities are not seen
}

// Start begins to record. A kernel that can't is an UnavailableError.
func Start(o Options) (*Recorder, error) {
	r := &Recorder{tell: o.Use}
	if err := r.start(o); err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.done.Go(r.read)
	return r, nil
}

// UnavailableError tells why this kernel, or this process, can't record.
type UnavailableError struct{ cause error }

func (e *UnavailableError) Error() string { return "cannot trace with BPF: " + e.cause.Error() }

func (r *Recorder) start(o Options) error {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return &UnavailableError{err}
	}
	if r.maps, err = newMaps(); err != nil {
		return &UnavailableError{err}
	}
	if r.reader, err = ringbuf.NewReader(r.maps.events); err != nil {
		return &UnavailableError{err}
	}
	if err := r.configure(o); err != nil {
		return fmt.Errorf("cannot trace with BPF: %w", err)
	}
	if err := r.load(spec); err != nil {
		return &UnavailableError{err}
	}
	return nil
}

// load attaches the programs.
func (r *Recorder) load(spec *btf.Spec) error {
	l, err := readLayout(spec)
	if err != nil {
		return err
	}
	for _, p := range programs() {
		if p.optional && !hasTracepoint(spec, p.tracepoint) {
			r.unchecked = true
			continue
		}
		if err := r.attach(p, l); err != nil {
			return fmt.Errorf("tracepoint %s: %w", p.tracepoint, err)
		}
	}
	return nil
}

// configure fills the maps that the programs only read.
func (r *Recorder) configure(o Options) error {
	dir, err := os.Open(o.Cgroup)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := r.maps.cgroup.Put(uint32(0), uint32(dir.Fd())); err != nil {
		return fmt.Errorf("%s: %w", o.Cgroup, err)
	}
	for _, w := range o.Watches {
		if w.Number < 0 || w.Number >= maxCalls {
			return fmt.Errorf("internal error: no system call has the number %d", w.Number)
		}
		if ok, err := r.maps.watch(w); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("internal error: too many watches of call %d", w.Number)
		}
	}
	return nil
}

// program is what is attached to a tracepoint.
type program struct {
	tracepoint string
	typed      bool // its arguments have BTF's types
	optional   bool // a kernel may lack the tracepoint
	make       func(*code)
}

// programs are in the order in which they are attached: what begins the tracking
// comes last.
func programs() []program {
	return []program{
		{tracepoint: "sched_process_fork", typed: true, make: (*code).fork},
		{tracepoint: "cap_capable", typed: true, optional: true, make: (*code).capable},
		{tracepoint: "sys_enter", make: (*code).enter},
		{tracepoint: "sys_exit", make: func(c *code) { c.exit(0) }},
		{tracepoint: "sys_exit", make: func(c *code) { c.exit(1) }},
		{tracepoint: "sched_process_exec", typed: true, make: (*code).exec},
		{tracepoint: "sched_process_exec", typed: true, make: (*code).script},
	}
}

func (r *Recorder) attach(p program, l layout) error {
	c := &code{l: l, m: r.maps}
	p.make(c)
	spec := &ebpf.ProgramSpec{Name: "berth_trace", Type: ebpf.RawTracepoint, Instructions: c.Instructions, License: "GPL"}
	if p.typed {
		spec.Type, spec.AttachType, spec.AttachTo = ebpf.Tracing, ebpf.AttachTraceRawTp, p.tracepoint
	}
	loaded, err := ebpf.NewProgram(spec)
	if err != nil {
		return err
	}
	r.programs = append(r.programs, loaded)
	var attached link.Link
	if p.typed {
		attached, err = link.AttachTracing(link.TracingOptions{Program: loaded})
	} else {
		attached, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: p.tracepoint, Program: loaded})
	}
	if err != nil {
		return err
	}
	r.links = append(r.links, attached)
	return nil
}

// read collects what is told of files.
func (r *Recorder) read() {
	for {
		record, err := r.reader.Read()
		if err != nil {
			return // flushed, to the last
		}
		use, err := parseEvent(record.RawSample)
		if err != nil {
			r.lost++
			continue
		}
		r.tell(use)
	}
}

// Stop ends the recording and returns what was seen.
func (r *Recorder) Stop() (Record, error) {
	r.detach()
	if err := r.reader.Flush(); err != nil {
		return Record{}, errors.Join(err, r.close())
	}
	r.done.Wait()
	record := Record{Lost: r.lost, ChecksKnown: !r.unchecked}
	err := r.maps.collect(&record)
	return record, errors.Join(err, r.close())
}

func (r *Recorder) detach() {
	for _, l := range r.links {
		l.Close()
	}
	r.links = nil
}

func (r *Recorder) close() error {
	r.detach()
	for _, p := range r.programs {
		p.Close()
	}
	var err error
	if r.reader != nil {
		err = r.reader.Close()
	}
	if r.maps != nil {
		r.maps.close()
	}
	return err
}

// hasTracepoint tells whether the kernel has it.
func hasTracepoint(spec *btf.Spec, name string) bool {
	var t *btf.Typedef
	return spec.TypeByName("btf_trace_"+name, &t) == nil
}
