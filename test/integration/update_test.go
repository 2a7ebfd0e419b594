package integration

import (
	"strings"
	"testing"

	"berth/test/host"
)

func TestUpdate(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := "[resources]\nIPAddressDeny = [\"any\"]\nTasksMax = 100\n"
		define(t, h, "box", body)
		run := []string{"run", "--best-effort", "box", "--", "sleep", "1000"}
		c := beginContainer(t, h, "box", run...)
		c.awaitStart()
		for _, test := range []struct {
			args           []string
			property, want string
		}{
			{[]string{"IPAddressDeny=10.0.0.0/8"}, "IPAddressDeny", "10.0.0.0/8"},
			{[]string{`IPAddressAllow=["localhost", "192.168.0.0/16"]`}, "IPAddressAllow", "127.0.0.0/8 ::1/128 192.168.0.0/16"},
			{[]string{"IPAddressDeny=", "IPAddressAllow="}, "IPAddressDeny", ""},
			{[]string{"DeviceAllow=/dev/null rw"}, "DeviceAllow", "/dev/null rw"},
			{[]string{"DeviceAllow=/dev/zero r"}, "DeviceAllow", "/dev/zero r"},
			{[]string{"resources.IPAccounting=true"}, "IPAccounting", "yes"},
			{[]string{"--best-effort", "MemoryMax=1G", "TasksMax=7"}, "TasksMax", "7"},
			{[]string{"--best-effort", "TasksMax="}, "TasksMax", shell(t, h, "systemctl show --value -p DefaultTasksMax")},
			{[]string{"--best-effort", "--runtime", "MemoryMax="}, "MemoryMax", "infinity"},
		} {
			got := berth(t, h, append([]string{"update", "box"}, test.args...)...)
			if got.Status != 0 {
				t.Errorf("%q: %+v", test.args, got)
			}
			if value := c.property(test.property); !sameWords(value, test.want) {
				t.Errorf("%q: %s is %q, want %q", test.args, test.property, value, test.want)
			}
		}
		if got := c.property("DevicePolicy"); got != "closed" {
			t.Errorf("changed by the way: DevicePolicy is %s", got)
		}
		c.stop()
		// What was changed has gone with the container.
		c = beginContainer(t, h, "box", run...)
		c.awaitStart()
		if got := c.property("TasksMax"); got != "100" {
			t.Errorf("the next one's TasksMax: %s", got)
		}
		if got := c.property("DeviceAllow"); got != "" {
			t.Errorf("the next one's DeviceAllow: %s", got)
		}
		c.stop()
	})
}

// sameWords compares lists whose order is systemd's matter.
func sameWords(got, want string) bool {
	words := strings.Fields(got)
	for _, w := range strings.Fields(want) {
		if !strings.Contains(" "+got+" ", " "+w+" ") {
			return false
		}
	}
	return len(words) == len(strings.Fields(want))
}

func TestUpdateRefuses(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := start(t, h, "box", "", "sleep", "1000")
		for _, test := range []struct {
			args []string
			want []string
		}{
			{[]string{"IPAddressDeny=any", "KillMode=mixed"}, []string{"KillMode=mixed: resources.KillMode:", "when a scope starts"}},
			{[]string{"IPAddressDeny=any", "MemoryMax=1G"}, []string{"MemoryMax=1G: resources.MemoryMax:", "no memory controller", "--best-effort"}},
			{[]string{"IPAddressDeny=any", "MemoryMaxx=1G"}, []string{`did you mean "MemoryMax"?`}},
			{[]string{"IPAddressDeny=any", "ProtectHome=yes"}, []string{"[sandbox]"}},
			{[]string{"IPAddressDeny=any", "process.user=x"}, []string{"process.user=x:", "[resources]"}},
			{[]string{"IPAddressDeny=no-address"}, []string{"must be addresses"}},
			{[]string{"IPAddressDeny"}, []string{"must be KEY=VALUE"}},
			{[]string{"IPAddressDeny=any\nKillMode=none"}, []string{"control"}},
		} {
			got := berth(t, h, append([]string{"update", "box"}, test.args...)...)
			if got.Status != 1 {
				t.Errorf("%q: %+v, want status 1", test.args, got)
			}
			oneLine(t, got.Stderr, test.want...)
			if now := c.property("IPAddressDeny"); now != "" {
				t.Fatalf("%q: changed all the same: %s", test.args, now)
			}
		}
		got := berth(t, h, "update", "nothing", "IPAddressDeny=any")
		if got.Status != 1 {
			t.Errorf("no such container: %+v", got)
		}
		oneLine(t, got.Stderr, `"nothing"`)
	})
}

func TestUpdatePersist(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		const file = "/srv/persist/box.toml"
		const body = "# mine\n[process]\ncommand = [\"sleep\", \"1000\"] # long\n[resources]\n  IPAddressDeny = [\n    \"any\", # all\n  ] # so far\n[users]\nsize = 1024\n"
		writeFile(t, h, file, body)
		shell(t, h, "chown 12:34 "+file+" && chmod 640 "+file+" && ln -s ../../srv/persist/box.toml /etc/berth/box.toml 2>/dev/null || { mkdir -p /etc/berth; ln -s ../../srv/persist/box.toml /etc/berth/box.toml; }")
		t.Cleanup(func() { h.Remove("/etc/berth/box.toml") })
		c := beginContainer(t, h, "box", "run", "box")
		c.awaitStart()
		got := berth(t, h, "update", "--persist", "--best-effort", "box", "IPAddressDeny=10.0.0.0/8", "TasksMax=50")
		if got.Status != 0 {
			t.Fatalf("%+v", got)
		}
		want := strings.Replace(body, "[\n    \"any\", # all\n  ]", `"10.0.0.0/8"`, 1)
		want = strings.Replace(want, "# so far\n", "# so far\n  TasksMax = 50\n", 1)
		if now := shell(t, h, "cat "+file) + "\n"; now != want {
			t.Errorf("got:\n%s\nwant:\n%s", now, want)
		}
		if now := shell(t, h, "stat -c '%u:%g %a' "+file+"; readlink /etc/berth/box.toml; ls -A /srv/persist"); now != "12:34 640\n../../srv/persist/box.toml\nbox.toml" {
			t.Errorf("got %s", now)
		}
		// A file that makes no sense any more is left alone, and so is the container.
		shell(t, h, "echo '[resources' >> "+file)
		if got := berth(t, h, "update", "--persist", "box", "IPAddressDeny=any"); got.Status != 1 {
			t.Errorf("a broken file: %+v", got)
		} else {
			oneLine(t, got.Stderr, "box.toml:", "TOML")
		}
		if now := c.property("IPAddressDeny"); now != "10.0.0.0/8" {
			t.Errorf("changed all the same: %s", now)
		}
		shell(t, h, "sed -i '$d' "+file)
		c.stop()
		c = beginContainer(t, h, "box", "run", "--best-effort", "box")
		c.awaitStart()
		if now := c.property("IPAddressDeny") + " " + c.property("TasksMax"); now != "10.0.0.0/8 50" {
			t.Errorf("the next start has %s", now)
		}
		c.stop()
	})
}

// A list of the profile's does not come back with what is written.
func TestUpdatePersistOverProfile(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/etc/berth/quiet.toml", "[resources]\nIPAddressDeny = \"any\"\n")
		define(t, h, "box", "profile = \"./quiet.toml\"\n[process]\ncommand = [\"sleep\", \"1000\"]\n")
		c := beginContainer(t, h, "box", "run", "box")
		c.awaitStart()
		if got := berth(t, h, "update", "--persist", "box", "IPAddressDeny=10.0.0.0/8"); got.Status != 0 {
			t.Errorf("%+v", got)
		}
		c.stop()
		c = beginContainer(t, h, "box", "run", "box")
		c.awaitStart()
		if now := c.property("IPAddressDeny"); now != "10.0.0.0/8" {
			t.Errorf("the next start has %s; the file: %s", now, shell(t, h, "cat /etc/berth/box.toml"))
		}
		c.stop()
	})
}

// A file that can't be written is known before the container is changed.
func TestUpdatePersistReadOnly(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/srv/sealed/box.toml", "[process]\ncommand = [\"sleep\", \"1000\"]\n")
		shell(t, h, "mount --bind -o ro /srv/sealed /srv/sealed")
		defer shell(t, h, "umount /srv/sealed")
		c := beginContainer(t, h, "box", "run", "/srv/sealed/box.toml")
		c.awaitStart()
		got := berth(t, h, "update", "--persist", "box", "IPAddressDeny=any")
		if got.Status != 1 {
			t.Errorf("%+v", got)
		}
		oneLine(t, got.Stderr, "cannot change the container's file", "read-only")
		if now := c.property("IPAddressDeny"); now != "" {
			t.Errorf("changed all the same: %s", now)
		}
		c.stop()
	})
}
