package sandbox

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"berth/internal/unitfile"
)

// maxLogFields is how many fields systemd takes.
const maxLogFields = 1024

// setLogExtraFields adds FIELD=VALUE.
func setLogExtraFields(s *Settings, _ *Setting, value string) error {
	if reset(&s.LogExtraFields, value) {
		return nil
	}
	words, err := words(value, unitfile.Unquote|unitfile.Unescape)
	if err != nil {
		return err
	}
	for _, word := range words {
		field, _, assigned := strings.Cut(word, "=")
		if !assigned || !isJournalField(field) || !utf8.ValidString(word) {
			return fmt.Errorf("must have fields such as NAME=VALUE, in capitals, not %q", word)
		}
	}
	list := slices.Concat(s.LogExtraFields, words)
	if len(list) > maxLogFields {
		return fmt.Errorf("cannot have more than %d fields", maxLogFields)
	}
	s.LogExtraFields = list
	return nil
}

// isJournalField is true for the names that systemd.journal-fields(7) leaves to
// users.
func isJournalField(name string) bool {
	upper := !strings.ContainsFunc(name, func(r rune) bool { return r >= 'a' && r <= 'z' })
	return upper && isVariable(name) && name[0] != '_' && len(name) <= 64
}

// setLogFilterPatterns adds one pattern, which may have blanks. The journal
// reads it: whether it is well-formed isn't looked at.
func setLogFilterPatterns(s *Settings, _ *Setting, value string) error {
	if reset(&s.LogFilterPatterns, value) {
		return nil
	}
	if value == "~" {
		return errors.New("lists nothing")
	}
	s.LogFilterPatterns = addNew(s.LogFilterPatterns, []string{value})
	return nil
}

const logLevels = "emerg alert crit err warning notice info debug"

func setLogLevelMax(s *Settings, _ *Setting, value string) error {
	return setPlace(&s.LogLevelMax, logLevels, value)
}

func setSyslogLevel(s *Settings, _ *Setting, value string) error {
	return setPlace(&s.SyslogLevel, logLevels, value)
}

func setSyslogFacility(s *Settings, _ *Setting, value string) error {
	return setPlace(&s.SyslogFacility, "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp "+
		"12 13 14 15 local0 local1 local2 local3 local4 local5 local6 local7", value)
}

// setPlace takes one of the words, or its place among them.
func setPlace(field **int, words, value string) error {
	word, err := wordOrNumber(words, value)
	if err != nil {
		return err
	}
	n := slices.Index(strings.Fields(words), word)
	*field = &n
	return nil
}

func setSyslogIdentifier(s *Settings, _ *Setting, value string) error {
	s.SyslogIdentifier = value
	return nil
}

func setSyslogLevelPrefix(s *Settings, _ *Setting, value string) error {
	on, err := unitfile.Boolean(value)
	if err != nil {
		return err
	}
	s.SyslogLevelPrefix = &on
	return nil
}

func setLogRateLimitInterval(s *Settings, _ *Setting, value string) error {
	usec, err := unitfile.Microseconds(value, 1e6)
	if err != nil {
		return fmt.Errorf("must be a time span such as 30s, not %q", value)
	}
	interval := time.Duration(min(usec, math.MaxInt64/1000)) * time.Microsecond
	s.LogRateLimitInterval = &interval
	return nil
}

func setLogRateLimitBurst(s *Settings, _ *Setting, value string) error {
	n, err := unitfile.Unsigned(value)
	if err != nil || n > math.MaxUint32 {
		return fmt.Errorf("must be a number such as 1000, not %q", value)
	}
	burst := uint(n)
	s.LogRateLimitBurst = &burst
	return nil
}
