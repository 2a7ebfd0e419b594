// Package exposure scores how exposed a unit is, exactly as systemd-analyze(1)
// does with "security --offline=yes": the same 81 checks, the same weights, the
// same arithmetic, and what a manager makes of the settings before it looks.
//
//	report := exposure.Assess(exposure.Unit{Settings: settings, User: "www-data"}, 257)
//	fmt.Println(report.Exposure, report.Rating) // 3.1 OK
//
// A check finds how bad a setting is, from 0 to its Range. Its share of the score
// is Badness·Weight/Range, rounded up; the score is the sum of the shares over
// the sum of the weights of all checks that apply, 0.0 at best and 10.0 at worst.
//
// The score knows settings, not what they come to on a host or in a container:
// it says nothing about a program's quality, and counts nothing that systemd has
// no setting for.
//
// Limitations: a policy file that changes weights is not read; units of a user's
// own manager score differently and are not meant; PrivateMounts=no can't be told
// from PrivateMounts= not being there, which systemd 257 can.
package exposure
