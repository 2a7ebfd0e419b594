package nsinit

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// Watcher is a process of the host's that kills all of a cgroup when this
// process ends without having said otherwise, and holds files until they have
// ended.
type Watcher struct {
	process *os.Process
	pipe    *os.File
}

// Watch starts one for a cgroup's directory.
func Watch(cgroup string, hold []*os.File) (*Watcher, error) {
	dir, err := os.Open(cgroup)
	if err != nil {
		return nil, fmt.Errorf("cannot watch the container: %w", err)
	}
	defer dir.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot watch the container: %w", err)
	}
	defer read.Close()
	process, err := os.StartProcess("/proc/self/exe", []string{watchName, strconv.Itoa(len(hold))}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{},
		Files: append([]*os.File{nil, nil, nil, read, dir}, hold...),
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("cannot watch the container: %w", err)
	}
	return &Watcher{process, write}, nil
}

// Dismiss ends it, and nothing else.
func (w *Watcher) Dismiss() {
	_, _ = w.pipe.Write([]byte{0}) // it may be dead, and then there is nobody to tell
	w.pipe.Close()
	_, _ = w.process.Wait()
}
