package mountguard

import (
	"cmp"
	"slices"
	"sync"
)

// Count is how often a call had an end.
type Count struct {
	Call   string `json:"call"`
	Action Action `json:"action"`
	Count  uint64 `json:"count"`
}

type counts struct {
	mu   sync.Mutex
	list map[Count]uint64 // by what is left without a count
}

func (c *counts) add(call string, action Action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil {
		c.list = map[Count]uint64{}
	}
	c.list[Count{Call: call, Action: action}]++
}

// Counts says what became of the calls so far, in order of their names.
func (g *Guard) Counts() []Count {
	g.counts.mu.Lock()
	defer g.counts.mu.Unlock()
	list := make([]Count, 0, len(g.counts.list))
	for key, n := range g.counts.list {
		key.Count = n
		list = append(list, key)
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.Action, b.Action))
	})
	return list
}
