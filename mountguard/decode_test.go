package mountguard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// ram is a caller's memory for tests: pieces by their addresses. Around them
// nothing can be read.
type ram map[uint64]string

func (r ram) Text(address uint64, max int) (string, error) {
	piece, ok := r.from(address)
	if !ok {
		return "", ErrFault
	}
	text, _, ended := strings.Cut(piece[:min(max, len(piece))], "\x00")
	switch {
	case ended:
		return text, nil
	case len(piece) < max:
		return "", ErrFault
	}
	return "", ErrTooLong
}

func (r ram) Read(address uint64, p []byte) error {
	piece, ok := r.from(address)
	if copy(p, piece) < len(p) || !ok {
		return ErrFault
	}
	return nil
}

func (r ram) from(address uint64) (string, bool) {
	for at, piece := range r {
		if at <= address && address-at < uint64(len(piece)) {
			return piece[address-at:], true
		}
	}
	return "", false
}

// mountAttr is struct mount_attr, with what a newer kernel's has behind it.
func mountAttr(set, clear uint64, rest string) string {
	var b []byte
	for _, word := range []uint64{set, clear, 0, 0} {
		b = binary.NativeEndian.AppendUint64(b, word)
	}
	return string(b) + rest
}

// The memory of most cases.
const (
	pathAt   = 0x1000
	otherAt  = 0x2000
	typeAt   = 0x3000
	attrAt   = 0x4000
	emptyAt  = 0x5000
	longAt   = 0x10000
	nowhere  = 0x666000
	dropsROX = 0x7000
)

func usual() ram {
	return ram{
		pathAt:   "/data\x00",
		otherAt:  "other\x00",
		typeAt:   "proc\x00",
		attrAt:   mountAttr(0, unix.MOUNT_ATTR_RDONLY, ""),
		emptyAt:  "\x00",
		longAt:   strings.Repeat("x", 5000),
		dropsROX: mountAttr(unix.MOUNT_ATTR_NOEXEC, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOEXEC|unix.MOUNT_ATTR__ATIME, ""),
	}
}

const cwd = uint64(0xffffffffffffff9c) // AT_FDCWD

func at(name string) Path { return Path{Dir: unix.AT_FDCWD, Name: name} }

func TestDecode(t *testing.T) {
	const all = Lockable
	page := uint64(os.Getpagesize())
	pageEnd := 64 * page
	cases := []struct {
		name   string
		call   string
		args   [6]uint64
		memory ram // beside the usual
		want   Call
		errno  syscall.Errno
		asks   bool // the errno is the guard's to answer with: the kernel must not be asked again
	}{
		// mount(2): what is asked for, in the kernel's order.
		{name: "bind", call: "mount", args: [6]uint64{nowhere, nowhere, nowhere, unix.MS_BIND, nowhere},
			want: Call{Operation: Bind, Flags: unix.MS_BIND}},
		{name: "recursive bind", call: "mount", args: [6]uint64{nowhere, nowhere, nowhere, unix.MS_BIND | unix.MS_REC | unix.MS_PRIVATE, nowhere},
			want: Call{Operation: Bind, Flags: unix.MS_BIND | unix.MS_REC | unix.MS_PRIVATE, Recursive: true}},
		{name: "remount of a mount", call: "mount", args: [6]uint64{0, pathAt, 0, unix.MS_REMOUNT | unix.MS_BIND | unix.MS_NOSUID, 0},
			want: Call{Operation: Remount, Flags: unix.MS_REMOUNT | unix.MS_BIND | unix.MS_NOSUID, Target: at("/data"), Drops: all &^ NoSUID}},
		{name: "remount with a propagation in it is a remount", call: "mount", args: [6]uint64{0, pathAt, 0, unix.MS_REMOUNT | unix.MS_BIND | unix.MS_PRIVATE | unix.MS_MOVE, 0},
			want: Call{Operation: Remount, Flags: unix.MS_REMOUNT | unix.MS_BIND | unix.MS_PRIVATE | unix.MS_MOVE, Target: at("/data"), Drops: all}},
		{name: "remount that drops nothing", call: "mount", args: [6]uint64{0, nowhere, 0, unix.MS_REMOUNT | unix.MS_BIND | 0xf, 0},
			want: Call{Operation: Remount, Flags: unix.MS_REMOUNT | unix.MS_BIND | 0xf}},
		{name: "remount of a superblock", call: "mount", args: [6]uint64{0, pathAt, nowhere, unix.MS_REMOUNT | unix.MS_RDONLY, 0},
			want: Call{Operation: Reconfigure, Flags: unix.MS_REMOUNT | unix.MS_RDONLY, Target: at("/data"), Drops: all &^ ReadOnly}},
		{name: "remount with options", call: "mount", args: [6]uint64{0, pathAt, 0, unix.MS_REMOUNT, otherAt},
			memory: ram{otherAt: "size=1m\x00rest" + strings.Repeat("\x00", int(page))},
			want:   Call{Operation: Reconfigure, Flags: unix.MS_REMOUNT, Target: at("/data"), Data: "size=1m", Drops: all}},
		{name: "propagation", call: "mount", args: [6]uint64{0, nowhere, 0, unix.MS_SLAVE | unix.MS_REC | unix.MS_MOVE, 0},
			want: Call{Operation: Propagation, Flags: unix.MS_SLAVE | unix.MS_REC | unix.MS_MOVE, Recursive: true}},
		{name: "move", call: "mount", args: [6]uint64{pathAt, otherAt, 0, unix.MS_MOVE, 0},
			want: Call{Operation: Move, Flags: unix.MS_MOVE, Source: at("/data"), Target: at("other")}},
		{name: "new mount", call: "mount", args: [6]uint64{0, nowhere, typeAt, unix.MS_NOSUID, nowhere}, memory: ram{typeAt: "tmpfs\x00"},
			want: Call{Operation: NewMount, Flags: unix.MS_NOSUID, FS: "tmpfs"}},
		{name: "new proc", call: "mount", args: [6]uint64{nowhere, pathAt, typeAt, unix.MS_NOSUID, 0},
			want: Call{Operation: NewMount, Flags: unix.MS_NOSUID, FS: "proc", Target: at("/data")}},
		{name: "new sysfs with options", call: "mount", args: [6]uint64{0, pathAt, typeAt, 0, pageEnd - 3},
			memory: ram{typeAt: "sysfs\x00", pageEnd - 3: "a=b"},
			want:   Call{Operation: NewMount, FS: "sysfs", Target: at("/data"), Data: "a=b"}},
		{name: "options of two pages", call: "mount", args: [6]uint64{0, pathAt, typeAt, 0, pageEnd - 2},
			memory: ram{pageEnd - 2: "ab" + strings.Repeat("c", int(page))},
			want:   Call{Operation: NewMount, FS: "proc", Target: at("/data"), Data: "ab" + strings.Repeat("c", int(page)-3)}},
		{name: "magic hides propagation", call: "mount", args: [6]uint64{0, nowhere, nowhere, 0xc0ed0000 | unix.MS_BIND | unix.MS_REC, 0},
			want: Call{Operation: Bind, Flags: unix.MS_BIND | unix.MS_REC, Recursive: true}},
		{name: "magic, and nothing else of the upper words", call: "mount", args: [6]uint64{0, 0, typeAt, 0xdead_beef_c0ed_0000, 0}, memory: ram{typeAt: "tmpfs\x00"},
			want: Call{Operation: NewMount, FS: "tmpfs"}},
		{name: "bit 31", call: "mount", args: [6]uint64{0, pathAt, typeAt, 1 << 31, 0}, want: Call{Flags: 1 << 31}, errno: unix.EINVAL},
		{name: "bit 63", call: "mount", args: [6]uint64{0, pathAt, 0, 1<<63 | unix.MS_BIND, 0}, want: Call{Flags: 1<<63 | unix.MS_BIND}, errno: unix.EINVAL},
		{name: "no type", call: "mount", args: [6]uint64{0, pathAt, 0, 0, 0}, want: Call{Operation: NewMount}, errno: unix.EINVAL},
		{name: "type nowhere", call: "mount", args: [6]uint64{0, pathAt, nowhere, 0, 0}, want: Call{Operation: NewMount}, errno: unix.EFAULT},
		{name: "type without end", call: "mount", args: [6]uint64{0, pathAt, longAt, 0, 0}, want: Call{Operation: NewMount}, errno: unix.EINVAL},
		{name: "proc on nothing", call: "mount", args: [6]uint64{0, emptyAt, typeAt, 0, 0}, want: Call{Operation: NewMount, FS: "proc", Target: at("")}, errno: unix.ENOENT},
		{name: "options nowhere", call: "mount", args: [6]uint64{0, pathAt, typeAt, 0, nowhere}, want: Call{Operation: NewMount, FS: "proc", Target: at("/data")}, errno: unix.EFAULT},
		{name: "remount of a null pointer", call: "mount", args: [6]uint64{0, 0, 0, unix.MS_REMOUNT | unix.MS_BIND, 0},
			want: Call{Operation: Remount, Flags: unix.MS_REMOUNT | unix.MS_BIND, Drops: all, Target: at("")}, errno: unix.EFAULT},
		{name: "remount of a superblock nowhere", call: "mount", args: [6]uint64{0, nowhere, 0, unix.MS_REMOUNT, 0},
			want: Call{Operation: Reconfigure, Flags: unix.MS_REMOUNT, Drops: all, Target: at("")}, errno: unix.EFAULT, asks: true},
		{name: "path of 5000 bytes", call: "mount", args: [6]uint64{0, longAt, 0, unix.MS_REMOUNT | unix.MS_BIND, 0},
			want: Call{Operation: Remount, Flags: unix.MS_REMOUNT | unix.MS_BIND, Drops: all, Target: at("")}, errno: unix.ENAMETOOLONG},
		{name: "path of 4095 bytes", call: "mount", args: [6]uint64{0, longAt, 0, unix.MS_REMOUNT | unix.MS_BIND, 0}, memory: ram{longAt: strings.Repeat("y", 4095) + "\x00"},
			want: Call{Operation: Remount, Flags: unix.MS_REMOUNT | unix.MS_BIND, Drops: all, Target: at(strings.Repeat("y", 4095))}},
		{name: "path of 4096 bytes", call: "mount", args: [6]uint64{0, longAt, 0, unix.MS_REMOUNT | unix.MS_BIND, 0}, memory: ram{longAt: strings.Repeat("y", 4096) + "\x00"},
			want: Call{Operation: Remount, Flags: unix.MS_REMOUNT | unix.MS_BIND, Drops: all, Target: at("")}, errno: unix.ENAMETOOLONG},
		{name: "move of a null pointer", call: "mount", args: [6]uint64{0, pathAt, 0, unix.MS_MOVE, 0}, want: Call{Operation: Move, Flags: unix.MS_MOVE}, errno: unix.EINVAL},
		{name: "move of nothing", call: "mount", args: [6]uint64{emptyAt, pathAt, 0, unix.MS_MOVE, 0}, want: Call{Operation: Move, Flags: unix.MS_MOVE, Source: at("")}, errno: unix.EINVAL, asks: true},
		{name: "move from nowhere", call: "mount", args: [6]uint64{nowhere, pathAt, 0, unix.MS_MOVE, 0}, want: Call{Operation: Move, Flags: unix.MS_MOVE, Source: at("")}, errno: unix.EFAULT, asks: true},
		{name: "move of 5000 bytes", call: "mount", args: [6]uint64{longAt, pathAt, 0, unix.MS_MOVE, 0}, want: Call{Operation: Move, Flags: unix.MS_MOVE, Source: at("")}, errno: unix.EINVAL, asks: true},
		{name: "move to nowhere", call: "mount", args: [6]uint64{pathAt, nowhere, 0, unix.MS_MOVE, 0}, want: Call{Operation: Move, Flags: unix.MS_MOVE, Source: at("/data"), Target: at("")}, errno: unix.EFAULT, asks: true},

		// umount2(2)
		{name: "unmount", call: "umount2", args: [6]uint64{pathAt, unix.MNT_DETACH},
			want: Call{Operation: Unmount, Flags: unix.MNT_DETACH, Target: at("/data")}},
		{name: "unmount of a symlink", call: "umount2", args: [6]uint64{pathAt, unix.UMOUNT_NOFOLLOW | 1<<32},
			want: Call{Operation: Unmount, Flags: unix.UMOUNT_NOFOLLOW, Target: Path{Dir: unix.AT_FDCWD, Name: "/data", NoFollow: true}}},
		{name: "unmount with other flags", call: "umount2", args: [6]uint64{pathAt, 0x10}, want: Call{Operation: Unmount, Flags: 0x10}, errno: unix.EINVAL},
		{name: "unmount nowhere", call: "umount2", args: [6]uint64{nowhere, 0}, want: Call{Operation: Unmount, Target: at("")}, errno: unix.EFAULT},
		{name: "unmount of nothing", call: "umount2", args: [6]uint64{emptyAt, 0}, want: Call{Operation: Unmount, Target: at("")}, errno: unix.ENOENT},

		// move_mount(2)
		{name: "move_mount of descriptors", call: "move_mount", args: [6]uint64{5, emptyAt, 0xffffffff_00000006, 0, unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_EMPTY_PATH},
			want: Call{Operation: Move, Flags: 0x44, Source: Path{Dir: 5, Empty: true, NoFollow: true}, Target: Path{Dir: 6, Empty: true, NoFollow: true}}},
		{name: "move_mount that follows", call: "move_mount", args: [6]uint64{cwd, pathAt, 7, otherAt, unix.MOVE_MOUNT_F_SYMLINKS | unix.MOVE_MOUNT_T_SYMLINKS},
			want: Call{Operation: Move, Flags: 0x11, Source: at("/data"), Target: Path{Dir: 7, Name: "other"}}},
		{name: "move_mount beneath", call: "move_mount", args: [6]uint64{cwd, pathAt, cwd, otherAt, 0x211},
			want: Call{Operation: Move, Flags: 0x211, Source: at("/data"), Target: at("other")}},
		{name: "move_mount of a group", call: "move_mount", args: [6]uint64{5, nowhere, 6, nowhere, 0x144},
			want: Call{Operation: Propagation, Flags: 0x144}},
		{name: "move_mount of what is to come", call: "move_mount", args: [6]uint64{5, nowhere, 6, nowhere, 0x1000},
			want: Call{Operation: Move, Flags: 0x1000}, errno: unix.EINVAL, asks: true},
		{name: "move_mount of nothing", call: "move_mount", args: [6]uint64{5, emptyAt, 6, pathAt, 0},
			want: Call{Operation: Move, Source: Path{Dir: 5, NoFollow: true}}, errno: unix.ENOENT, asks: true},
		{name: "move_mount from nowhere", call: "move_mount", args: [6]uint64{5, nowhere, 6, pathAt, 4},
			want: Call{Operation: Move, Flags: 4, Source: Path{Dir: 5, Empty: true, NoFollow: true}}, errno: unix.EFAULT, asks: true},

		// mount_setattr(2), open_tree_attr(2)
		{name: "clear read-only", call: "mount_setattr", args: [6]uint64{cwd, pathAt, 0, attrAt, 32},
			want: Call{Operation: SetAttr, Target: at("/data"), Drops: ReadOnly}},
		{name: "set again what is cleared", call: "mount_setattr", args: [6]uint64{4, emptyAt, unix.AT_EMPTY_PATH | unix.AT_RECURSIVE, dropsROX, 32},
			want: Call{Operation: SetAttr, Flags: 0x9000, Target: Path{Dir: 4, Empty: true}, Drops: ReadOnly, Recursive: true}},
		{name: "of a symlink", call: "mount_setattr", args: [6]uint64{4, otherAt, unix.AT_SYMLINK_NOFOLLOW, attrAt, 32},
			want: Call{Operation: SetAttr, Flags: 0x100, Target: Path{Dir: 4, Name: "other", NoFollow: true}, Drops: ReadOnly}},
		{name: "clear nothing", call: "mount_setattr", args: [6]uint64{cwd, nowhere, 0, otherAt, 32}, memory: ram{otherAt: mountAttr(0xf, 0, "")},
			want: Call{Operation: SetAttr}},
		{name: "a longer struct", call: "mount_setattr", args: [6]uint64{cwd, pathAt, 0, otherAt, 40}, memory: ram{otherAt: mountAttr(0, 2, "\x00\x00\x00\x00\x00\x00\x00\x00")},
			want: Call{Operation: SetAttr, Target: at("/data"), Drops: NoSUID}},
		{name: "a longer struct that isn't empty", call: "mount_setattr", args: [6]uint64{cwd, pathAt, 0, otherAt, 40}, memory: ram{otherAt: mountAttr(0, 2, "\x00\x00\x00\x00\x00\x00\x00\x01")},
			want: Call{Operation: SetAttr}, errno: unix.E2BIG},
		{name: "a struct of a page and a byte", call: "mount_setattr", args: [6]uint64{cwd, pathAt, 0, nowhere, page + 1}, want: Call{Operation: SetAttr}, errno: unix.E2BIG},
		{name: "a struct too short", call: "mount_setattr", args: [6]uint64{cwd, pathAt, 0, attrAt, 31}, want: Call{Operation: SetAttr}, errno: unix.EINVAL},
		{name: "a struct that ends early", call: "mount_setattr", args: [6]uint64{cwd, pathAt, 0, attrAt + 1, 32}, want: Call{Operation: SetAttr}, errno: unix.EFAULT},
		{name: "attributes of a mount", call: "open_tree_attr", args: [6]uint64{cwd, pathAt, 0, attrAt, 32},
			want: Call{Operation: SetAttr, Target: at("/data"), Drops: ReadOnly}},
		{name: "attributes of a copy", call: "open_tree_attr", args: [6]uint64{cwd, pathAt, unix.OPEN_TREE_CLONE | unix.AT_RECURSIVE, attrAt, 32},
			want: Call{Operation: CloneAttr, Flags: 0x8001, Target: at("/data"), Drops: ReadOnly, Recursive: true}},
		{name: "attributes of a tree that isn't copied", call: "open_tree_attr", args: [6]uint64{cwd, pathAt, unix.AT_RECURSIVE, attrAt, 32},
			want: Call{Operation: SetAttr, Flags: 0x8000}, errno: unix.EINVAL},
		{name: "open_tree_attr that is open_tree", call: "open_tree_attr", args: [6]uint64{cwd, pathAt, unix.OPEN_TREE_CLONE, 0, 0},
			want: Call{Operation: CloneAttr, Flags: 1}},
		{name: "open_tree_attr without attributes", call: "open_tree_attr", args: [6]uint64{cwd, pathAt, unix.OPEN_TREE_CLONE, 0, 32},
			want: Call{Operation: CloneAttr, Flags: 1}, errno: unix.EFAULT},

		// The others.
		{name: "fsopen", call: "fsopen", args: [6]uint64{typeAt, 1}, want: Call{Operation: OpenFS, Flags: 1, FS: "proc"}},
		{name: "fsopen nowhere", call: "fsopen", args: [6]uint64{nowhere, 0}, want: Call{Operation: OpenFS}, errno: unix.EFAULT},
		{name: "fsopen with other flags", call: "fsopen", args: [6]uint64{typeAt, 2}, want: Call{Operation: OpenFS, Flags: 2}, errno: unix.EINVAL},
		{name: "fsmount with other flags", call: "fsmount", args: [6]uint64{3, 2}, want: Call{Operation: MakeMount, FD: 3, Flags: 2}, errno: unix.EINVAL},
		{name: "fsmount", call: "fsmount", args: [6]uint64{3, 1, 0xf}, want: Call{Operation: MakeMount, Flags: 1, FD: 3}},
		{name: "fsconfig", call: "fsconfig", args: [6]uint64{3, 7 | 1<<32}, want: Call{Operation: Configure, FD: 3}},
		{name: "fspick", call: "fspick", args: [6]uint64{3, otherAt, unix.FSPICK_SYMLINK_NOFOLLOW},
			want: Call{Operation: Reconfigure, Flags: 2, Target: Path{Dir: 3, Name: "other", NoFollow: true}}},
		{name: "fspick of a descriptor", call: "fspick", args: [6]uint64{3, emptyAt, unix.FSPICK_EMPTY_PATH},
			want: Call{Operation: Reconfigure, Flags: 8, Target: Path{Dir: 3, Empty: true}}},
		{name: "fspick nowhere", call: "fspick", args: [6]uint64{3, nowhere, 0}, want: Call{Operation: Reconfigure, Target: Path{Dir: 3}}, errno: unix.EFAULT, asks: true},
		{name: "pivot_root", call: "pivot_root", args: [6]uint64{nowhere, nowhere}, want: Call{Operation: Pivot}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			memory := usual()
			maps.Copy(memory, c.memory)
			got, err := Decode(archAMD64, numberOf(t, archAMD64, c.call), c.args, memory)
			c.want.Name = c.call
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("call (-want +got):\n%s", diff)
			}
			var errno syscall.Errno
			errors.As(err, &errno)
			if errno != c.errno || (err != nil) != (c.errno != 0) {
				t.Errorf("error %v, want errno %v", err, c.errno)
			}
			if left := errors.Is(err, ErrKernelRefuses); left != (c.errno != 0 && !c.asks) {
				t.Errorf("the kernel may be left to refuse: %v", left)
			}
		})
	}
}

// numberOf returns a call's number as seccomp has it.
func numberOf(t *testing.T, arch uint32, name string) int32 {
	t.Helper()
	a, _ := abiOf(arch)
	for _, n := range calls() {
		if n.name == name && a.number(n) != absent {
			return int32(a.number(n))
		}
	}
	t.Fatalf("architecture %#x has no %s", arch, name)
	return 0
}

// Registers of 32 bits, and those of 64 in which the upper half says nothing.
func TestDecodeABIs(t *testing.T) {
	high := uint64(0xabcdef12_00000000)
	cases := []struct {
		name   string
		arch   uint32
		number int32
		args   [6]uint64
		want   Call
	}{
		{"i386 umount", archI386, 22, [6]uint64{pathAt | high, 2 | high}, Call{Name: "umount", Operation: Unmount, Target: at("/data")}},
		{"i386 umount2", archI386, 52, [6]uint64{pathAt | high, 2 | high}, Call{Name: "umount2", Operation: Unmount, Flags: 2, Target: at("/data")}},
		{"i386 mount", archI386, 21, [6]uint64{0, pathAt | high, 0, 0x1021 | high, high},
			Call{Name: "mount", Operation: Remount, Flags: 0x1021, Target: at("/data"), Drops: Lockable &^ ReadOnly}},
		{"i386 mount_setattr", archI386, 442, [6]uint64{0xffffff9c, pathAt, 0, attrAt, 32 | high},
			Call{Name: "mount_setattr", Operation: SetAttr, Target: at("/data"), Drops: ReadOnly}},
		{"arm mount", archARM, 21, [6]uint64{0, pathAt, 0, 0x1020 | high, 0},
			Call{Name: "mount", Operation: Remount, Flags: 0x1020, Target: at("/data"), Drops: Lockable}},
		{"arm64 umount2", archARM64, 39, [6]uint64{pathAt, 2 | high}, Call{Name: "umount2", Operation: Unmount, Flags: 2, Target: at("/data")}},
		{"x32 umount2", archAMD64, x32Bit | 166, [6]uint64{pathAt, 2 | high}, Call{Name: "umount2", Operation: Unmount, Flags: 2, Target: at("/data")}},
		{"x32 fspick", archAMD64, x32Bit | 433, [6]uint64{3 | high, pathAt, high}, Call{Name: "fspick", Operation: Reconfigure, Target: Path{Dir: 3, Name: "/data"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode(c.arch, c.number, c.args, usual())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("call (-want +got):\n%s", diff)
			}
		})
	}
}

// What the guard can't make sense of is no ErrKernelRefuses, and has no errno that
// the kernel would give.
func TestDecodeFailures(t *testing.T) {
	broken := errors.New("no such process")
	cases := []struct {
		name   string
		arch   uint32
		number int32
		args   [6]uint64
	}{
		{"another call", archAMD64, 0, [6]uint64{}},
		{"another ABI's number", archAMD64, 21, [6]uint64{}},
		{"x32's bit on i386", archI386, x32Bit | 21, [6]uint64{}},
		{"a negative number", archAMD64, -1, [6]uint64{}},
		{"another architecture", 0x80000016, 21, [6]uint64{}},
		{"fsconfig that creates", archAMD64, 431, [6]uint64{3, 6}},
		{"broken memory: path", archAMD64, 166, [6]uint64{pathAt}},
		{"broken memory: type", archAMD64, 165, [6]uint64{0, 0, typeAt}},
		{"broken memory: attributes", archAMD64, 442, [6]uint64{cwd, pathAt, 0, attrAt, 32}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(c.arch, c.number, c.args, brokenMemory{fmt.Errorf("%w: %w", broken, unix.ESRCH)})
			var errno syscall.Errno
			if err == nil || errors.Is(err, ErrKernelRefuses) || errors.As(err, &errno) {
				t.Fatalf("error %v (errno %d)", err, errno)
			}
			want := Verdict{Action: Refuse, Errno: syscall.EPERM, Rule: Internal}
			if got := Undecoded(err); got != want {
				t.Errorf("verdict %v, want %v", got, want)
			}
		})
	}
}

type brokenMemory struct{ err error }

func (b brokenMemory) Text(uint64, int) (string, error) { return "", b.err }
func (b brokenMemory) Read(uint64, []byte) error        { return b.err }
