package kernel

import (
	"os"

	"golang.org/x/sys/unix"
)

// FD is an open descriptor for where *os.File costs too much: in what answers
// system calls. Nobody closes it but its owner. NoFD is none.
type FD int

// NoFD is no descriptor.
const NoFD FD = -1

// Close closes it; NoFD it leaves alone.
func (fd FD) Close() {
	if fd >= 0 {
		_ = unix.Close(int(fd)) // the descriptor is gone whatever it says: close(2)
	}
}

// File makes a file of it, which then owns it.
func (fd FD) File(name string) *os.File { return os.NewFile(uintptr(fd), name) }

// Resolve opens name below dir with a descriptor that only names the file.
// resolve is of RESOLVE_*, see openat2(2). The error is an errno: EAGAIN too,
// with which the kernel gives up where files move meanwhile, and what
// ResolveCached would have to wait for.
func Resolve(dir FD, name string, flags int, resolve uint64) (FD, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_PATH | unix.O_CLOEXEC), Resolve: resolve}
	for {
		fd, err := unix.Openat2(int(dir), name, &how)
		if err != unix.EINTR {
			return FD(fd), err
		}
	}
}

// ResolveCached is RESOLVE_CACHED of openat2(2): nothing is waited for.
const ResolveCached = 0x20

// OpenDir opens a directory for nothing but what is in it.
func OpenDir(path string) (FD, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return NoFD, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return FD(fd), nil
}
