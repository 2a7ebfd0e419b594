package kernel

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// DropProgramPages takes the pages of the program's own file out of this
// process' memory. They stay in the page cache, and come back one by one when
// they are used: a process that mostly waits needs few of those that its start
// took. Mappings with pages of their own are left alone. See madvise(2),
// MADV_DONTNEED.
func DropProgramPages() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}
	for _, m := range programMappings(smaps, program) {
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
		if errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
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
