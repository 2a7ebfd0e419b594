package mountguard

import (
	"os"
	"slices"
	"sync"

	"berth/internal/kernel"
)

// handed are the last contexts that callers have got, and that the guard keeps.
// One that is forgotten is the kernel's to judge, which refuses it.
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

// made are the last mounts that callers have got, by their IDs. One lives as long
// as its descriptor here does, until it has been attached; and as long as that
// is open, it can't be unmounted.
type made struct {
	mu   sync.Mutex
	ids  []uint64 // in the order in which they were made
	tree map[uint64]*os.File
}

func (m *made) add(id uint64, tree *os.File) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tree == nil {
		m.tree = map[uint64]*os.File{}
	}
	if len(m.ids) == maxHanded {
		m.forget(m.ids[0])
	}
	m.ids, m.tree[id] = append(m.ids, id), tree
}

func (m *made) has(id uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tree[id] != nil
}

// drop lets go of one that has been attached, or that nobody has got.
func (m *made) drop(id uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(id)
}

func (m *made) forget(id uint64) {
	if tree := m.tree[id]; tree != nil {
		tree.Close()
		delete(m.tree, id)
		m.ids = slices.DeleteFunc(m.ids, func(other uint64) bool { return other == id })
	}
}

// close drops all.
func (m *made) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.ids) > 0 {
		m.forget(m.ids[0])
	}
}
