package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"berth/test/host"
)

// toolsRoot is where the host sees the tools' root, which it may write to.
const toolsRoot = "/var/lib/machines/tools"

// toolsSetup makes of the tools' root one with a plain user, a bundle for OCI
// runtimes, and the programs that look around in nested containers.
const toolsSetup = `
cd ` + toolsRoot + `
echo worker:x:1000:1000::/home/worker:/bin/sh >> etc/passwd
echo worker:x:1000: >> etc/group
echo worker:10000:2000 | tee etc/subuid > etc/subgid
echo 0123456789abcdef0123456789abcdef > etc/machine-id
mkdir -p home/worker bundle/rootfs m
chown 1000:1000 home/worker
cd bundle/rootfs
mkdir bin dev etc proc root run sys tmp usr var
chmod 1777 tmp
echo ID=nested > etc/os-release
touch etc/hosts etc/hostname etc/resolv.conf run/.containerenv # which podman can't always make
ln -s /proc/mounts etc/mtab
cp ../../bin/busybox bin/
for name in sh cat ls mount umount sleep readlink; do ln -s busybox bin/$name; done
cp ` + attackProgram + ` attack
cat > look <<-'END'
	#!/bin/sh
	echo "pid $$"
	for p in /proc/[0-9]*; do echo "process $(cat $p/cmdline | tr '\0' ' ')"; done
	while read line; do echo "mount $line"; done < /proc/self/mountinfo
	[ $# = 0 ] || /attack try "$@"
	for file in kallsyms keys timer_list interrupts kmsg; do
		echo "$file $(timeout 1 head -c 100 /proc/$file 2>/dev/null | wc -c)"
	done
END
cat > ../../usr/local/bin/oci <<-'END'
	#!/bin/sh
	# oci RUNTIME SPEC-OPTION... -- COMMAND...: runs it in a container of the runtime's default
	set -eu
	runtime=$1 options=; shift
	while [ "$1" != -- ]; do options="$options $1"; shift; done
	shift
	args=; for a; do args="$args\"$a\","; done
	dir=$(mktemp -d); cd $dir
	$runtime spec $options
	sed -i -e 's/"terminal": true/"terminal": false/' -e "s|^\([[:space:]]*\)\"sh\"|\1${args%,}|" -e 's|"rootfs"|"/bundle/rootfs"|' config.json
	$runtime --root $dir/state run nested
	cd /; rm -r $dir
END
chmod 755 look ../../usr/local/bin/oci
cp look attack ../..
ln -sf multi-user.target ../../etc/systemd/system/default.target
cp -a . ../../home/worker/rootfs # podman writes to it
chown -R 1000:1000 ../../home/worker/rootfs`

// withTools runs test with the body of a container's file: of profile "system",
// with a copy of the tools' root.
func withTools(t *testing.T, test func(t *testing.T, h *host.Host, body string)) {
	t.Helper()
	withBerth(t, withToolsOn(test))
}

// withToolsOnce is withTools on the thorough suite.
func withToolsOnce(t *testing.T, test func(t *testing.T, h *host.Host, body string)) {
	t.Helper()
	withBerthOnce(t, withToolsOn(test))
}

func withToolsOn(test func(t *testing.T, h *host.Host, body string)) func(t *testing.T, h *host.Host) {
	return func(t *testing.T, h *host.Host) {
		t.Helper()
		withAttacks(t)
		root, err := host.ToolsRoot(t.Context(), h.Suite(), os.Stderr)
		if err != nil && h.Suite().Canary {
			t.Skipf("the canary has no tools today: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		own := filepath.Join(h.RootDir(), toolsRoot)
		shell(t, h, "mkdir -p "+filepath.Dir(toolsRoot))
		t.Cleanup(func() {
			if err := os.RemoveAll(own); err != nil {
				t.Error(err)
			}
		})
		if out, err := exec.Command("cp", "-a", "--reflink=auto", root, own).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		shell(t, h, toolsSetup)
		test(t, h, unrestricted+fmt.Sprintf("[root]\ndirectory = %q\n", toolsRoot))
	}
}

// asWorker runs a command as a plain user of the container.
const asWorker = "env HOME=/home/worker TMPDIR=/home/worker XDG_RUNTIME_DIR=/home/worker setpriv --reuid 1000 --regid 1000 --clear-groups "
