package launcher

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"syscall"

	"berth/config"
	"berth/internal/kernel"
	"berth/profiles"
)

// maxFile is more than a container's file may have, in bytes.
const maxFile = 1<<20 + 1

// edited is a container's file with what is to take its place.
type edited struct {
	path  string // what symlinks lead to
	old   *os.File
	info  os.FileInfo // of old, when it was read
	data  []byte
	draft *os.File // beside it, with the new text
}

// edit changes settings in the text of the file that a container was started from.
func (s *State) edit(settings []config.Setting) (*edited, error) {
	path, err := s.file()
	if err != nil {
		return nil, cannot("find the container's file", err)
	}
	e := &edited{path: path}
	if e.old, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_NOFOLLOW, 0); err != nil {
		return nil, cannot("change the container's file", err)
	}
	if err = e.apply(settings, s.Container.Profile); err == nil {
		err = e.write()
	}
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// file is the path of what the container was started from, as its berth would find
// it now.
func (s *State) file() (string, error) {
	path := s.Container.File
	if !filepath.IsAbs(path) {
		dir, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(s.Supervisor.PID), "cwd"))
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, path)
	}
	return filepath.EvalSymlinks(path)
}

func (e *edited) apply(settings []config.Setting, profile string) (err error) {
	if e.info, err = e.old.Stat(); err != nil {
		return cannot("change the container's file", err)
	}
	if !e.info.Mode().IsRegular() {
		return fmt.Errorf("cannot change %q: not a regular file", e.path)
	}
	if e.data, err = io.ReadAll(io.LimitReader(e.old, maxFile)); err != nil {
		return cannot("change the container's file", err)
	}
	for _, s := range settings {
		if err := e.set(s, profile); err != nil {
			return err
		}
	}
	return nil
}

// set changes one setting so that the container's next start comes to the value. Where
// a profile has a list of the same name, that needs a reset.
func (e *edited) set(s config.Setting, profile string) error {
	reset := s
	reset.Values = append([]string{""}, s.Values...)
	for _, written := range []config.Setting{s, reset} {
		data, err := config.Edit(e.path, e.data, written)
		if err != nil {
			return err
		}
		c, err := config.Parse(e.path, data, config.Overrides{Name: "x", Profile: profile, Table: settingTable})
		var wrong config.Errors
		if errors.As(err, &wrong) && c == nil {
			return wrong
		}
		_ = applyProfile(c, profiles.Default()) // what is wrong there has been so before
		if i := slices.IndexFunc(c.Resources, func(r config.Setting) bool { return r.Name == s.Name }); i >= 0 && sameEffect(c.Resources[i], s) {
			e.data = data
			return nil
		}
	}
	return fmt.Errorf("cannot change %q: its profile has more of %s than a file can undo", e.path, s.Name)
}

// sameEffect tells whether two settings of one name come to the same on a unit that
// has nothing of it.
func sameEffect(a, b config.Setting) bool {
	setting, err := lookupResource(a.Name)
	if err != nil {
		return false
	}
	x, errX := setting.Convert(setting.Replacing(a.Values))
	y, errY := setting.Convert(setting.Replacing(b.Values))
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// write puts the new text beside the old one.
func (e *edited) write() (err error) {
	e.draft, err = os.CreateTemp(filepath.Dir(e.path), "."+filepath.Base(e.path)+".*")
	if err == nil {
		err = e.fill(e.draft)
	}
	if err != nil {
		return cannot("change the container's file", err)
	}
	return nil
}

// fill writes the text, with the owner, mode and attributes that the old file has.
func (e *edited) fill(f *os.File) error {
	owner := e.info.Sys().(*syscall.Stat_t)
	if _, err := f.Write(e.data); err != nil {
		return err
	}
	if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
		return err
	}
	if err := f.Chmod(e.info.Mode()); err != nil {
		return err
	}
	if err := kernel.CopyXattrs(e.old, f); err != nil {
		return err
	}
	return f.Sync()
}

// replace puts the new text in the old one's place, all or nothing.
func (e *edited) replace() error {
	err := e.unchanged()
	if err == nil {
		err = os.Rename(e.draft.Name(), e.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(e.path))
	}
	if err != nil {
		return fmt.Errorf("cannot change %q: %w; the container itself is changed until it ends", e.path, err)
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// unchanged refuses to take away what somebody has written meanwhile.
func (e *edited) unchanged() error {
	now, err := os.Lstat(e.path)
	if err != nil {
		return err
	}
	if !os.SameFile(e.info, now) || now.Size() != e.info.Size() || !now.ModTime().Equal(e.info.ModTime()) {
		return errors.New("somebody else has changed it meanwhile")
	}
	return nil
}

func (e *edited) close() {
	e.old.Close()
	if e.draft != nil {
		e.draft.Close()
		_ = os.Remove(e.draft.Name()) // fails once it has the file's name
	}
}
