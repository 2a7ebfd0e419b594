package units

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LogSettings are what journald does with all that a unit logs, however it comes
// to the journal: the settings of systemd.exec(5) that systemd itself passes on
// rather than enforces. The zero value asks for nothing.
type LogSettings struct {
	ExtraFields       []string `json:"extra_fields,omitempty"`           // FIELD=VALUE, added to every entry
	LevelMax          *int     `json:"level_max,omitempty"`              // 0 (emerg) to 7 (debug): less important entries are dropped
	RateLimitInterval uint64   `json:"rate_limit_interval_us,omitempty"` // microseconds; 0: journald's own
	RateLimitBurst    uint     `json:"rate_limit_burst,omitempty"`       // messages per interval; 0: journald's own
	FilterPatterns    []string `json:"filter_patterns,omitempty"`        // regular expressions; with "~" in front what matches is dropped. Since systemd 253
}

// logSettingsDir is where systemd leaves such settings for journald, by the name
// of the unit. For a scope, which can't have them, it neither writes nor removes
// anything there (src/core/unit.c, unit_export_state_files).
const logSettingsDir = "/run/systemd/units"

// logSettingsFiles are the names, before a colon and the unit's name.
const (
	extraFieldsFile       = "log-extra-fields"
	levelMaxFile          = "log-level-max"
	rateLimitIntervalFile = "log-rate-limit-interval"
	rateLimitBurstFile    = "log-rate-limit-burst"
)

// Export tells journald. It looks when it meets a process of the unit, and once a
// second then. What journald was told about the unit before is replaced;
// FilterPatterns are exported apart, since they stand at the unit's cgroup.
func (l LogSettings) Export(unit string) error { return l.export(logSettingsDir, unit) }

func (l LogSettings) export(dir, unit string) error {
	if err := removeLogSettings(dir, unit); err != nil {
		return err
	}
	links := map[string]string{}
	if l.LevelMax != nil {
		links[levelMaxFile] = strconv.Itoa(*l.LevelMax)
	}
	if l.RateLimitInterval > 0 {
		links[rateLimitIntervalFile] = strconv.FormatUint(l.RateLimitInterval, 10)
	}
	if l.RateLimitBurst > 0 {
		links[rateLimitBurstFile] = strconv.FormatUint(uint64(l.RateLimitBurst), 10)
	}
	for name, value := range links {
		if err := os.Symlink(value, logSettingsPath(dir, name, unit)); err != nil {
			return fmt.Errorf("cannot tell journald about %s: %w", unit, err)
		}
	}
	if len(l.ExtraFields) == 0 {
		return nil
	}
	path := logSettingsPath(dir, extraFieldsFile, unit)
	draft := path + ".new"
	err := os.WriteFile(draft, l.fields(), 0o644)
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		return fmt.Errorf("cannot tell journald about %s: %w", unit, err)
	}
	return nil
}

// fields writes each field behind its length, 64 bits, little endian.
func (l LogSettings) fields() []byte {
	var data []byte
	for _, f := range l.ExtraFields {
		data = binary.LittleEndian.AppendUint64(data, uint64(len(f)))
		data = append(data, f...)
	}
	return data
}

// Exported tells whether Export has anything to say.
func (l LogSettings) Exported() bool {
	return len(l.ExtraFields) > 0 || l.LevelMax != nil || l.RateLimitInterval > 0 || l.RateLimitBurst > 0
}

// ExportFilter tells journald about FilterPatterns by an extended attribute of
// the unit's cgroup, whose directory is given.
func (l LogSettings) ExportFilter(cgroup string) error {
	if len(l.FilterPatterns) == 0 {
		return nil
	}
	if err := unix.Lsetxattr(cgroup, "user.journald_log_filter_patterns", l.filter(), 0); err != nil {
		return fmt.Errorf("cannot tell journald which lines are wanted: setxattr %s: %w", cgroup, err)
	}
	return nil
}

// filter joins the patterns with NUL, and what is allowed and denied with 0xff.
func (l LogSettings) filter() []byte {
	var allowed, denied []string
	for _, pattern := range l.FilterPatterns {
		if rest, deny := strings.CutPrefix(pattern, "~"); deny {
			denied = append(denied, rest)
		} else {
			allowed = append(allowed, pattern)
		}
	}
	return []byte(strings.Join(allowed, "\x00") + "\xff" + strings.Join(denied, "\x00"))
}

// RemoveLogSettings takes back what Export has told about a unit.
func RemoveLogSettings(unit string) error { return removeLogSettings(logSettingsDir, unit) }

func removeLogSettings(dir, unit string) error {
	for _, name := range []string{extraFieldsFile, levelMaxFile, rateLimitIntervalFile, rateLimitBurstFile} {
		path := logSettingsPath(dir, name, unit)
		for _, file := range []string{path, path + ".new"} {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cannot take back what journald was told about %s: %w", unit, err)
			}
		}
	}
	return nil
}

func logSettingsPath(dir, name, unit string) string { return filepath.Join(dir, name+":"+unit) }
