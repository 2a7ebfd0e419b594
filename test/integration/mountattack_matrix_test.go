package integration

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"berth/test/host"
)

// TestMountAttacks tries to weaken every kind of initial mount, as the root of a
// container of profile system, in each way that test/mountattack knows.
func TestMountAttacks(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		attackedMounts(t, h)
		if h.Suite().Name != thoroughSuite {
			report(t, attackRules(), attack(t, h, unrestricted, "matrix", "as-is", "nested-user"))
			return
		}
		attempts := attack(t, h, unrestricted, "matrix")
		for _, arguments := range spoilingAttacks() {
			attempts = append(attempts, attack(t, h, unrestricted, append([]string{"spoil"}, arguments...)...)...)
		}
		report(t, attackRules(), attempts)
		reportMissing(t, attempts)
	})
}

// Moves and pivots leave everything in place.
var stayingAttacks = []string{"move", "move-rec", "move_mount", "move_mount-tree", "pivot-onto", "pivot-onto-remount", "pivot-old", "pivot-old-remount", "pivot-umount", "pivot-remount"}

var unmountAttacks = []string{"umount", "umount-lazy", "umount-force", "umount-lazy-force", "umount-nofollow", "umount-expire"}

// spoilingAttacks are what may succeed in the container's own mount namespace: each
// unmount has a container of its own.
func spoilingAttacks() [][]string {
	list := [][]string{append([]string{"64"}, stayingAttacks...), append([]string{"32"}, stayingAttacks...), {"64", "umount-high"}, {"32", "umount-old"}}
	for _, operation := range unmountAttacks {
		list = append(list, []string{"64", operation}, []string{"32", operation})
	}
	return list
}

// report fails the test for attempts that ended otherwise than the rules say, or
// whose effect is not one that they may have.
func report(t *testing.T, rules []attackRule, attempts []attempt) {
	t.Helper()
	bad := map[string][]string{} // by what is wrong
	for _, a := range attempts {
		if why := wrong(rules, a); why != "" {
			what := fmt.Sprintf("%s %s %s %s: %s", a.form, a.operation, a.errno, a.effect, why)
			bad[what] = append(bad[what], fmt.Sprintf("%s/%s/%s", a.context, a.abi, a.mount))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(bad)) {
		const most = 12
		t.Errorf("%s: %d, as in %s", what, len(bad[what]), strings.Join(bad[what][:min(most, len(bad[what]))], " "))
	}
	t.Logf("%d attempts", len(attempts))
}

// reportMissing fails the test if something was not tried at all.
func reportMissing(t *testing.T, attempts []attempt) {
	t.Helper()
	const fewest = 14000
	if len(attempts) < fewest {
		t.Errorf("%d attempts only", len(attempts))
	}
	tried := map[string]bool{}
	for _, a := range attempts {
		for _, part := range []string{a.operation, a.mount, a.context + " " + a.abi} {
			tried[part] = true
		}
	}
	for _, o := range attackOperations() {
		if !tried[o.name] {
			t.Errorf("%s was not tried", o.name)
		}
		delete(tried, o.name)
	}
	for _, m := range attackedPlaces() {
		if !tried[m.name] {
			t.Errorf("%s was not attacked", m.name)
		}
	}
	for _, context := range []string{"as-is", "chroot", "chroot-onto", "nested-mount", "nested-user", "nested-user-pid", "nested-mount-pivot", "nested-user-pivot"} {
		if !tried[context+" 64"] || !tried[context+" 32"] {
			t.Errorf("nothing was tried with %s", context)
		}
	}
}

// With immutable_unmounts = "deny" no unmount has an effect, so that all may
// follow one another.
func TestMountAttacksOnKeptMounts(t *testing.T) {
	withBerthOnce(t, func(t *testing.T, h *host.Host) {
		attackedMounts(t, h)
		head := unrestricted + "[mountguard]\nimmutable_unmounts = \"deny\"\n"
		attempts := attack(t, h, head, "matrix", "as-is", "nested-mount", "nested-user")
		all := append(slices.Clone(unmountAttacks), stayingAttacks...)
		attempts = append(attempts, attack(t, h, head, append([]string{"spoil", "64", "umount-high"}, all...)...)...)
		attempts = append(attempts, attack(t, h, head, append([]string{"spoil", "32", "umount-old"}, all...)...)...)
		report(t, keptRules(), attempts)
	})
}

// With immutable_remounts = "allow" the flags that mounts have by themselves can
// be taken away, and mountattack sees it; what hides something stays.
func TestMountAttacksOnUnlockedMounts(t *testing.T) {
	withBerthOnce(t, func(t *testing.T, h *host.Host) {
		attackedMounts(t, h)
		var hiding []attempt
		seen := map[string]string{}
		for _, a := range attack(t, h, unrestricted+"[mountguard]\nimmutable_remounts = \"allow\"\n", "matrix", "as-is") {
			if oneMatches(views+" "+masks, a.mount) {
				hiding = append(hiding, a)
			}
			if a.operation == "remount-all" && a.context == "as-is" && a.abi == "64" {
				seen[a.mount] = a.errno + " " + a.effect
			}
		}
		report(t, attackRules(), hiding)
		for mount, want := range map[string]string{
			"root": "ok WEAKENED:write", "ro": "ok WEAKENED:write", "nosuid": "ok WEAKENED:setuid", "nodev": "ok WEAKENED:device",
			"noexec": "ok WEAKENED:exec", "proc": "EPERM same", "mask": "EPERM same",
		} {
			if seen[mount] != want {
				t.Errorf("%s: got %s, want %s", mount, seen[mount], want)
			}
		}
	})
}

// An init has the same walls around it.
func TestMountAttacksByInit(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		attackedMounts(t, h)
		report(t, attackRules(), attackAs(t, h, "process.boot = true\n", "matrix", "as-is", "nested-user-pid"))
	})
}

// Whatever the path is written like, the answer is the same, or the kernel's for
// what is no path.
func TestMountAttackForms(t *testing.T) {
	withBerthOnce(t, func(t *testing.T, h *host.Host) {
		attackedMounts(t, h)
		report(t, attackRules(), attack(t, h, unrestricted, "forms", "as-is", "nested-mount", "nested-user"))
	})
}

// The filter of the other profiles leaves no call that mounts, nor another
// namespace.
func TestMountAttacksUnderFilter(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		attackedMounts(t, h)
		for _, profile := range []string{"default", "nonetwork"} {
			t.Run(profile, func(t *testing.T) {
				for _, a := range attack(t, h, fmt.Sprintf("profile = %q\n", profile), "matrix") {
					errno, _, _ := strings.Cut(a.errno, "@")
					denied := errno == "EPERM" || errno == "ENOSYS" && strings.HasPrefix(a.operation, "open_tree_attr") || // newer than libseccomp
						strings.HasSuffix(a.errno, "@open_tree") // which systemd 262 has in @file-system
					if a.effect != "same" || !denied && !a.control() {
						t.Errorf("%v: want EPERM and same", a)
					}
				}
			})
		}
	})
}

// TestMountAttackPropagation has the host mount something below each directory
// that is in the container, whatever propagation the container gave its mounts.
func TestMountAttackPropagation(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		attackedMounts(t, h)
		define(t, h, "box", attackedBody(unrestricted))
		c := beginContainer(t, h, "box", "run", "box", "--", "/usr/bin/mountattack", "propagate")
		asked := 0
		ask := func(question string) (answer string) {
			fmt.Fprintln(c.stdin, question)
			asked++
			eventually(t, "an answer", func() bool {
				lines := strings.Split(c.stdout.String(), "\n")
				answer = lines[min(asked, len(lines))-1]
				return len(lines) > asked
			})
			return answer
		}
		for _, kind := range []string{"shared", "private", "slave", "unbindable", "shared"} {
			if got := ask(kind); got != kind+" ok" {
				t.Errorf("got %q", got)
			}
			shell(t, h, "for dir in canary/sub root/usr root/tmp; do mount -t tmpfs secret /srv/$dir; touch /srv/$dir/secret; done; test ! -e /srv/canary/sub/inside")
			got := ask("look")
			shell(t, h, "umount /srv/canary/sub /srv/root/usr /srv/root/tmp; test ! -e /srv/canary/sub/inside")
			if got != "look unseen same" {
				t.Errorf("with %s: %q", kind, got)
			}
		}
		c.stdin.Close()
		if got := c.wait(); got.Status != 0 {
			t.Errorf("got %+v", got)
		}
	})
}
