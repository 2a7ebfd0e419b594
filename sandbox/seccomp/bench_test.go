package seccomp

import "testing"

// strictLayers are those of the profile strict, about.
func strictLayers() []Layer {
	var layers []Layer
	for _, l := range [][]Layer{
		AddressFamilies([]string{"AF_UNIX"}, true), Realtime(), Namespaces(0), Sysctl(), KernelModules(), RawIO(),
		Architectures([]string{"native"}), LockPersonality(0),
		Calls([]Entry{{Name: "@system-service"}}, "EPERM", 257),
	} {
		layers = append(layers, l...)
	}
	return layers
}

func BenchmarkLayers(b *testing.B) {
	for b.Loop() {
		strictLayers()
	}
}

func BenchmarkCompile(b *testing.B) {
	layers := strictLayers()
	for b.Loop() {
		if _, err := Compile(layers); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompileAllABIs(b *testing.B) {
	layers := Calls([]Entry{{Name: "@system-service"}}, "EPERM", 257)
	for b.Loop() {
		if _, err := Compile(layers); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	programs, err := Compile(strictLayers())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := Validate(programs); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadCached(b *testing.B) {
	layers := strictLayers()
	c := Cache{Dir: b.TempDir()}
	for b.Loop() {
		if _, err := c.Load(layers); err != nil {
			b.Fatal(err)
		}
	}
}
