package sandbox

import (
	"maps"
	"slices"

	"berth/internal/kernel"
)

// schedule decides where and when the payload runs.
func (d *deciding) schedule() {
	if c := d.CPUScheduling; c != nil {
		next := *c
		next.ResetOnFork = d.CPUSchedulingResetOnFork
		low, high := priorities(c.Policy)
		if c.Priority < low || c.Priority > high {
			d.contradiction("CPUSchedulingPriority", "must be from %d to %d under the policy %s, not %d", low, high, c.Policy, c.Priority)
		} else {
			d.Process.Scheduler = &next
		}
	}
	nodes := d.numaNodes()
	d.numaPolicy(nodes)
	d.Process.CPUAffinity = slices.Clone(d.CPUAffinity)
	if d.CPUAffinityNUMA {
		d.Process.CPUAffinity = d.cpusOf(nodes)
	}
}

// numaNodes resolves NUMAMask.
func (d *deciding) numaNodes() []int {
	if !d.NUMAMaskAll {
		return d.numa().Nodes
	}
	if len(d.Nodes) == 0 {
		d.unenforceable("NUMAMask", "this host has no NUMA nodes")
	}
	return slices.Sorted(maps.Keys(d.Nodes))
}

// numaPolicy is what set_mempolicy(2) takes.
func (d *deciding) numaPolicy(nodes []int) {
	policy := d.numa().Policy
	switch {
	case policy == "":
		return // a mask alone is for CPUAffinity
	case len(nodes) == 0 && !slices.Contains([]string{"default", "local", "preferred"}, policy):
		d.contradiction("NUMAPolicy", "%s needs nodes: set NUMAMask", policy)
	case policy == "preferred" && len(nodes) > 1:
		d.contradiction("NUMAPolicy", "preferred takes one node, and NUMAMask has %d", len(nodes))
	default:
		if policy == "default" || policy == "local" {
			nodes = nil // the kernel refuses any, and systemd passes none
		}
		d.Process.NUMA = &kernel.NUMAPolicy{Policy: policy, Nodes: nodes}
	}
}

func (d *deciding) cpusOf(nodes []int) []int {
	if len(nodes) == 0 {
		d.contradiction("CPUAffinity", "numa needs nodes: set NUMAMask")
		return nil
	}
	var cpus []int
	for _, node := range nodes {
		if len(d.Nodes[node]) == 0 {
			d.unenforceable("CPUAffinity", "this host has no CPUs on NUMA node %d", node)
		}
		cpus = append(cpus, d.Nodes[node]...)
	}
	slices.Sort(cpus)
	return slices.Compact(cpus)
}
