package mountguard

import "testing"

// What a decision costs beside the memory that has to be read for it.
func BenchmarkDecide(b *testing.B) {
	table, place, memory := NewTable(initialMounts()), on(106), usual()
	policy := Policy{Enabled: true, Unmounts: true}
	b.ReportAllocs()
	for b.Loop() {
		call, err := Decode(archAMD64, 166, [6]uint64{pathAt, 2}, memory)
		if err != nil {
			b.Fatal(err)
		}
		if v := policy.Judge(table, call, Situation{Target: place}); v.Action != Continue {
			b.Fatal(v)
		}
	}
}
