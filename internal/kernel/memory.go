package kernel

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ProgramPages is where the program's own file is in this process' memory.
// Mappings with pages of their own are left out.
type ProgramPages []mapping

// FindProgramPages looks for them.
func FindProgramPages() (ProgramPages, error) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return nil, err
	}
	return programMappings(smaps, program), nil
}

// Drop takes them out of this process' memory. They stay in the page cache, and
// come back when they are used: a process that mostly waits needs few of those
// that its start took. See madvise(2), MADV_DONTNEED.
func (p ProgramPages) Drop() {
	for _, m := range p {
		// It fails for locked memory only, which berth has none of.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

type mapping struct{ start, end uintptr }

// programMappings finds, in the text of /proc/PID/smaps, what can't be written
// and has no anonymous page.
func programMappings(smaps []byte, program string) []mapping {
	var found []mapping
	var current *mapping
	for line := range bytes.Lines(smaps) {
		fields := strings.Fields(string(line))
		if len(fields) >= 5 && strings.Contains(fields[0], "-") {
			current = nil
			var m mapping
			_, err := fmt.Sscanf(fields[0], "%x-%x", &m.start, &m.end)
			if err == nil && len(fields) == 6 && fields[5] == program && !strings.Contains(fields[1], "w") {
				current = &m
			}
		}
		if current != nil && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0" {
			found = append(found, *current)
		}
	}
	return found
}
