package learn

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Recording is what a program and its children did, in the words of the settings.
// Its lists are sorted and without duplicates.
type Recording struct {
	Format int    `json:"format"` // currentFormat
	Name   string `json:"name"`   // the container's

	// By the ABI's name, as SystemCallArchitectures= has it, the names of system
	// calls. A call without a name is its number.
	Calls map[string][]string `json:"calls"`
	// Refused are those that never did anything but fail with EPERM or ENOSYS.
	Refused map[string][]string `json:"refused,omitempty"`

	Families   []string `json:"families"`   // AF_UNIX …, of sockets that were made
	Namespaces []string `json:"namespaces"` // made or entered: cgroup, ipc, net, mnt, pid, user, uts, time; "any"

	// Capabilities that mattered, and the system calls for which they did. Null:
	// nobody could tell.
	Capabilities map[string][]string `json:"capabilities"`

	// Forbidden has, by setting, what was done that it forbids, in words.
	Forbidden map[string][]string `json:"forbidden,omitempty"`

	Bound []string `json:"bound,omitempty"` // "tcp:80"
	Files []File   `json:"files"`
	Lost  int      `json:"lost,omitempty"` // what could not be kept
}

// currentFormat is that of the JSON.
const currentFormat = 1

// File is how a file was used, without symlinks in its path. Of files that no
// setting cares about, there is none.
type File struct {
	Path string   `json:"path"`
	Kind string   `json:"kind,omitempty"` // "" file, directory, device, missing
	Use  []string `json:"use"`            // words below
}

// How a file is used.
const (
	Read    = "read"
	Write   = "write"   // of what is in it, or its mode, owner …
	Entries = "entries" // of a directory: made, removed or renamed
	Execute = "execute" // the program itself, or its interpreter
	Map     = "map"     // as executable memory
	Others  = "others"  // in /proc: the process of another user
)

// Parse reads a recording's JSON.
func Parse(data []byte) (Recording, error) {
	var r Recording
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("is no recording: %v", err)
	}
	if r.Format != currentFormat {
		return r, fmt.Errorf("is a recording of format %d, this berth reads format %d", r.Format, currentFormat)
	}
	return r, nil
}

// JSON is the recording for Parse.
func (r Recording) JSON() ([]byte, error) {
	r.Format = currentFormat
	data, err := json.MarshalIndent(r, "", "\t")
	return append(data, '\n'), err
}

// Merge returns a recording of all that any of them has. The name is the first
// one's.
func Merge(all ...Recording) Recording {
	merged := Recording{Format: currentFormat, Capabilities: map[string][]string{}}
	if len(all) > 0 {
		merged.Name = all[0].Name
	}
	var files []File
	for _, r := range all {
		merged.Calls = mergeLists(merged.Calls, r.Calls)
		merged.Refused = mergeLists(merged.Refused, r.Refused)
		merged.Forbidden = mergeLists(merged.Forbidden, r.Forbidden)
		merged.Families = union(merged.Families, r.Families)
		merged.Namespaces = union(merged.Namespaces, r.Namespaces)
		merged.Bound = union(merged.Bound, r.Bound)
		merged.Lost += r.Lost
		files = append(files, r.Files...)
		if r.Capabilities == nil {
			merged.Capabilities = nil
		} else if merged.Capabilities != nil {
			merged.Capabilities = mergeLists(merged.Capabilities, r.Capabilities)
		}
	}
	merged.Files = MergeFiles(files)
	for abi, calls := range merged.Refused { // in all of them
		merged.Refused[abi] = slices.DeleteFunc(calls, func(c string) bool { return slices.Contains(merged.Calls[abi], c) })
	}
	return merged
}

// MergeFiles makes one of those with the same path, and sorts them.
func MergeFiles(files []File) []File {
	byPath := map[string]File{}
	for _, f := range files {
		known, ok := byPath[f.Path]
		if ok {
			f.Use = union(known.Use, f.Use)
			if f.Kind == "missing" || f.Kind == "" {
				f.Kind = known.Kind
			}
		}
		f.Use = union(f.Use)
		byPath[f.Path] = f
	}
	merged := make([]File, 0, len(byPath))
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		merged = append(merged, byPath[path])
	}
	return merged
}

func mergeLists(a, b map[string][]string) map[string][]string {
	merged := map[string][]string{}
	for _, m := range []map[string][]string{a, b} {
		for key, list := range m {
			merged[key] = union(merged[key], list)
		}
	}
	return merged
}

// union returns what is in any of the lists, sorted.
func union(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// used tells whether a file was used in one of these ways.
func (f File) used(ways ...string) bool {
	return slices.ContainsFunc(ways, func(w string) bool { return slices.Contains(f.Use, w) })
}
