// Package exposure scores how exposed a unit is, exactly as systemd-analyze(1)
// does with "security --offline=yes": the same 81 checks, the same weights, the
// same arithmetic, and what a manager makes of the settings before it looks.
//
//	u := exposure.NewUnit()
//	for _, line := range []string{"User=www-data", "ProtectSystem=strict"} {
//		name, value, _ := strings.Cut(line, "=")
//		if err := u.Set(name, value); err != nil {
//			return err
//		}
//	}
//	report := exposure.Assess(u, 257)
//	fmt.Println(report.Exposure, report.Rating) // 8.8 EXPOSED
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
