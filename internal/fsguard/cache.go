package fsguard

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// cacheName is of the one file that is kept: a machine runs one kernel.
const cacheName = "kernel-layout.json"

const maxCache = 4096 // bytes

// cached is what the file holds.
type cached struct {
	Format int    `json:"format"` // cacheFormat
	Kernel string `json:"kernel"`
	Places places `json:"places"`
}

// cacheFormat counts what changes about the file or the places.
const cacheFormat = 1

// read returns what was kept for a kernel. A file is trusted that belongs to the
// user berth runs as, root, and that no other may write, in a directory of which
// the same holds.
func (l Layout) read(kernel string) (places, error) {
	if l.Dir == "" || kernel == "" {
		return places{}, fs.ErrNotExist
	}
	dir, err := os.Lstat(l.Dir)
	if err != nil {
		return places{}, err
	}
	f, err := os.OpenFile(filepath.Join(l.Dir, cacheName), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return places{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return places{}, err
	}
	if !dir.IsDir() || !ours(dir) || !info.Mode().IsRegular() || !ours(info) || info.Size() > maxCache {
		return places{}, fs.ErrPermission
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return places{}, err
	}
	var c cached
	if err := json.Unmarshal(data, &c); err != nil {
		return places{}, err
	}
	if c.Format != cacheFormat || c.Kernel != kernel {
		return places{}, fmt.Errorf("of another kernel")
	}
	return c.Places, c.Places.check()
}

// check refuses what can't have been read from BTF.
func (p places) check() error {
	pointers := p.Leader > 0 && p.Memory > 0 && p.Inode > 0 && p.SuperBlock > 0 && p.Magic > 0
	aligned := (p.Leader|p.Memory|p.Inode|p.SuperBlock|p.Magic)%8 == 0 && p.Flags%4 == 0
	if p.Hook == 0 || !pointers || p.Flags <= 0 || !aligned {
		return fmt.Errorf("damaged")
	}
	return nil
}

// ours tells whether only the user that berth runs as may write a file.
func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&0o022 == 0
}

// store writes the file so that others see all of it or nothing. It isn't brought
// to the disk: what a crash leaves of it is no JSON.
func (l Layout) store(kernel string, p places) error {
	if l.Dir == "" {
		return nil
	}
	data, err := json.Marshal(cached{cacheFormat, kernel, p})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return err
	}
	if info, err := os.Lstat(l.Dir); err != nil || !info.IsDir() || !ours(info) {
		return fs.ErrPermission
	}
	f, err := os.CreateTemp(l.Dir, ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(l.Dir, cacheName))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
