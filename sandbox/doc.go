// Package sandbox knows the settings of systemd.exec(5): which there are, what a
// value means, and what they come to for a container. It makes no system call
// and needs no root.
//
//	settings := sandbox.New()
//	err := settings.Set("ProtectSystem", "strict")
//	err = settings.Set("SystemCallFilter", "@system-service")
//	err = settings.Set("SystemCallFilter", "~@privileged")
//	…
//	decision, problems := settings.Decide(facts)
//
// Set reads one line of a unit file after another, with systemd's syntax and its
// rules of how lists merge. Decide says what must be mounted, which paths are
// covered, which system calls are filtered and which attributes the process
// gets; others carry that out. It allows nothing that systemd denies with the
// same settings.
//
// Limitations: what systemd passes over with a warning is an error. Specifiers
// such as %i aren't expanded. The syntax of LogFilterPatterns= isn't checked, as
// that takes the journal's library. Words are those of systemd 262, also on an
// older one: berth enforces them itself.
package sandbox
