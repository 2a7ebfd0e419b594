package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"berth/internal/nearest"
)

// optionGroups returns the options that a type of mount takes, as mount(8) has
// them; of each group one at most can hold. A word that ends in "=" takes a
// value.
func optionGroups(mountType string) [][]string {
	groups := [][]string{
		{"nosuid", "suid"},
		{"nodev", "dev"},
		{"noexec", "exec"},
		{"noatime", "relatime", "strictatime"},
		{"nodiratime"},
		{"nosymfollow"},
	}
	switch mountType {
	case "bind":
		return append(groups, []string{"rbind", "norbind"})
	case "tmpfs":
		return append(groups, []string{"size="}, []string{"mode="}, []string{"nr_inodes="})
	default:
		return groups
	}
}

// mountOptions takes an array of options, all for this type of mount and none
// at odds with another. Values are kept in the kernel's syntax.
func mountOptions(m *Mount) decoder {
	return func(n node) {
		elements, ok := n.elements()
		if !ok {
			n.mismatch("an array of strings")
			return
		}
		if m.Type == "" {
			return // which is an error of its own
		}
		groups, taken := optionGroups(m.Type), make(map[int]string)
		for _, e := range elements {
			option, group, ok := e.mountOption(groups)
			if !ok {
				continue
			}
			if other, set := taken[group]; set {
				e.fail("%s cannot stand beside %s", quote(option), quote(other))
				continue
			}
			taken[group] = option
			m.Options = append(m.Options, option)
		}
	}
}

// mountOption reads one option and finds the group that it belongs to.
func (n node) mountOption(groups [][]string) (option string, group int, ok bool) {
	option, ok = n.value.(string)
	if !ok {
		n.mismatch("a string")
		return "", 0, false
	}
	word, value, hasValue := strings.Cut(option, "=")
	if hasValue {
		word += "="
	}
	group = slices.IndexFunc(groups, func(g []string) bool { return slices.Contains(g, word) })
	if group < 0 {
		n.fail("%s", unknownOption(word, slices.Concat(groups...)))
		return "", 0, false
	}
	if !hasValue {
		return option, group, true
	}
	value, err := optionValue(word, value)
	if err != nil {
		n.fail("%s: %v", option[:len(word)-1], err)
		return "", 0, false
	}
	return word + value, group, true
}

func unknownOption(word string, known []string) string {
	if slices.Contains(known, word+"=") {
		return quote(word) + " needs a value"
	}
	if near, ok := nearest.Word(word, known); ok {
		return quote(word) + " is no option of this type of mount, did you mean " + quote(near) + "?"
	}
	return quote(word) + " is no option of this type of mount"
}

// optionValue returns the value of a tmpfs option as the kernel reads it. A
// size or a count of 0 would mean no limit at all, so it is refused.
func optionValue(word, value string) (string, error) {
	switch word {
	case "mode=":
		mode, err := strconv.ParseUint(value, 8, 16)
		if err != nil || mode > 0o7777 {
			return "", fmt.Errorf("%s is no mode, as 1777 is", quote(value))
		}
		return fmt.Sprintf("%#o", mode), nil
	case "size=":
		if percent, ok := strings.CutSuffix(value, "%"); ok {
			return percentage(percent)
		}
	}
	size, err := ParseSize(value)
	if err != nil {
		return "", err
	}
	if size == 0 {
		return "", errors.New("must not be 0, which is no limit")
	}
	return strconv.FormatUint(size, 10), nil
}

func percentage(digits string) (string, error) {
	n, err := parseDigits(digits)
	if err != nil || n < 1 || n > 100 {
		return "", fmt.Errorf("%s must be from 1%% to 100%%", quote(digits+"%"))
	}
	return strconv.FormatUint(n, 10) + "%", nil
}

// safeDefaults puts nosuid and nodev before the options of a mount, each unless
// these have it or lift it.
func safeDefaults(options []string) []string {
	var defaults []string
	for _, flag := range []string{"suid", "dev"} {
		if !slices.Contains(options, flag) && !slices.Contains(options, "no"+flag) {
			defaults = append(defaults, "no"+flag)
		}
	}
	return append(defaults, options...)
}
