package seccomp

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Cache keeps compiled programs in a directory, as compiling costs more than all
// else at a start. It is of use to no other program and may be removed at any
// time; without a usable directory everything works, and is compiled each time.
type Cache struct {
	Dir string // made when it isn't there, for the user that berth runs as alone; "": nothing is kept
}

const (
	maxCached = 64             // files, beyond which the oldest are removed
	touched   = 24 * time.Hour // a file that is used is made young after this time
	maxSize   = 1 << 20        // bytes, of a file
	format    = "berth seccomp 1\n"
)

// Load returns the programs for layers: from the cache, or else compiled and
// validated, and cached. Files are trusted that belong to the user berth runs as,
// root, and that no other may write, in a directory of which the same holds. A
// file that is damaged counts for nothing.
func (c Cache) Load(layers []Layer) ([]Program, error) {
	path := ""
	if c.Dir != "" {
		path = c.file(layers)
		if programs, err := read(path); err == nil {
			return programs, nil
		}
	}
	programs, err := Compile(layers)
	if err != nil {
		return nil, err
	}
	if err := Validate(programs); err != nil {
		return nil, err
	}
	if path != "" {
		_ = c.store(path, programs) // if it fails, the next start compiles again
	}
	return programs, nil
}

// file is where the programs for layers are kept.
func (c Cache) file(layers []Layer) string {
	return filepath.Join(c.Dir, key(compiler("/proc/self/exe"), layers))
}

// compiler tells one berth from another: the cache outlives an update, and what
// the older one compiled may be what the newer one was to mend. It is the file of
// the program, by its inode, its size in bytes and the time of its last change in
// nanoseconds.
func compiler(program string) [3]uint64 {
	var stat syscall.Stat_t
	if err := syscall.Stat(program, &stat); err != nil {
		return [3]uint64{} // without /proc
	}
	return [3]uint64{stat.Ino, uint64(stat.Size), uint64(stat.Ctim.Nano())}
}

// key names what the programs of layers depend on: the layers, and what compiles
// them.
func key(compiler [3]uint64, layers []Layer) string {
	major, minor, micro := libseccomp.GetLibraryVersion()
	local, _ := localABIs() // the error is Compile's
	b := appendString(nil, format)
	b = appendNumbers(b, compiler[:]...)
	b = appendNumbers(b, uint64(major), uint64(minor), uint64(micro), uint64(len(local)))
	for _, a := range local {
		b = appendString(b, a.name)
	}
	b = appendString(b, callTable)
	for _, l := range layers {
		b = l.appendTo(b)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// appendTo appends all of a layer, each part with its length.
func (l Layer) appendTo(b []byte) []byte {
	for _, s := range []string{l.Name, string(l.Default), string(l.Unknown), string(l.Foreign)} {
		b = appendString(b, s)
	}
	b = appendNumbers(b, uint64(len(l.Archs)), uint64(len(l.Rules)))
	for _, a := range l.Archs {
		b = appendString(b, a)
	}
	for _, r := range l.Rules {
		b = appendString(b, r.Call)
		b = appendString(b, string(r.Action))
		b = appendNumbers(b, uint64(len(r.Args)))
		for _, c := range r.Args {
			b = appendString(b, string(c.Op))
			b = appendNumbers(b, uint64(c.Arg), c.Mask, c.Value)
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(appendNumbers(b, uint64(len(s))), s...)
}

func appendNumbers(b []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// read returns the programs of a file of the cache.
func read(path string) ([]Program, error) {
	dir, err := os.Lstat(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !dir.IsDir() || !ours(dir) || !info.Mode().IsRegular() || !ours(info) || info.Size() > maxSize {
		return nil, fs.ErrPermission
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	programs, err := decode(data)
	if err == nil && time.Since(info.ModTime()) > touched {
		now := time.Now()
		_ = os.Chtimes(path, now, now)
	}
	return programs, err
}

// ours tells whether only the user that berth runs as may write a file.
func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&0o022 == 0
}

// store writes programs so that others see all of the file or nothing. It isn't
// brought to the disk: what a crash leaves of it is found damaged.
func (c Cache) store(path string, programs []Program) error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	if info, err := os.Lstat(c.Dir); err != nil || !info.IsDir() || !ours(info) {
		return fs.ErrPermission
	}
	f, err := os.CreateTemp(c.Dir, ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(encode(programs))
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return c.prune()
}

// prune removes the oldest files, also those that a crash left half written.
func (c Cache) prune() error {
	entries, err := os.ReadDir(c.Dir)
	if err != nil || len(entries) <= maxCached {
		return err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // else another berth removed it
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, f := range files[min(maxCached, len(files)):] {
		_ = os.Remove(filepath.Join(c.Dir, f.Name()))
	}
	return nil
}

// encode puts programs into a file: the format, a checksum of what follows, and of
// each program its flags, its name and its code.
func encode(programs []Program) []byte {
	var body []byte
	for _, p := range programs {
		body = binary.LittleEndian.AppendUint32(body, p.Flags)
		for _, field := range [][]byte{[]byte(p.Name), p.Code} {
			body = binary.LittleEndian.AppendUint32(body, uint32(len(field)))
			body = append(body, field...)
		}
	}
	return seal(body)
}

func seal(body []byte) []byte {
	sum := sha256.Sum256(body)
	return slices.Concat([]byte(format), sum[:], body)
}

// decode is the reverse of encode.
func decode(data []byte) ([]Program, error) {
	damaged := fmt.Errorf("damaged")
	rest, ok := bytes.CutPrefix(data, []byte(format))
	if !ok || len(rest) < sha256.Size {
		return nil, damaged
	}
	body := rest[sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], rest[:sha256.Size]) {
		return nil, damaged
	}
	var programs []Program
	for len(body) > 0 {
		var flags uint32
		var fields [2][]byte
		if flags, body, ok = cutNumber(body); !ok {
			return nil, damaged
		}
		for i := range fields {
			var n uint32
			if n, body, ok = cutNumber(body); !ok || uint64(n) > uint64(len(body)) {
				return nil, damaged
			}
			fields[i], body = body[:n:n], body[n:]
		}
		programs = append(programs, Program{Name: string(fields[0]), Code: fields[1], Flags: flags})
	}
	return programs, nil
}

func cutNumber(b []byte) (uint32, []byte, bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint32(b), b[4:], true
}
