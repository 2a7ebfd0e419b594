package nsinit

/*
#include <stdlib.h>
#include "views.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// OpenFSIn opens a context of a file system, such as "proc", that belongs to a
// PID namespace: that of whoever opens it, so that a new process has to. See
// fsopen(2).
func OpenFSIn(fstype string, pidNS *os.File) (context *os.File, err error) {
	kernel.OnThread(func() { // its children are in that namespace from now on
		if err = unix.Setns(int(pidNS.Fd()), unix.CLONE_NEWPID); err != nil {
			err = fmt.Errorf("setns: %w", err)
			return
		}
		name := C.CString(fstype)
		defer C.free(unsafe.Pointer(name))
		fd, errno := C.open_in(name)
		if fd < 0 {
			err = fmt.Errorf("fsopen %s: %w", fstype, errno)
			return
		}
		context = os.NewFile(uintptr(fd), fstype)
	})
	runtime.KeepAlive(pidNS)
	return context, err
}

// CopyMountNS copies the calling thread's mount namespace, for a user namespace
// below this process' own. Nothing runs in the copy, which lives as long as the
// descriptor. What is mounted in the original later comes there as well, with its
// flags locked. See mount_namespaces(7).
func CopyMountNS(userNS *os.File) (*os.File, error) {
	fd, errno := C.copy_mounts(C.int(userNS.Fd()))
	runtime.KeepAlive(userNS)
	if fd < 0 {
		return nil, fmt.Errorf("cannot copy the mount namespace: %w", errno)
	}
	return os.NewFile(uintptr(fd), "mount namespace"), nil
}
