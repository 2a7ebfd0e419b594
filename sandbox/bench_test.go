package sandbox

import (
	"strings"
	"testing"
)

// BenchmarkStrict is what a start with the settings of profile strict does: they
// are read and decided on each time.
func BenchmarkStrict(b *testing.B) {
	const lines = `ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX
LockPersonality=yes
NoNewPrivileges=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictNamespaces=yes
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
CapabilityBoundingSet=`
	for b.Loop() {
		s := New()
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(line, "=")
			if err := s.Set(name, value); err != nil {
				b.Fatal(err)
			}
		}
		if _, problems := s.Decide(Facts{SystemdVersion: 257, MDWE: true}); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
