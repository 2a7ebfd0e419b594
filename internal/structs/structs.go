// Package structs finds members of the running kernel's structures, for BPF
// programs that read them.
//
//	spec, err := btf.LoadKernelSpec()
//	m, err := structs.Find(spec, "task_struct.thread_info.flags")
//	at := m.Offset.Bytes()
//
// Limitations: pointers in a path aren't followed, and arrays have no members.
package structs

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// Find returns the member "STRUCT.MEMBER.MEMBER…", with its offset in STRUCT.
// Members of structures and unions without a name count as those of what has
// them.
func Find(spec *btf.Spec, path string) (btf.Member, error) {
	words := strings.Split(path, ".")
	var s *btf.Struct
	if err := spec.TypeByName(words[0], &s); err != nil {
		return btf.Member{}, fmt.Errorf("this kernel's BTF has no struct %s: %w", words[0], err)
	}
	found := btf.Member{Type: s}
	for _, word := range words[1:] {
		m, ok := member(found.Type, word)
		if !ok {
			return btf.Member{}, fmt.Errorf("this kernel's BTF has no %s", path)
		}
		m.Offset += found.Offset
		found = m
	}
	return found, nil
}

// member finds a member of a type, if that has any.
func member(of btf.Type, name string) (btf.Member, bool) {
	var members []btf.Member
	switch t := btf.UnderlyingType(of).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name {
			return m, true
		}
		if m.Name == "" {
			if inner, ok := member(m.Type, name); ok {
				inner.Offset += m.Offset
				return inner, true
			}
		}
	}
	return btf.Member{}, false
}
