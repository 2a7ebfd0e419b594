package seccomp

import (
	"testing"

	"berth/test/bpf"
)

// runAll returns what the kernel does with a call under programs.
func runAll(t testing.TB, programs []Program, c bpf.Call) uint32 {
	t.Helper()
	var codes [][]byte
	for _, p := range programs {
		codes = append(codes, p.Code)
	}
	ret, err := bpf.Judge(codes, c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return ret
}

// machines are the sets of ABIs that the kernels of machines accept.
func machines() [][]abi {
	return [][]abi{abis()[:3], abis()[3:]}
}
