package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestMountAttackDocument compares docs/mountguard-attacks.md with the rules that
// TestMountAttacks holds the attempts to, and with what was seen of the peers.
func TestMountAttackDocument(t *testing.T) {
	compareDocument(t, "mountguard-attacks.md", attackDocument(t), "TestMountAttackDocument")
}

// Each operation is one that the rules know, on every mount, and each rule is for
// something.
func TestMountAttackRulesAreComplete(t *testing.T) {
	used := map[string]bool{}
	for _, rules := range [][]attackRule{attackRules(), keptRules()} {
		for _, o := range attackOperations() {
			for _, m := range attackedPlaces() {
				i := ruleFor(rules, o.name, m.name)
				if i < 0 {
					t.Fatalf("no rule for %s of %s", o.name, m.name)
				}
				used[fmt.Sprint(rules[i])] = true
			}
		}
	}
	for _, r := range keptRules() {
		if !used[fmt.Sprint(r)] {
			t.Errorf("never used: %+v", r)
		}
	}
}

const attackDocumentHead = `# Attacks on initial mounts

<!-- Written by go test ./test/integration -run TestMountAttackDocument -update -->

What the root of a container has tried to weaken the mounts that it was started
with, and what came of it. The program is ` + "`test/mountattack`" + `; the tests run it on
every change, with all capabilities and no system call filtered but by mountguard
(profile ` + "`system`" + `), and hold each of some 25,000 attempts to the tables below.

None weakened a mount. That is not concluded from the errno: after each attempt the
program tries what the mount forbids (it writes, executes, calls a setuid program,
opens a device, reads what is masked, by the mount's path and by any copy that the
attempt has made), and compares the container's mounts. After all of them the
directory of the host that was mounted, and the host's own mounts, are as they were.
With ` + "`immutable_remounts = \"allow\"`" + ` the same program finds what it looks for.

Each attempt is made

- as is; chrooted above the mount; chrooted onto it; in a mount namespace; in a user
  and mount namespace; in a user, mount, PID and network namespace; and in a mount
  namespace, or user and mount namespace, after a pivot_root to a copy of everything;
- by 64-bit system calls, and by 32-bit ones (` + "`int $0x80`" + `): the answers are the same;
- some of them with the path relative, through a symlink, ` + "`/proc/self/fd/N`" + ` or
  ` + "`/proc/thread-self/root`" + `, relative to a descriptor, empty with AT_EMPTY_PATH, of 4095
  bytes, and right before a page that isn't there: the answers are the same. move_mount
  alone doesn't follow links. A path that is too long, unreadable, or ends where no
  memory is has the kernel's errno for that.

A process of profile ` + "`default`" + `, ` + "`nonetwork`" + ` or ` + "`strict`" + ` has EPERM for all of it, and no
namespace of its own: its filter denies the calls.
`

// attackDocument is docs/mountguard-attacks.md.
func attackDocument(t *testing.T) string {
	var b strings.Builder
	b.WriteString(attackDocumentHead)
	b.WriteString("\n## Answers\n\nThe errno is that of the call that fails; with \"at CALL\" it is not the last that the attempt would\nmake. \"Own\" is the container's own mount namespace, also with another root directory; \"nested\"\na mount namespace in its user namespace; \"nested user\" one in a nested user namespace.\n")
	writeAnswers(&b, attackRules(), len(attackRules()))
	b.WriteString("\nWith `immutable_unmounts = \"deny\"` these are other:\n")
	writeAnswers(&b, keptRules(), len(keptRules())-len(attackRules()))
	writePeers(t, &b)
	b.WriteString("\n## Mounts\n\n")
	for _, m := range attackedPlaces() {
		fmt.Fprintf(&b, "- `%s`: %s\n", m.name, m.what)
	}
	b.WriteString("\n## Attempts\n\n")
	for _, o := range attackOperations() {
		fmt.Fprintf(&b, "- `%s`: %s\n", o.name, o.what)
	}
	return b.String()
}

// writeAnswers makes a table for each reason of the first rules.
func writeAnswers(b *strings.Builder, rules []attackRule, first int) {
	var reasons []string
	for _, r := range rules[:first] {
		if !slices.Contains(reasons, r.why) {
			reasons = append(reasons, r.why)
		}
	}
	for _, why := range reasons {
		fmt.Fprintf(b, "\n**%s**\n\n| attempt | on | own | nested | nested user |\n|---|---|---|---|---|\n", why)
		for i, r := range rules[:first] {
			if r.why == why {
				writeRule(b, rules, i)
			}
		}
	}
}

// writeRule writes a rule with the operations and mounts that it is the first for.
func writeRule(b *strings.Builder, rules []attackRule, i int) {
	var operations, mounts []string
	for _, o := range attackOperations() {
		for _, m := range attackedPlaces() {
			if ruleFor(rules, o.name, m.name) != i {
				continue
			}
			if !slices.Contains(operations, o.name) {
				operations = append(operations, o.name)
			}
			if !slices.Contains(mounts, m.name) {
				mounts = append(mounts, m.name)
			}
		}
	}
	on := codeList(mounts)
	if len(mounts) == len(attackedPlaces()) {
		on = "all"
	}
	r := rules[i]
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", codeList(operations), on, answer(r.own), answer(r.nested), answer(r.user))
}

func codeList(names []string) string { return "`" + strings.Join(names, "` `") + "`" }

func answer(errno string) string {
	return strings.ReplaceAll(strings.ReplaceAll(errno, "|", " or "), "@", " at ")
}
