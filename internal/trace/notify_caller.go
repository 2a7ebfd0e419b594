package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// caller is a process that waits for an answer.
type caller struct {
	n    *kernel.Notification
	root *os.File
}

func (p *caller) close() {
	if p.root != nil {
		p.root.Close()
	}
}

// read copies the process' memory; what can't be read stays as it is.
func (p *caller) read(at uint64, to []byte) int {
	local := []unix.Iovec{{Base: &to[0]}}
	local[0].SetLen(len(to))
	n, err := unix.ProcessVMReadv(int(p.n.TID), local, []unix.RemoteIovec{{Base: uintptr(at), Len: len(to)}}, 0)
	if err != nil {
		return 0
	}
	return n
}

func (p *caller) word(at uint64) uint64 {
	var b [8]byte
	p.read(at, b[:])
	return binary.NativeEndian.Uint64(b[:])
}

// text reads a string of at most a length. A page that isn't there ends it.
func (p *caller) text(at uint64, most int) string {
	var b []byte
	for at != 0 && len(b) < most {
		const page = 4096
		part := make([]byte, min(page-int(at%page), most-len(b)))
		n := p.read(at, part)
		if end := bytes.IndexByte(part[:n], 0); end >= 0 {
			return string(append(b, part[:end]...))
		}
		if n < len(part) {
			return string(append(b, part[:n]...))
		}
		b, at = append(b, part...), at+uint64(n)
	}
	return string(b)
}

// path is absolute; "" is for none.
func (p *caller) path(dir int32, at uint64) string {
	text := p.text(at, unix.PathMax)
	if text == "" {
		return ""
	}
	if text[0] == '/' {
		return strings.TrimSuffix(p.link("root"), "/") + text
	}
	base := p.link("cwd")
	if dir >= 0 {
		base = p.file(dir)
	}
	if base == "" {
		return ""
	}
	return strings.TrimSuffix(base, "/") + "/" + text
}

// file is the path of an open file.
func (p *caller) file(number int32) string {
	if number < 0 {
		return ""
	}
	return p.link("fd/" + strconv.Itoa(int(number)))
}

// link reads one of the process' links in /proc: a path in its mount namespace.
func (p *caller) link(name string) string {
	target, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", p.n.TID, name))
	if err != nil || !strings.HasPrefix(target, "/") {
		return ""
	}
	return target
}

// stat looks at a file as the process would; links are followed or not.
func (p *caller) stat(name string, follow bool) (unix.Stat_t, error) {
	if p.root == nil {
		root, err := os.OpenFile(fmt.Sprintf("/proc/%d/root", p.n.TID), unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return unix.Stat_t{}, err
		}
		p.root = root
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	if !follow {
		how.Flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Openat2(int(p.root.Fd()), strings.TrimPrefix(name, strings.TrimSuffix(p.link("root"), "/")), &how)
	if err != nil {
		return unix.Stat_t{}, err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	return stat, unix.Fstat(fd, &stat)
}

// makes are the calls that make an entry, which must not be there.
func (p *caller) makes() bool {
	switch p.n.Number {
	case unix.SYS_MKDIRAT, unix.SYS_MKNODAT, unix.SYS_SYMLINKAT, unix.SYS_LINKAT, unix.SYS_BIND:
		return true
	}
	return isOldMake(p.n.Number)
}

// willSucceed tells, by what is there, whether a call can do what it is for. What
// is in /proc isn't asked: its links mean another thing to each who follows them.
func (p *caller) willSucceed(use Use) bool {
	if use.Path == "/proc" || strings.HasPrefix(use.Path, "/proc/") {
		return true
	}
	switch use.Access {
	case Entry:
		if _, err := p.stat(path.Dir(use.Path), true); err != nil {
			return false
		}
		_, err := p.stat(use.Path, false)
		return err != nil || !p.makes()
	case Open:
		if use.Flags&unix.O_CREAT != 0 {
			_, err := p.stat(path.Dir(use.Path), true)
			return err == nil
		}
	case Map:
		return true
	}
	_, err := p.stat(use.Path, true)
	return err == nil
}

// gainsRights tells of programs with the set-user-ID or set-group-ID bit.
func (p *caller) gainsRights(name string) bool {
	stat, err := p.stat(name, true)
	return err == nil && stat.Mode&(unix.S_ISUID|unix.S_ISGID) != 0
}

// identity is asked for where it matters: in /proc.
func (p *caller) identity(name string) (pid int, user uint32) {
	if !strings.HasPrefix(name, "/proc") {
		return 0, 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.n.TID))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(status)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		last := words[len(words)-1]
		switch {
		case words[0] == "NStgid:":
			pid, _ = strconv.Atoi(last)
		case words[0] == "Uid:" && len(words) == 5:
			fsuid, _ := strconv.ParseUint(last, 10, 32)
			user = uint32(fsuid)
		}
	}
	return pid, user
}
