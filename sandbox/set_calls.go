package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"berth/internal/unitfile"
	"berth/sandbox/seccomp"
)

// setSystemCallFilter adds calls and groups, each with an error where the list is
// one of denied calls.
func setSystemCallFilter(s *Settings, _ *Setting, value string) error {
	if reset(&s.SystemCallFilter, value) {
		return nil
	}
	entries, err := filterEntries(value)
	if err != nil {
		return err
	}
	s.SystemCallFilter = slices.Concat(s.SystemCallFilter, entries)
	return nil
}

func setSystemCallLog(s *Settings, _ *Setting, value string) error {
	if reset(&s.SystemCallLog, value) {
		return nil
	}
	entries, err := filterEntries(value)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Errno != "" {
			return fmt.Errorf("takes no error number: %q", e.Name+":"+e.Errno)
		}
	}
	s.SystemCallLog = slices.Concat(s.SystemCallLog, entries)
	return nil
}

func filterEntries(value string) ([]FilterEntry, error) {
	list, deny := inverted(value)
	words, err := words(list, 0)
	if err != nil {
		return nil, err
	}
	var entries []FilterEntry
	for _, word := range words {
		name, errno, hasErrno := strings.Cut(word, ":")
		if err := seccomp.CheckCall(name); err != nil {
			return nil, err
		}
		e := FilterEntry{Deny: deny, Name: name}
		if hasErrno {
			if !deny {
				return nil, fmt.Errorf("cannot take an error number for what is allowed: %q", word)
			}
			if e.Errno, err = errnoName(errno); err != nil {
				return nil, err
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// setSystemCallErrorNumber takes an error's name or number, or "kill".
func setSystemCallErrorNumber(s *Settings, _ *Setting, value string) error {
	if value == "" || value == "kill" {
		s.SystemCallErrorNumber = 0
		return nil
	}
	number, err := errno(value)
	if err != nil {
		return err
	}
	s.SystemCallErrorNumber = number
	return nil
}

// errnoName reads an error's name or number, or "kill", and returns the name
// where there is one.
func errnoName(word string) (string, error) {
	if word == "kill" {
		return word, nil
	}
	n, err := errno(word)
	if err != nil {
		return "", err
	}
	return string(errnoAction(syscall.Errno(n))), nil
}

// errno reads an error's name, in any case, or its number.
func errno(word string) (int, error) {
	const last, largest = 133, 4095 // EHWPOISON; the kernel's MAX_ERRNO
	switch strings.ToUpper(word) {  // second names
	case "EWOULDBLOCK":
		return int(unix.EAGAIN), nil
	case "EDEADLOCK":
		return int(unix.EDEADLK), nil
	case "ENOTSUP":
		return int(unix.EOPNOTSUPP), nil
	}
	var known []string
	for n := 1; n <= last; n++ {
		name := unix.ErrnoName(syscall.Errno(n))
		if strings.EqualFold(name, word) && name != "" {
			return n, nil
		}
		known = append(known, name)
	}
	n, err := unitfile.Integer(word, 1, largest)
	if errors.Is(err, unitfile.ErrRange) {
		return 0, fmt.Errorf("must be an error number from 1 to %d, not %q", largest, word)
	}
	if err != nil {
		return 0, unknown("error", word, known)
	}
	return n, nil
}

func setSystemCallArchitectures(s *Settings, _ *Setting, value string) error {
	if reset(&s.SystemCallArchitectures, value) {
		return nil
	}
	words, err := words(value, unitfile.Unquote)
	if err != nil {
		return err
	}
	for _, word := range words {
		if err := seccomp.CheckArchitecture(word); err != nil {
			return err
		}
	}
	s.SystemCallArchitectures = addNew(s.SystemCallArchitectures, words)
	return nil
}

// addNew adds the words that a list doesn't have yet.
func addNew(list, words []string) []string {
	list = slices.Clone(list)
	for _, word := range words {
		if !slices.Contains(list, word) {
			list = append(list, word)
		}
	}
	return list
}

// family reads a name in any case, and resolves second names: what is merged must
// have one name.
func family(word string) (string, error) {
	name := strings.ToUpper(word)
	switch name {
	case "AF_LOCAL", "AF_FILE":
		name = "AF_UNIX"
	case "AF_ROUTE":
		name = "AF_NETLINK"
	case "AF_DECNET":
		name = "AF_DECnet"
	}
	return name, seccomp.CheckFamily(name)
}

// setAddressFamilies merges families. "none" allows no family, and what follows
// it begins anew.
func setAddressFamilies(s *Settings, _ *Setting, value string) error {
	switch value {
	case "":
		s.RestrictAddressFamilies = CallList{}
		return nil
	case "none":
		s.RestrictAddressFamilies = CallList{Set: true, Allow: true}
		return nil
	}
	list, invert := inverted(value)
	words, err := words(list, unitfile.Unquote)
	if err != nil {
		return err
	}
	for i, word := range words {
		if words[i], err = family(word); err != nil {
			return err
		}
	}
	s.RestrictAddressFamilies.merge(words, invert)
	return nil
}

// namespaceTypes are those of namespaces(7), as RestrictNamespaces= names them.
var namespaceTypes = [...]struct {
	name string
	flag uint64
}{
	{"cgroup", unix.CLONE_NEWCGROUP}, {"ipc", unix.CLONE_NEWIPC}, {"net", unix.CLONE_NEWNET}, {"mnt", unix.CLONE_NEWNS},
	{"pid", unix.CLONE_NEWPID}, {"user", unix.CLONE_NEWUSER}, {"uts", unix.CLONE_NEWUTS}, {"time", unix.CLONE_NEWTIME},
}

// setNamespaces takes a boolean, which ignores what was before, or types.
func setNamespaces(s *Settings, _ *Setting, value string) error {
	if value == "" {
		s.RestrictNamespaces = Namespaces{}
		return nil
	}
	all, known := uint64(0), []string{}
	for _, t := range namespaceTypes {
		all |= t.flag
		known = append(known, t.name)
	}
	if on, err := unitfile.Boolean(value); err == nil {
		s.RestrictNamespaces = Namespaces{Set: true, Allowed: all}
		if on {
			s.RestrictNamespaces.Allowed = 0
		}
		return nil
	}
	list, invert := inverted(value)
	words, err := words(list, 0)
	if err != nil {
		return err
	}
	var flags uint64
	for _, word := range words {
		i := slices.Index(known, word)
		if i < 0 {
			return unknown("type of namespace", word, known)
		}
		flags |= namespaceTypes[i].flag
	}
	n := &s.RestrictNamespaces
	switch {
	case !n.Set && invert:
		n.Allowed = all &^ flags
	case !n.Set:
		n.Allowed = flags
	case invert:
		n.Allowed &^= flags
	default:
		n.Allowed |= flags
	}
	n.Set = true
	return nil
}

func setFileSystems(s *Settings, _ *Setting, value string) error {
	if value == "" {
		s.RestrictFileSystems = CallList{}
		return nil
	}
	list, invert := inverted(value)
	words, err := words(list, unitfile.Unquote)
	if err != nil {
		return err
	}
	types, err := fileSystemTypes(words)
	if err != nil {
		return err
	}
	s.RestrictFileSystems.merge(types, invert)
	return nil
}
