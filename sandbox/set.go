package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"berth/internal/nearest"
	"berth/internal/unitfile"
)

// setFlag is for a boolean.
func setFlag(s *Settings, d *Setting, value string) error {
	on, err := unitfile.Boolean(value)
	if err != nil {
		return err
	}
	*d.flag(s) = on
	return nil
}

// setFlagOrReset is for a boolean whose empty assignment resets it.
func setFlagOrReset(s *Settings, d *Setting, value string) error {
	if value == "" {
		*d.flag(s) = false
		return nil
	}
	return setFlag(s, d, value)
}

// setWord is for one of d.words. Where these begin with no and yes, any boolean
// is taken too; "connected=yes" is a second name of yes.
func setWord(s *Settings, d *Setting, value string) error {
	word, err := oneWord(d.words, value)
	if err != nil {
		return err
	}
	*d.word(s) = word
	return nil
}

func oneWord(words, value string) (string, error) {
	if strings.HasPrefix(words, "no yes") {
		if on, err := unitfile.Boolean(value); err == nil {
			value = "no"
			if on {
				value = "yes"
			}
		}
	}
	var known []string
	for word := range strings.FieldsSeq(words) {
		name, meaning, second := strings.Cut(word, "=")
		if name != value {
			known = append(known, name)
			continue
		}
		if second {
			return meaning, nil
		}
		return name, nil
	}
	return "", fmt.Errorf("must be %s, not %q", oneOf(known), value)
}

func oneOf(words []string) string {
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " or " + words[n]
}

// number reads an integer.
func number(value string, low, high int) (int, error) {
	n, err := unitfile.Integer(value, low, high)
	if err != nil {
		return 0, fmt.Errorf("must be a number from %d to %d, not %q", low, high, value)
	}
	return n, nil
}

// unknown is for a word that isn't in a list.
func unknown(what, word string, known []string) error {
	if near, ok := nearest.Word(word, known); ok {
		return fmt.Errorf("unknown %s %q, did you mean %q?", what, word, near)
	}
	return fmt.Errorf("unknown %s %q", what, word)
}

// merge is how lists with a leading "~" come together: the first assignment says
// whether it lists what is allowed or what is denied; later ones of that kind add
// words, those of the other kind take them away.
func (l *CallList) merge(words []string, invert bool) {
	if l.Names == nil {
		l.Set, l.Allow, l.Names = true, !invert, []string{}
	}
	for _, word := range words {
		listed := slices.Contains(l.Names, word)
		switch {
		case l.Allow != invert && !listed:
			l.Names = append(slices.Clip(l.Names), word)
		case l.Allow == invert && listed:
			l.Names = slices.DeleteFunc(slices.Clone(l.Names), func(n string) bool { return n == word })
		}
	}
}

// restricts is false for a list that lets everything pass.
func (l CallList) restricts() bool { return l.Set && (l.Allow || len(l.Names) > 0) }

// inverted takes a leading "~" off.
func inverted(value string) (rest string, invert bool) {
	rest, invert = strings.CutPrefix(value, "~")
	return rest, invert
}

// words are those of a value, which must have at least one.
func words(value string, mode unitfile.Mode) ([]string, error) {
	list, err := unitfile.Split(value, mode)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("lists nothing")
	}
	return list, nil
}

// reset is for a list whose empty assignment empties it.
func reset[T any](list *[]T, value string) bool {
	if value == "" {
		*list = nil
	}
	return value == ""
}
