package idpool

import (
	"fmt"
	"testing"
)

func TestEveryCandidateOnce(t *testing.T) {
	for _, count := range []uint32{1, 2, 3, 7, 64, 300} {
		for _, size := range []uint32{1024, 32768, 65536, 3 * 65536} {
			g := grid{first: 8, count: count}
			seen := map[Block]bool{}
			for b := range g.candidates("web", size) {
				if seen[b] {
					t.Fatalf("%d chunks, size %d: %v twice", count, size, b)
				}
				seen[b] = true
				if b.Size != size || b.Base < 8*chunkSize || b.end() > (8+count)*chunkSize || b.Base%min(size, chunkSize) != 0 {
					t.Fatalf("%d chunks, size %d: stray %v", count, size, b)
				}
			}
			want := count * (chunkSize / min(size, chunkSize))
			if size > chunkSize {
				want = max(count, size/chunkSize-1) - (size/chunkSize - 1)
			}
			if len(seen) != int(want) {
				t.Errorf("%d chunks, size %d: %d candidates, want %d", count, size, len(seen), want)
			}
		}
	}
}

// Names that differ little begin in different places.
func TestNamesSpread(t *testing.T) {
	g := grid{first: 8, count: 28664}
	first := map[Block]int{}
	for i := range 1000 {
		for b := range g.candidates(fmt.Sprint("web", i), 65536) {
			first[b]++
			break
		}
	}
	if len(first) < 960 { // 983 expected of a random function
		t.Errorf("1000 names have %d first candidates", len(first))
	}
}
