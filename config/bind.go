package config

import (
	"errors"
	"fmt"
	"strings"
)

// NewBind returns a bind mount as an entry of [[mounts]] with these values would be:
// checked, and with its defaults. An idMap of "" is not given. The error names what
// is wrong as the command line calls it.
//
//	m, err := NewBind("/srv/www", "/srv/www", true, "", []string{"noexec"})
func NewBind(source, target string, readOnly bool, idMap string, options []string) (Mount, error) {
	entry := map[string]any{"type": "bind", "source": source, "target": target, "read_only": readOnly}
	if idMap != "" {
		entry["idmap"] = idMap
	}
	words := make([]any, len(options))
	for i, o := range options {
		words[i] = o
	}
	entry["options"] = words

	d := &document{tables: containerTables, positions: map[string]Position{}, given: map[string]bool{}}
	var mounts []Mount
	each(&mounts, mountFields)(node{d, "mounts", []any{entry}})
	completeMounts(d, mounts)
	var wrong []string
	for _, e := range d.errs {
		wrong = append(wrong, bindArgument(e.Key)+" "+e.Msg)
	}
	if len(wrong) > 0 {
		return Mount{}, errors.New(strings.Join(wrong, "; "))
	}
	return mounts[0], nil
}

// bindArgument is what a key of the entry is on the command line.
func bindArgument(key string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(key, "mounts[0]."), "[")
	switch name {
	case "source", "target":
		return strings.ToUpper(name) + ":"
	case "options":
		return "--option:"
	}
	return fmt.Sprintf("--%s:", name)
}
