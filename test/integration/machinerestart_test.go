package integration

import (
	"testing"

	"berth/test/host"
)

// systemd-machined stops the unit of a machine whose end it notices, by name: a
// container's name is free only when machined has let go of it, however late.
func TestMachinedSparesTheNext(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "")
		shell(t, h, "systemctl start systemd-machined.service")
		defer shell(t, h, "systemctl stop systemd-machined.service")
		got := run(t, h, "timeout", patience, "sh", "-c", `
machined=$(systemctl show --property=MainPID --value systemd-machined)
berth run box -- sleep 0.7 & first=$!
until machinectl show box >/dev/null 2>&1; do sleep 0.02; done
kill -STOP $machined
(sleep 1.5; echo machined goes on; kill -CONT $machined) &
wait $first && echo first: $?
berth run box -- sleep 0.1; echo next: $?`)
		if got.Stdout != "machined goes on\nfirst: 0\nnext: 0\n" || got.Stderr != "" {
			t.Errorf("got %+v", got)
		}
		if got := shell(t, h, "machinectl --no-legend list"); got != "" {
			t.Errorf("machines are left: %s", got)
		}
	})
}
