package launcher

import (
	"testing"
	"time"

	"berth/sandbox"
	"berth/units"

	"github.com/google/go-cmp/cmp"
)

func TestLog(t *testing.T) {
	number := func(n int) *int { return &n }
	yes, interval, burst := true, 1500*time.Millisecond, uint(5)
	for _, test := range []struct {
		name     string
		settings sandbox.Settings
		want     Log
	}{
		{"nothing", sandbox.Settings{}, Log{Identifier: "box", Out: 6, Err: 3}},
		{"the stream", sandbox.Settings{SyslogIdentifier: "web", SyslogFacility: number(3), SyslogLevel: number(0), SyslogLevelPrefix: &yes},
			Log{Identifier: "web", Facility: 3, LevelPrefix: true}},
		{"the unit", sandbox.Settings{LogExtraFields: []string{"A=1"}, LogLevelMax: number(0), LogRateLimitInterval: &interval, LogRateLimitBurst: &burst},
			Log{Identifier: "box", Out: 6, Err: 3, Unit: units.LogSettings{ExtraFields: []string{"A=1"}, LevelMax: number(0), RateLimitInterval: 1500000, RateLimitBurst: 5}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := draftOf("", &test.settings)
			d.log()
			if diff := cmp.Diff(test.want, d.plan.Log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogFilterNeedsSystemd(t *testing.T) {
	for _, test := range []struct {
		version    int
		bestEffort bool
		errors     int
		patterns   int
	}{{252, false, 1, 0}, {252, true, 0, 0}, {253, false, 0, 1}} {
		d := draftOf("", &sandbox.Settings{LogFilterPatterns: []string{"x"}})
		d.host.SystemdVersion, d.options.BestEffort = test.version, test.bestEffort
		d.log()
		if len(d.errors) != test.errors || len(d.plan.Log.Unit.FilterPatterns) != test.patterns {
			t.Errorf("%+v: got %v, %v", test, d.errors, d.plan.Log.Unit)
		}
	}
}
