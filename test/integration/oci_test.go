package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"berth/config"
	"berth/idpool"
	"berth/launcher"
	"berth/test/host"
)

// outsideView prints what both runtimes should agree on: the ID maps, the
// capabilities and no_new_privs, the masks of /proc and /sys with their first
// flag, and the cgroup.
const outsideView = `
cat /proc/self/uid_map /proc/self/gid_map
grep -E '^(Cap|NoNewPrivs)' /proc/self/status
awk '$5 ~ "^/(proc|sys)/" && $5 !~ "^/sys/fs/cgroup|^/proc/sys/net$" { print substr($6, 1, 2), $5 }' /proc/self/mountinfo | sort -u
hostname
cat /sys/fs/cgroup/cgroup.controllers
`

// crun takes the rendered spec of examples/hello.toml and makes of it what
// berth makes of the plan.
func TestOCISpecRunsInCrun(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		buildBerth(t)
		leavesNothing(t, h)
		byBerth := run(t, h, "berth", "run", "--best-effort", "--profile=system", "/opt/berth/examples/hello.toml", "--", "/bin/sh", "-c", "sleep 0.1;"+outsideView)
		if byBerth.Status != 0 {
			t.Fatalf("berth: %+v", byBerth)
		}
		base, err := firstID(byBerth.Stdout)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, h, "/tmp/oci-test/config.json", helloSpec(t, base))
		// crun can't take "/" itself as a root: pivot_root(2) refuses it.
		byCrun := run(t, h, "/bin/sh", "-euc", `
			mkdir -p /tmp/oci-test/root
			mount --bind / /tmp/oci-test/root
			status=0
			crun --systemd-cgroup run --bundle /tmp/oci-test oci-test || status=$?
			umount /tmp/oci-test/root
			rmdir /tmp/oci-test/root
			exit $status`)
		if strings.Contains(byCrun.Stderr, "RLIM_MEMLOCK") {
			t.Skip("this crun wants to raise RLIMIT_MEMLOCK, which the machine doesn't let it")
		}
		if byCrun.Status != 0 {
			t.Fatalf("crun: %+v", byCrun)
		}
		if byCrun.Stdout != byBerth.Stdout {
			t.Errorf("crun's container says\n%s\nberth's\n%s", byCrun.Stdout, byBerth.Stdout)
		}
		for _, mask := range []string{"ro /proc/keys", "ro /proc/kallsyms", "ro /sys/firmware"} {
			if !slices.Contains(strings.Split(byCrun.Stdout, "\n"), mask) {
				t.Errorf("crun's container does not have %q:\n%s", mask, byCrun.Stdout)
			}
		}
	})
}

// firstID reads the host's ID of the container's root from a uid_map.
func firstID(uidMap string) (base uint32, err error) {
	var inside uint32
	if _, err := fmt.Sscan(uidMap, &inside, &base); err != nil {
		return 0, fmt.Errorf("not a uid_map: %q: %w", uidMap, err)
	}
	return base, nil
}

// helloSpec plans examples/hello.toml for a block and renders it. It leaves out
// what crun, other than berth, fails for where the machine of the tests falls
// short: limits that need a controller, and hard limits above the ones that are
// there. The version is 1.0, as bookworm's crun wants it.
func helloSpec(t *testing.T, base uint32) string {
	t.Helper()
	overrides := config.Overrides{Profile: "system", Command: []string{"/bin/sh", "-c", outsideView}}
	c, err := launcher.Load(t.Context(), "../../examples/hello.toml", overrides, launcher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Resources = nil
	plan, err := launcher.MakePlan(c, launcher.Host{}, idpool.Block{Base: base, Size: c.Users.Size}, launcher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spec := plan.OCI()
	spec.Version = "1.0.0"
	spec.Root.Path = "/tmp/oci-test/root"
	spec.Process.Rlimits = nil
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
