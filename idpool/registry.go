package idpool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// registryDir is where systemd-nsresourced (256 and later) notes the ranges it
// gave away. Its src/nsresourced/userns-registry.c links each user namespace's
// JSON record under its first user ID as uID.userns and its first group ID as
// gID.userns; later versions note ranges it delegated as uID.delegate and
// gID.delegate. In the IDs for containers all of them start a chunk.
const registryDir = "run/systemd/nsresource/registry"

// registry is that directory; its zero value one that does not exist.
type registry struct{ dir *os.File }

func (p Pool) openRegistry() (registry, error) {
	dir, err := os.Open(p.path(registryDir))
	if errors.Is(err, fs.ErrNotExist) {
		return registry{}, nil
	}
	return registry{dir}, err
}

func (r registry) close() {
	if r.dir != nil {
		r.dir.Close()
	}
}

// overlap is the entry of a chunk that b touches, as text, or "".
func (r registry) overlap(b Block) (string, error) {
	if r.dir == nil {
		return "", nil
	}
	for _, p := range b.pieces() {
		for _, format := range []string{"u%d.userns", "g%d.userns", "u%d.delegate", "g%d.delegate"} {
			name := fmt.Sprintf(format, p.chunk)
			err := unix.Faccessat(int(r.dir.Fd()), name, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW)
			if err == nil {
				return "systemd-nsresourced gave them away (" + filepath.Join(r.dir.Name(), name) + ")", nil
			}
			if err != unix.ENOENT {
				return "", &fs.PathError{Op: "faccessat", Path: filepath.Join(r.dir.Name(), name), Err: err}
			}
		}
	}
	return "", nil
}

// list is the ranges in the registry that hold IDs of the grid.
func (r registry) list(g grid) ([]Held, error) {
	if r.dir == nil {
		return nil, nil
	}
	names, err := r.dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []Held
	for _, name := range names {
		if !strings.HasPrefix(name, "u") || !strings.HasSuffix(name, ".userns") {
			continue
		}
		held, err := r.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // given back since
		}
		if err != nil {
			return nil, err
		}
		if held.Block.Base/chunkSize >= g.first {
			all = append(all, held)
		}
	}
	return all, nil
}

func (r registry) read(name string) (Held, error) {
	path := filepath.Join(r.dir.Name(), name)
	data, err := os.ReadFile(path)
	if err != nil {
		return Held{}, err
	}
	var record struct {
		Name        string
		Start, Size uint32
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return Held{}, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return Held{Block: Block{record.Start, record.Size}, Program: ProgramNSResourced, Owner: record.Name}, nil
}
