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
	path string // what symlinks lead to
	old  *os.File
	info os.FileInfo // of old, when it was read
	data []byte
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
	if err := e.apply(settings, s.Container.Profile); err != nil {
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

// replace puts the new text in the old one's place, all or nothing, with the same
// owner, mode and attributes.
func (e *edited) replace() error {
	if err := e.write(); err != nil {
		return fmt.Errorf("cannot change %q: %w; the container itself is changed until it ends", e.path, err)
	}
	return nil
}

func (e *edited) write() error {
	dir := filepath.Dir(e.path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(e.path)+".*")
	if err != nil {
		return err
	}
	defer f.Close()
	defer os.Remove(f.Name()) // fails once it has its name
	if err := e.fill(f); err != nil {
		return err
	}
	if err := e.unchanged(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), e.path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

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

func (e *edited) close() { e.old.Close() }
