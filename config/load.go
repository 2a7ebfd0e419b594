package config

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Load reads the file at path. Where the file is TOML but not right, it
// returns Errors together with a Container that holds what was right, of use
// only for finding further errors. Where it is no TOML, that is Errors as well
// but without a Container, as is the error of a file that cannot be read.
func Load(path string, o Overrides) (*Container, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(path, err)
	}
	defer f.Close()
	data, err := readFile(f)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, o)
}

// Parse is Load for a file already read. The file's name gives the container's
// name where nothing else does, and stands in positions.
func Parse(file string, data []byte, o Overrides) (*Container, error) {
	d, err := parse(file, data, containerTables)
	var wrong Error
	if errors.As(err, &wrong) {
		return nil, Errors{wrong}
	}
	o.apply(d)

	c := &Container{File: file, Users: Users{MapRoot: true}, positions: d.positions}
	containerFields(c).decode(node{doc: d, value: d.values})
	c.complete(d)
	return c, d.err()
}

// readFile reads one byte more than Parse accepts at most.
func readFile(f *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, cannotRead(f.Name(), err)
	}
	return data, nil
}

func cannotRead(path string, err error) error {
	return fmt.Errorf("cannot read %q: %w", path, cause(err))
}

// cause is an error of package os without the path, which the message has.
func cause(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
