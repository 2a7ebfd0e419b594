package launcher

import (
	"fmt"
	"time"

	"berth/config"
	"berth/internal/kernel"
	"berth/units"
)

// Log is how the payload's lines stand in the journal.
type Log struct {
	Identifier  string            `json:"identifier"`             // SYSLOG_IDENTIFIER
	Facility    int               `json:"facility,omitempty"`     // syslog(3); 0: none
	Out         int               `json:"out"`                    // priority of a line on standard output
	Err         int               `json:"err"`                    // and on standard error
	LevelPrefix bool              `json:"level_prefix,omitempty"` // lines may begin with "<N>"
	Unit        units.LogSettings `json:"unit"`                   // for all that comes from the unit
}

// filterSince is the systemd that brought LogFilterPatterns=.
const filterSince = 253

// log decides how the payload logs. Without SyslogLevel= the two streams differ,
// and without SyslogFacility= and SyslogLevelPrefix=, other than in a service,
// lines have no facility and are taken as they are.
func (d *draft) log() {
	s := d.settings
	log := Log{Identifier: d.Name, Out: priorityOut, Err: priorityErr}
	if s.SyslogIdentifier != "" {
		log.Identifier = s.SyslogIdentifier
	}
	if s.SyslogFacility != nil {
		log.Facility = *s.SyslogFacility
	}
	if s.SyslogLevel != nil {
		log.Out, log.Err = *s.SyslogLevel, *s.SyslogLevel
	}
	if s.SyslogLevelPrefix != nil {
		log.LevelPrefix = *s.SyslogLevelPrefix
	}
	log.Unit = units.LogSettings{ExtraFields: s.LogExtraFields, LevelMax: s.LogLevelMax, FilterPatterns: s.LogFilterPatterns}
	if s.LogRateLimitInterval != nil {
		log.Unit.RateLimitInterval = uint64(s.LogRateLimitInterval.Microseconds())
	}
	if s.LogRateLimitBurst != nil {
		log.Unit.RateLimitBurst = *s.LogRateLimitBurst
	}
	if len(s.LogFilterPatterns) > 0 && d.host.SystemdVersion < filterSince {
		log.Unit.FilterPatterns = nil
		d.unenforceable(config.Error{
			Pos: d.sandboxPos("LogFilterPatterns"), Key: "sandbox.LogFilterPatterns",
			Msg: fmt.Sprintf("needs systemd %d, and this host has %d", filterSince, d.host.SystemdVersion),
		})
	}
	d.plan.Log = log
}

// exportLog tells journald about the unit, before anything of it logs.
func (s *start) exportLog() error {
	if !s.plan.Log.Unit.Exported() {
		return nil
	}
	return s.plan.Log.Unit.Export(s.plan.Unit.Scope)
}

// introduceLog does what has to wait for the unit's cgroup, and for its process
// to be in it. The cgroup's owner, the container's root, may change the filter:
// what a container says is its own business.
func (s *start) introduceLog(cgroup string) error {
	unit := s.plan.Log.Unit
	if err := unit.ExportFilter(kernel.CgroupRoot + cgroup); err != nil {
		return err
	}
	if unit.Exported() || len(unit.FilterPatterns) > 0 {
		s.streams.introduce(s.child.Pid, s.plan.Users.Base)
	}
	return nil
}

// introduction is how long a start waits for journald to look.
const introduction = 100 * time.Millisecond
