package mountguard

import (
	"os"
	"slices"
	"sync"

	"berth/internal/kernel"
)

// handed are the last files that callers have got, and that the guard keeps.
// A context that is forgotten is the kernel's to judge, which refuses it. A mount
// that is forgotten goes away unless it has been attached somewhere.
type handed struct {
	mu   sync.Mutex
	list []*os.File
}

// maxHanded is how many are kept. Programs use one right after they have got it.
const maxHanded = 16

func (h *handed) add(file *os.File) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.list) == maxHanded {
		// Somebody may use it just now: it is closed once nobody does.
		h.list = slices.Clone(h.list[1:])
	}
	h.list = append(h.list, file)
}

// drop forgets a file, and closes it.
func (h *handed) drop(file *os.File) {
	h.mu.Lock()
	h.list = slices.DeleteFunc(slices.Clone(h.list), func(f *os.File) bool { return f == file })
	h.mu.Unlock()
	file.Close()
}

// close drops all.
func (h *handed) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, file := range h.list {
		file.Close()
	}
	h.list = nil
}

// find returns the one that a caller's descriptor is, or nil.
func (h *handed) find(t kernel.Task, number int32) (*os.File, error) {
	h.mu.Lock()
	list := slices.Clone(h.list)
	h.mu.Unlock()
	if len(list) == 0 {
		return nil, nil
	}
	file, err := t.Descriptor(number)
	if err != nil {
		return nil, nil // the kernel will not find it either
	}
	defer file.Close()
	for _, known := range list {
		same, err := kernel.SameFile(known, file)
		if err != nil {
			return nil, err
		}
		if same {
			return known, nil
		}
	}
	return nil, nil
}
