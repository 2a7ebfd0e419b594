// Command attack runs inside a container and tries what its walls must not
// allow. It judges nothing: each operation's errno goes to standard output, and
// the test that started it knows which one is right.
//
//	attack try remount-rw:/proc/sys umount:/proc/kcore …   one line each: "OPERATION ERRNO"
//	attack nested try …                                    the same in user and mount namespaces of its own
//	attack exchange A B                                    swaps two paths until it is killed
//
// Limitations: it tries each operation once and undoes what it can, but an
// operation that should have failed and didn't may spoil the ones after it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: attack try OPERATION:PATH… | nested ARGUMENT… | exchange A B")
	}
	switch args[0] {
	case "try":
		return try(args[1:])
	case "nested":
		return nested(args[1:])
	case "exchange":
		return exchange(args[1], args[2])
	}
	return fmt.Errorf("no such attack: %q", args[0])
}

// try carries out OPERATION:PATH arguments in turn.
func try(list []string) error {
	known := operations()
	for _, item := range list {
		name, path, _ := strings.Cut(item, ":")
		operation := known[name]
		if operation == nil {
			return fmt.Errorf("no such operation: %q", name)
		}
		fmt.Println(item, errnoName(operation(path)))
	}
	return nil
}

func errnoName(err error) string {
	if err == nil {
		return "ok"
	}
	if errno, ok := err.(unix.Errno); ok {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// nested starts this program again as root of a user namespace of its own. To
// map its own root there takes CAP_SETFCAP (user_namespaces(7)), which containers
// don't have by default: there the new root is user 1.
func nested(args []string) error {
	id := 0
	if maps, err := os.ReadFile("/proc/self/uid_map"); err != nil {
		return err
	} else if !strings.HasSuffix(string(maps), " 1\n") {
		id = 1
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}},
		Credential:  &syscall.Credential{NoSetGroups: true},
	}
	return cmd.Run()
}

// exchange swaps two directory entries for as long as it lives.
func exchange(a, b string) error {
	for {
		err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		if err != nil && err != unix.ENOENT && err != unix.EBUSY {
			return fmt.Errorf("renameat2: %w", err)
		}
	}
}
