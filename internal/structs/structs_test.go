package structs

import (
	"testing"

	"github.com/cilium/ebpf/btf"
)

func TestFind(t *testing.T) {
	word := &btf.Int{Name: "int", Size: 4}
	inner := &btf.Struct{Name: "inner", Size: 8, Members: []btf.Member{
		{Name: "first", Type: word}, {Name: "bit", Type: word, Offset: 33, BitfieldSize: 1},
	}}
	outer := &btf.Struct{Name: "outer", Size: 16, Members: []btf.Member{
		{Name: "number", Type: word},
		{Type: &btf.Union{Size: 12, Members: []btf.Member{
			{Name: "other", Type: word},
			{Type: &btf.Struct{Size: 12, Members: []btf.Member{
				{Name: "named", Type: &btf.Typedef{Name: "inner_t", Type: inner}, Offset: 32},
			}}},
		}}, Offset: 32},
	}}
	builder, err := btf.NewBuilder([]btf.Type{outer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := builder.Spec()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path   string
		offset btf.Bits
		err    string
	}{
		{"outer.number", 0, ""},
		{"outer.other", 32, ""},
		{"outer.named", 64, ""},
		{"outer.named.bit", 97, ""},
		{"inner.first", 0, ""},
		{"outer.first", 0, "this kernel's BTF has no outer.first"},
		{"outer.number.first", 0, "this kernel's BTF has no outer.number.first"},
		{"missing.first", 0, "this kernel's BTF has no struct missing: not found"},
	} {
		t.Run(test.path, func(t *testing.T) {
			m, err := Find(spec, test.path)
			if err == nil && test.err != "" || err != nil && err.Error() != test.err || m.Offset != test.offset {
				t.Errorf("got %+v, %v", m, err)
			}
		})
	}
}
