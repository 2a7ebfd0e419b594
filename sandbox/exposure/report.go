package exposure

import "fmt"

// Report is what Assess finds.
type Report struct {
	Checks   []Check // in systemd's order
	Exposure Score
	Rating   Rating
}

// Check is one of the checks, and what it found.
type Check struct {
	Name        string // as systemd-analyze prints it: "ProtectHome="
	Field       string // its name in JSON and in policy files
	Description string // what it found, for people
	Weight      int    // how much it matters among the checks
	Range       int    // the worst Badness
	Badness     int    // from 0, all is well; only where Applies
	Applies     bool   // false: it is in no sum
	Exposure    Score  // its share, at least 0.1 unless Badness is 0
}

// Good tells whether nothing is wrong. It is false for a check that doesn't apply.
func (c Check) Good() bool { return c.Applies && c.Badness == 0 }

// Score is an exposure in tenths: 31 is 3.1, 100 the worst.
type Score int

func (s Score) String() string { return fmt.Sprintf("%d.%d", s/10, s%10) }

// Rating is systemd's word for a score.
type Rating string

// The ratings, the worst first.
const (
	Dangerous Rating = "DANGEROUS"
	Unsafe    Rating = "UNSAFE"
	Exposed   Rating = "EXPOSED"
	Medium    Rating = "MEDIUM"
	OK        Rating = "OK"
	Safe      Rating = "SAFE"
	Perfect   Rating = "PERFECT"
)

// rate finds the word for a score.
func rate(s Score) Rating {
	switch {
	case s >= 100:
		return Dangerous
	case s >= 90:
		return Unsafe
	case s >= 75:
		return Exposed
	case s >= 50:
		return Medium
	case s >= 10:
		return OK
	case s >= 1:
		return Safe
	}
	return Perfect
}

// Assess scores a unit as systemd of that version does.
func Assess(u Unit, version int) Report {
	v := look(u, version)
	var r Report
	sum, weights := 0, 0
	for _, rule := range rules() {
		c := rule.check(v)
		if c.Applies {
			sum += ceil(c.Badness*c.Weight, c.Range)
			weights += c.Weight
		}
		r.Checks = append(r.Checks, c)
	}
	for i, c := range r.Checks {
		if c.Applies {
			r.Checks[i].Exposure = Score(ceil(ceil(c.Badness*c.Weight*100, c.Range), weights))
		}
	}
	r.Exposure = Score(ceil(sum*100, weights))
	r.Rating = rate(r.Exposure)
	return r
}

// ceil divides and rounds up.
func ceil(a, b int) int { return (a + b - 1) / b }

// rule is how one check is made.
type rule struct {
	name, field string
	weight      int
	worst       int    // the range of its badness; 0 is 1
	good, bad   string // descriptions of the best and the worst
	lateOnly    bool   // doesn't apply to what starts before the basic system is up

	// find returns a badness and, where there is more to say than good or bad, a
	// description.
	find func(v *view) (badness int, description string)
}

// notApplicable is the badness of what can't be judged.
const notApplicable = -1

func (r rule) check(v *view) Check {
	c := Check{Name: r.name, Field: r.field, Weight: r.weight, Range: max(r.worst, 1)}
	if r.lateOnly && v.EarlyBoot {
		c.Description = "Not asked of a unit that starts before the basic system is up"
		return c
	}
	badness, description := r.find(v)
	c.Description = description
	if badness == notApplicable {
		return c
	}
	c.Applies, c.Badness = true, badness
	switch {
	case description != "":
	case badness == 0:
		c.Description = r.good
	default:
		c.Description = r.bad
	}
	return c
}
