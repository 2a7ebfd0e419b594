package idpool

import (
	"hash/fnv"
	"iter"
	"slices"
)

// grid is the pool's chunks, by number: chunk N has the IDs from N*65536.
type grid struct{ first, count uint32 }

const (
	// Small blocks fill 1 chunk, then 16 others, then 256, then 4096, so few
	// containers share few chunks and yet a full one is noticed after one look
	// per tier: 10,000 blocks of 1024 IDs use the first three.
	tierGrowth = 16
	tiers      = 4
	// tierTries is how many places are tried in the chunk that the name has in
	// a tier; with 8, a tier is nine tenths full before much passes it by.
	tierTries = 8
)

// candidates is every block of the size, each once, in the order in which the
// container should try them: the first is the one it gets whenever it is free.
func (g grid) candidates(name string, size uint32) iter.Seq[Block] {
	if size >= chunkSize {
		return g.runs(hash(name), size)
	}
	return g.places(hash(name), size)
}

// runs is the blocks of whole chunks.
func (g grid) runs(h uint64, size uint32) iter.Seq[Block] {
	return func(yield func(Block) bool) {
		chunks := size / chunkSize
		if chunks > g.count {
			return
		}
		order := newOrder(h, g.count-chunks+1)
		for i := range order.n {
			if !yield(Block{(g.first + order.at(i)) * chunkSize, size}) {
				return
			}
		}
	}
}

// places is the blocks that share a chunk: a few in one chunk of each tier,
// then all of them.
func (g grid) places(h uint64, size uint32) iter.Seq[Block] {
	return func(yield func(Block) bool) {
		perChunk := chunkSize / size
		place := uint32(mix(h) % uint64(perChunk))
		block := func(chunk, try uint32) Block {
			return Block{(g.first+chunk)*chunkSize + (place+try)%perChunk*size, size}
		}
		tried := make([]Block, 0, tiers*tierTries)
		for chunk := range g.tiers(h, size) {
			for try := range min(tierTries, perChunk) {
				b := block(chunk, try)
				if !yield(b) {
					return
				}
				tried = append(tried, b)
			}
		}
		order := newOrder(h, g.count)
		for i := range order.n {
			for try := range perChunk {
				b := block(order.at(i), try)
				if !slices.Contains(tried, b) && !yield(b) {
					return
				}
			}
		}
	}
}

// tiers is one chunk of each tier, chosen by the name's hash. Each size has
// tiers of its own, so that a large block does not wait for a chunk full of
// tiny ones.
func (g grid) tiers(h uint64, size uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		order := newOrder(mix(uint64(size)), g.count)
		start, length := uint32(0), uint32(1)
		for tier := range tiers {
			if start >= g.count {
				return
			}
			length = min(length, g.count-start)
			pick := uint32(mix(h+uint64(tier)) % uint64(length))
			if !yield(order.at(start + pick)) {
				return
			}
			start += length
			length *= tierGrowth
		}
	}
}

// order is a permutation of 0 … n-1: an arithmetic sequence modulo n whose
// step has no divisor in common with n.
type order struct{ start, step, n uint32 }

func newOrder(h uint64, n uint32) order {
	o := order{start: uint32(h % uint64(n)), step: 1, n: n}
	if n > 2 {
		o.step = 1 + uint32(mix(h)%uint64(n-1))
	}
	for gcd(o.step, n) != 1 {
		o.step++ // ends at n-1 at the latest
	}
	return o
}

func (o order) at(i uint32) uint32 {
	return uint32((uint64(o.start) + uint64(i)*uint64(o.step)) % uint64(o.n))
}

func gcd(a, b uint32) uint32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func hash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return mix(h.Sum64())
}

// mix spreads every bit of x over the whole word: FNV alone leaves the high
// bits of short names alike. It is the finishing step of MurmurHash3.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}
