package launcher

import (
	"os"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// undo is what a start has made on the host for the container's directories, in
// that order, until it is known that the container runs.
type undo []undoStep

// undoStep is a name that was made in a directory.
type undoStep struct {
	dir   *os.File // a descriptor of its own: paths may lead elsewhere by now
	name  string
	flags int // of unlinkat(2)
}

// makeDir is kernel.MakeDirAt.
func (u *undo) makeDir(dir *os.File, name string, mode uint32) (*os.File, bool, error) {
	f, made, err := kernel.MakeDirAt(dir, name, mode)
	if made {
		u.add(dir, name, unix.AT_REMOVEDIR)
	}
	return f, made, err
}

// link is linkOnce.
func (u *undo) link(dir *os.File, name, target string) error {
	made, err := linkOnce(dir, name, target)
	if made {
		u.add(dir, name, 0)
	}
	return err
}

func (u *undo) add(dir *os.File, name string, flags int) {
	own, err := kernel.OpenAt(dir, ".", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return // an empty directory stays: no reason to fail
	}
	*u = append(*u, undoStep{own, name, flags})
}

// run removes what was made, the last first. It ends at what is not empty: another
// container has it by now.
func (u *undo) run() {
	for i := len(*u) - 1; i >= 0; i-- {
		step := (*u)[i]
		if unix.Unlinkat(int(step.dir.Fd()), step.name, step.flags) != nil {
			break
		}
	}
	u.close()
}

// close lets all stay.
func (u *undo) close() {
	for _, step := range *u {
		step.dir.Close()
	}
	*u = nil
}
