// Package nearest finds what a misspelt word was meant to be, for messages
// such as
//
//	unknown key, did you mean "MemoryMax"?
//
// It knows nothing about the words. It is for short lists of identifiers:
// each call compares the word with every candidate.
package nearest

import (
	"strings"
	"unicode/utf8"

	"github.com/agext/levenshtein"
)

// longest is the number of runes beyond which a word is no misspelling of an
// identifier, and comparing it would only cost time.
const longest = 64

// Word returns the candidate that word most likely stands for, and whether
// there is one. A candidate that differs only in case is the nearest there
// can be; otherwise a third of the letters may be wrong, at most three, case
// aside. Of equally near ones the first in known wins.
func Word(word string, known []string) (string, bool) {
	if len(word) > longest*utf8.UTFMax || utf8.RuneCountInString(word) > longest {
		return "", false
	}
	lower := strings.ToLower(word)
	best, distance := "", allowed(word)+1
	for _, candidate := range known {
		if strings.EqualFold(word, candidate) {
			return candidate, true
		}
		if d := levenshtein.Distance(lower, strings.ToLower(candidate), nil); d < distance {
			best, distance = candidate, d
		}
	}
	return best, best != ""
}

// allowed is the number of wrong letters with which a word is still taken for
// another one: none in a single letter, 1 in two to three, 2 in four to six, 3
// in longer words.
func allowed(word string) int {
	n := utf8.RuneCountInString(word)
	if n < 2 {
		return 0
	}
	return min((n+2)/3, 3)
}
