package integration

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var updateDocument = flag.Bool("update", false, "write the documents of docs that tests hold")

// TestDifferentialDocument compares docs/differential.md with the cases and the
// reviewed differences of TestDifferential.
func TestDifferentialDocument(t *testing.T) {
	compareDocument(t, "differential.md", differentialDocument(), "TestDifferentialDocument")
}

const documentHead = `# Settings, compared with systemd's

<!-- Written by go test ./test/integration -run TestDifferentialDocument -update -->

Each setting of systemd.exec(5) in ` + "`[sandbox]`" + ` denies a container all that it denies
a service. That is tested: one program, ` + "`test/probe`" + `, tries some three thousand
operations, under ` + "`systemd-run`" + ` with a setting and in a container with this setting
and no other, on systemd 252, 257 and 262. It writes to directories and tunables,
uses each capability, opens each address family, enters namespaces, mounts, and
asks what filters say of every system call of x86-64, i386 and x32, of which none
is executed.

What a setting takes from a service it takes from a container. Where the two still
differ, berth is stricter, mostly; or other: both deny, with different errors; or
looser, in what is the container's own or harmless. Every difference is one of
those below, with its reason: another one fails the test, and one that is no
longer there does too.

`

// differentialDocument is docs/differential.md.
func differentialDocument() string {
	var b strings.Builder
	b.WriteString(documentHead)
	writeReviewed(&b)
	writeCases(&b)
	return b.String()
}

// writeReviewed lists the differences, by their reasons in the order of the list.
func writeReviewed(b *strings.Builder) {
	fmt.Fprint(b, "## Reviewed differences\n\nA \"\\*\" stands for any text.\n")
	var reasons []string
	for _, r := range reviewed() {
		if !slices.Contains(reasons, r.reason) {
			reasons = append(reasons, r.reason)
		}
	}
	for _, reason := range reasons {
		fmt.Fprintf(b, "\n**%s**\n\n", reason)
		for _, r := range reviewed() {
			if r.reason == reason {
				setting := "without a setting"
				if r.setting != "" {
					setting = "with " + codes(r.setting)
				}
				fmt.Fprintf(b, "- %s, %s: %s\n", r.kind, setting, codes(r.name))
			}
		}
	}
}

// codes makes a list of the alternatives of a pattern.
func codes(pattern string) string {
	return "`" + strings.ReplaceAll(pattern, "|", "`, `") + "`"
}

// writeCases lists which values are tried.
func writeCases(b *strings.Builder) {
	fmt.Fprint(b, "\n## What is tried\n\nEach line is a run; and each `@group` of the installed systemd, allowed alone and denied.\n\n")
	for _, c := range differentialCases() {
		fmt.Fprintf(b, "- `%s`", strings.Join(c.settings, "`, `"))
		if c.since > 0 {
			fmt.Fprintf(b, " (from systemd %d on)", c.since)
		}
		fmt.Fprintln(b)
	}
}
