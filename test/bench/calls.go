package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// callTimes are medians, of calls that a container's root makes.
type callTimes map[string]time.Duration

// The calls, each by what it stands for.
const (
	untrapped = "a call that isn't trapped"
	refused   = "umount2, refused"
	remounted = "mount MS_REMOUNT, refused"
	tmpfs     = "mount of a tmpfs"
	unmounted = "umount2 of a tmpfs"
	crowded   = "umount2, refused, beside 10,000 mounts"
)

// benchCalls runs inside a container and prints callTimes.
func benchCalls() error {
	dir := "/tmp/bench"
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	times := callTimes{}
	times[untrapped] = median(20000, func() { unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0) })
	refuse := func() { _ = unix.Unmount("/proc", 0) }
	times[refused] = median(5000, refuse)
	times[remounted] = median(5000, func() { _ = unix.Mount("", "/sys", "", unix.MS_REMOUNT|unix.MS_BIND, "") })
	if err := benchTmpfs(dir, times); err != nil {
		return err
	}
	if err := crowd(dir, 10000); err != nil {
		return err
	}
	times[crowded] = median(5000, refuse)
	return json.NewEncoder(os.Stdout).Encode(times)
}

// benchTmpfs mounts one on another: an unmount between two would leave the kernel
// busy with what it does behind it.
func benchTmpfs(dir string, times callTimes) (err error) {
	const rounds = 500
	times[tmpfs] = median(rounds, func() {
		if mountErr := unix.Mount("bench", dir, "tmpfs", 0, ""); mountErr != nil {
			err = fmt.Errorf("mount: %w", mountErr)
		}
	})
	times[unmounted] = median(rounds, func() {
		if umountErr := unix.Unmount(dir, unix.MNT_DETACH); umountErr != nil {
			err = fmt.Errorf("umount2: %w", umountErr)
		}
	})
	return err
}

// crowd makes n mounts.
func crowd(dir string, n int) error {
	for i := range n {
		at := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(at, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
	}
	return nil
}

func median(rounds int, f func()) time.Duration {
	times := make([]time.Duration, rounds)
	for i := range times {
		start := time.Now()
		f()
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times[rounds/2]
}
