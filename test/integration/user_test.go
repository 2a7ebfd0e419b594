package integration

import (
	"fmt"
	"strings"
	"testing"

	"berth/test/host"
)

// smallRoot is a root of few files: a shell and some programs with their
// libraries, and a user database that is not the host's. It is made once a
// test, in a directory of the host's disk, which it returns.
func smallRoot(t *testing.T, h *host.Host) string {
	t.Helper()
	const root = "/srv/root"
	shell(t, h, `
mkdir -p /srv/root/usr/bin /srv/root/etc /srv/root/proc /srv/root/sys /srv/root/dev /srv/root/run /srv/root/tmp
cd /srv/root
ln -s usr/bin bin
ln -s usr/lib lib
ln -s usr/lib64 lib64
for program in sh cat ls id stat env sleep readlink touch mkdir rm true chown mv; do
	cp /usr/bin/$program usr/bin/
	for library in $(ldd usr/bin/$program | grep -o '/[^ ]*'); do
		mkdir -p ./usr/${library%/*}
		cp -n $library ./usr/$library
	done
done
cp -rn usr/usr/. usr/ 2>/dev/null || true
rm -rf usr/usr
cat > etc/passwd <<-END
	root:x:0:0:root:/root:/bin/sh
	worker:x:1000:1001:a worker:/home/worker:/bin/ls
	far:x:70000:70000:beyond the block:/:/bin/sh
END
cat > etc/group <<-END
	root:x:0:
	workers:x:1001:
	readers:x:1500:worker,root
	writers:x:1600:worker
END`)
	t.Cleanup(func() {
		if err := h.Remove(root); err != nil {
			t.Error(err)
		}
	})
	return root
}

func TestPayloadUser(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		for _, test := range []struct {
			user string
			want string // of id -u, id -g, id -G, HOME, USER
		}{
			{"", "0 0 0 1500 /root root"},
			{"root", "0 0 0 1500 /root root"},
			{"worker", "1000 1001 1001 1500 1600 /home/worker worker"},
			{"1000", "1000 1001 1001 1500 1600 /home/worker worker"},
			{"worker:readers", "1000 1500 1500 /home/worker worker"},
			{"1000:1600", "1000 1600 1600 /home/worker worker"},
			{"1234:4321", "1234 4321 4321 / -"},
			{"worker:0", "1000 0 0 /home/worker worker"},
			{"65534:65534", "65534 65534 65534 / -"},
		} {
			t.Run(test.user, func(t *testing.T) {
				body := fmt.Sprintf("[root]\ndirectory = %q\n[process]\nuser = %q\n", root, test.user)
				if test.user == "" {
					body = fmt.Sprintf("[root]\ndirectory = %q\n", root)
				}
				got := inside(t, h, body, `echo $(id -u) $(id -g) $(id -G) $HOME ${USER:--}`)
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		}
	})
}

func TestPayloadUserErrors(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		root := smallRoot(t, h)
		for _, test := range []struct{ user, names string }{
			{"www-data", `"www-data"`}, // the host has it
			{"worker:www-data", "www-data"},
			{"far", "70000"},
			{"70000", "70000"},
			{"worker:65536", "65536"},
		} {
			t.Run(test.user, func(t *testing.T) {
				body := fmt.Sprintf("[root]\ndirectory = %q\n[process]\nuser = %q\n", root, test.user)
				got := runContainer(t, h, "box", body, "true")
				if got.Status != 125 || got.Stdout != "" {
					t.Errorf("got %+v, want status 125", got)
				}
				oneLine(t, got.Stderr, test.names)
			})
		}
	})
}

func TestUnprivilegedUserHasNoCapabilities(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		got := inside(t, h, "[process]\nuser = \"www-data\"\n", "grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u")
		if got != strings.Repeat("0", 16) {
			t.Errorf("got %s", got)
		}
	})
}

// Without a root there is nobody to become root as.
func TestNoRootInside(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		body := unrestricted + "[users]\nmap_root = false\n[process]\nuser = \"www-data\"\n"
		got := inside(t, h, body, `id -un; tr -s ' ' < /proc/self/uid_map; stat -c %u /proc/self/ /usr/bin/env; echo x > /dev/null`)
		lines := strings.Split(got, "\n")
		var base uint32
		if _, err := fmt.Sscanf(lines[1], " 1 %d 65535", &base); err != nil || base%65536 != 1 {
			t.Errorf("uid_map is %q", lines[1])
		}
		// root's files belong to nobody here.
		if lines[0] != "www-data" || lines[2] != "33" || lines[3] != "65534" {
			t.Errorf("got:\n%s", got)
		}
		if got := try(t, h, body, "try", "mount-tmpfs:", "mknod-char:/tmp", "create:/usr"); got["mount-tmpfs:"] != "EPERM" || got["mknod-char:/tmp"] != "EPERM" || got["create:/usr"] != "EACCES" {
			t.Errorf("got %v", got)
		}
	})
}
