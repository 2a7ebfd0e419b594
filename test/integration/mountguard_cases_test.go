package integration

import (
	"fmt"
	"strings"
	"testing"

	"berth/test/host"
)

// The cases that Sysbox's suite tries on mounts, and what it leaves out (marked +).
//
// Initial mounts, read-only and read-write, of directories, files, devices and
// tmpfs; as they are, chrooted, in a mount namespace, +in a user namespace, chrooted
// in a mount namespace, and after pivot_root:
//   - read-only: can't be made writable, may be made read-only once more; a copy
//     can't be made writable either, +nor one of a part of it, +by either generation
//     of mount(8)
//   - writable: may be made read-only and back, or writable; a copy of it the same,
//     and its source stays as it is
//   - mounts of other kinds on top come and go, twice on the same place as well, and
//     so do chains of copies, in the order in which they came
//   - mount points named by a symlink
//   - unmounted as the policy says; /, /proc, /sys and masks never, +nor moved
//   - / where it is read-only
//   - a mount in an inner container that has the path of an initial one is its own
//   - / after everything else was unmounted by force; busybox pivot_root
//
// Overlays: additions, whiteouts, relative paths, several layers, +a read-only mount
// as a layer; images. FUSE. The namespace files of a thread as a source. All
// namespaces at once. Owners of /proc and /sys. What the guard itself could show of
// the host. For procfs and sysfs see mountguard_views_test.go.
//
// Not here: openat2(2) isn't trapped, idmapped sources and leaked descriptors have
// tests of their own.

// casesPrelude begins each script: "fails COMMAND…" wants it to fail, "errno WANT
// OPERATION:PATH" tries one of the attack program's.
const casesPrelude = `
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
fails() { if "$@" >/tmp/out 2>&1; then echo "worked: $*"; exit 1; fi; }
errno() { want=$1; shift; for o; do got=$(/attack try "$o"); [ "$got" = "$o $want" ] || { echo "$got, not $want"; exit 1; }; done; }
mounts() { awk -v path="$1" '$5 == path' /proc/self/mountinfo | wc -l; }
`

// casesMounts are what the scripts work on, below /srv of the container.
const casesMounts = `
[[mounts]]
type = "bind"
source = "/srv/canary"
target = "/srv/ro"
read_only = true
[[mounts]]
type = "bind"
source = "/srv/canary"
target = "/srv/rw"
[[mounts]]
type = "bind"
source = "/srv/canary/file"
target = "/srv/ro-file"
read_only = true
[[mounts]]
type = "bind"
source = "/srv/canary/file"
target = "/srv/rw-file"
[[mounts]]
type = "tmpfs"
target = "/srv/tmp"
`

// withCases runs test with the body of a container that has casesMounts.
func withCases(t *testing.T, test func(t *testing.T, h *host.Host, body string)) {
	t.Helper()
	withToolsOnce(t, func(t *testing.T, h *host.Host, body string) {
		shell(t, h, "mkdir -p /srv/canary/sub; echo x > /srv/canary/file; cd "+toolsRoot+"/srv; mkdir -p ro rw tmp; touch ro-file rw-file; chown -R 4321:4321 /srv/canary")
		t.Cleanup(func() { h.Remove("/srv/canary") })
		test(t, h, body+casesMounts)
	})
}

// contexts are the places from which a script is run: it is "$1".
func contexts() map[string]string {
	const chroot = `mkdir /c; mount --rbind / /c; exec chroot /c sh -euc "$1"`
	return map[string]string{
		"as is":           `exec sh -euc "$1"`,
		"chroot":          chroot,
		"unshare":         `exec unshare -m sh -euc "$1"`,
		"unshare user":    `exec unshare -Urm sh -euc "$1"`,
		"unshare, chroot": `exec unshare -m sh -euc '` + chroot + `' sh "$1"`,
		"unshare, pivot":  `exec unshare -m sh -euc 'mkdir /c; mount --rbind / /c; cd /c; busybox pivot_root . .; umount -l .; cd /; exec sh -euc "$1"' sh "$1"`,
		"twice":           `exec unshare -m unshare -Urm sh -euc "$1"`,
	}
}

// inContext runs a script of cases in a container.
func inContext(t *testing.T, h *host.Host, body, context, script string) {
	t.Helper()
	got := runContainer(t, h, "box", body, "/bin/sh", "-euc", casesPrelude+context, "sh", casesPrelude+script)
	if got.Status != 0 || strings.TrimSpace(got.Stdout+got.Stderr) != "" {
		t.Errorf("%s:\n%+v", script, got)
	}
}

func TestInitialMounts(t *testing.T) {
	cases := map[string]string{
		"read-only can't be made writable": `
			for m in /srv/ro /srv/ro-file /proc/irq /sys; do
				for mount in mount "busybox mount"; do fails $mount -o remount,bind,rw $m; done
				errno EPERM remount-rw:$m setattr-rw:$m
			done
			fails touch /srv/ro /srv/ro/x; fails touch /srv/ro-file`,
		"read-only may be made read-only": `
			for m in /srv/ro /srv/ro-file; do mount -o remount,bind,ro $m; busybox mount -o remount,bind,ro,nosuid,nodev $m; fails touch $m; done`,
		"writable may be made read-only and back": `
			for m in /srv/rw /srv/rw-file /srv/tmp; do
				touch $m; mount -o remount,bind,ro $m; fails touch $m
				mount -o remount,bind,rw $m; touch $m
			done`,
		"a copy of read-only can't be made writable": `
			mkdir /srv/copy; touch /srv/copy-file
			for pair in "/srv/ro /srv/copy" "/srv/ro/sub /srv/copy" "/srv/ro-file /srv/copy-file"; do
				set -- $pair
				for mount in mount "busybox mount"; do for how in --bind --rbind; do
					$mount $how $1 $2; fails touch $2
					fails $mount -o remount,bind,rw $2; fails touch $2
					$mount -o remount,bind,ro $2
					umount $2
				done; done
			done
			errno EPERM bind-rw:/srv/ro bind-rw:/srv/ro/sub clone-rw:/srv/ro clone-rw:/srv/ro/sub`,
		"a copy of writable may be made read-only and back": `
			mkdir /srv/copy; touch /srv/copy-file
			for pair in "/srv/rw /srv/copy" "/srv/tmp /srv/copy" "/srv/rw-file /srv/copy-file"; do
				set -- $pair
				mount --bind $1 $2; touch $2
				mount -o remount,bind,ro $2; fails touch $2; touch $1
				mount -o remount,bind,rw $2; touch $2
				umount $2
			done`,
		"on top of read-only, writable": `
			mount -t tmpfs -o size=1M none /srv/ro; touch /srv/ro/x; umount /srv/ro; fails touch /srv/ro/x
			mount --bind /srv/rw-file /srv/ro-file; touch /srv/ro-file; umount /srv/ro-file; fails touch /srv/ro-file`,
		"on top of writable, read-only": `
			for m in /srv/rw /srv/tmp; do
				mount -t tmpfs -o ro,size=1M none $m; fails touch $m/x; umount $m; touch $m/x; rm $m/x
			done`,
		"stacks and chains of directories": `
			for m in /srv/ro /srv/rw /srv/tmp; do
				was=$(mounts $m)
				mount -t tmpfs none $m; mount -t tmpfs none $m; umount $m; umount $m
				mkdir ${m}2 ${m}3
				mount --bind $m ${m}2; mount --bind ${m}2 ${m}3; umount ${m}3; umount ${m}2
				[ $(mounts $m) = $was ]
			done`,
		"stacks and chains of files": `
			for m in /srv/ro-file /srv/rw-file; do
				was=$(mounts $m)
				mount --bind /dev/null $m; mount --bind /dev/null $m; umount $m; umount $m
				touch ${m}2 ${m}3
				mount --bind $m ${m}2; mount --bind ${m}2 ${m}3; umount ${m}3; umount ${m}2
				[ $(mounts $m) = $was ]
			done`,
		"mount points by symlinks": `
			mkdir /srv/one /srv/two; ln -s /srv/one /srv/link; ln -s srv/two /relative
			mount --bind /srv/link /srv/two; [ $(mounts /srv/two) = 1 ]
			umount /relative; [ $(mounts /srv/two) = 0 ]
			ln -s /srv/ro /srv/to-ro; fails mount -o remount,bind,rw /srv/to-ro; errno EPERM remount-rw:/srv/to-ro`,
		"an overlay of read-only shows it only": `
			mkdir /srv/upper /srv/work /srv/merged
			mount -t overlay -o lowerdir=/srv/ro,upperdir=/srv/upper,workdir=/srv/work none /srv/merged
			echo changed > /srv/merged/file; [ $(cat /srv/ro/file) = x ]
			fails mount -t overlay -o lowerdir=/srv/upper,upperdir=/srv/ro/sub,workdir=/srv/ro/sub none /srv/merged
			umount /srv/merged`,
		"masks stay": `
			for m in /proc/keys /proc/kallsyms /proc/irq /proc/bus /sys/firmware; do fails umount $m; fails umount -l $m; fails mount --move $m /srv/tmp; done
			[ -z "$(cat /proc/keys /proc/kallsyms 2>/dev/null)" ]`,
	}
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		for place, context := range contexts() {
			for name, script := range cases {
				t.Run(place+"/"+name, func(t *testing.T) {
					inContext(t, h, body, context, script+"\nrm -rf /srv/copy* /srv/*2 /srv/*3 /srv/upper /srv/work /srv/merged /srv/one /srv/two /srv/link /srv/to-ro /relative")
					shell(t, h, "rmdir "+toolsRoot+"/c 2>/dev/null || true; [ $(cat /srv/canary/file) = x ]; [ \"$(ls /srv/canary)\" = \"$(printf 'file\\nsub')\" ]")
				})
			}
		}
	})
}

// What the policy says about unmounting, in the container's own mount namespace.
func TestInitialUnmounts(t *testing.T) {
	const never = `
		errno EBUSY umount:/proc detach:/proc umount:/sys detach:/sys umount:/ detach:/
		errno EBUSY detach:/proc/keys detach:/proc/irq umount:/sys/firmware
		errno EPERM move:/srv/rw move:/srv/ro move:/proc move:/dev/shm
		for m in $(awk '{print $5}' /proc/self/mountinfo | sort -r); do umount -f $m 2>/dev/null || true; done
		errno EBUSY umount:/ umount:/proc; ls /proc/self /sys/class >/dev/null`
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		for policy, script := range map[string]string{
			"allow": `
				for m in /srv/ro /srv/rw /srv/tmp /srv/ro-file /dev/shm; do was=$(mounts $m); umount $m; [ $(mounts $m) = $((was - 1)) ]; done
				[ ! -e /srv/ro/file ]; [ ! -s /srv/ro-file ]`,
			"deny": `
				for m in /srv/ro /srv/rw /srv/tmp /srv/ro-file /dev/shm /dev /run /tmp; do
					was=$(mounts $m); errno EPERM umount:$m detach:$m
					[ -d $m ] || continue
					mount -t tmpfs none $m; umount $m; [ $(mounts $m) = $was ]
				done`,
		} {
			body := body + fmt.Sprintf("[mountguard]\nimmutable_unmounts = %q\n", policy)
			t.Run(policy, func(t *testing.T) { inContext(t, h, body, contexts()["as is"], script) })
			t.Run(policy+", never", func(t *testing.T) { inContext(t, h, body, contexts()["as is"], never) })
			t.Run(policy+", root in a mount namespace", func(t *testing.T) {
				inContext(t, h, body, contexts()["unshare"], `
					for m in $(awk '{print $5}' /proc/self/mountinfo | sort -r); do umount -f $m 2>/dev/null || true; done
					fails umount -f /; fails umount -l /; [ -x /bin/sh ]`)
			})
		}
	})
}

// A read-only root stays read-only; what its owner has lifted doesn't.
func TestInitialRoot(t *testing.T) {
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		readOnly := strings.Replace(body, "[[mounts]]", "read_only = true\n[[mounts]]", 1)
		for place, context := range contexts() {
			if strings.Contains(context, "mkdir") {
				continue
			}
			t.Run(place, func(t *testing.T) {
				inContext(t, h, readOnly, context, `
					fails touch /x; mount -o remount,bind,ro /; fails mount -o remount,bind,rw /; errno EPERM remount-rw:/ setattr-rw:/ bind-rw:/ bind-rw:/usr clone-rw:/
					fails touch /x; fails touch /usr/x`)
			})
		}
		t.Run("allowed", func(t *testing.T) {
			inContext(t, h, readOnly+"[mountguard]\nimmutable_remounts = \"allow\"\n", contexts()["as is"], `
				fails touch /x; mount -o remount,bind,rw /; touch /x; rm /x; mount -o remount,bind,rw /srv/ro; touch /srv/ro
				fails mount -o remount,bind,rw /proc/irq; fails mount -o remount,bind,rw /sys; errno EPERM remount-rw:/proc/bus`)
		})
	})
}

// Roots are changed in namespaces that the container has made, not in its own.
func TestPivotRoot(t *testing.T) {
	const pivot = `
		mkdir -p /new/old; mount --rbind /bundle/rootfs /new; mkdir -p /new/old
		cd /new; busybox pivot_root . old; cd /; /bin/busybox mount --make-rprivate /old; /bin/busybox umount -l /old
		/bin/busybox test -e /look; ! /bin/busybox test -e /old/bin; /bin/busybox rmdir /old`
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		inContext(t, h, body, contexts()["unshare"], pivot)
		inContext(t, h, body, contexts()["unshare user"], pivot)
		inContext(t, h, body, contexts()["as is"], `
			mkdir -p /new/old; mount --rbind /bundle/rootfs /new; mkdir -p /new/old; cd /new
			fails busybox pivot_root . old; fails busybox pivot_root . .; [ -x /usr/bin/sh ]`)
		shell(t, h, "rmdir "+toolsRoot+"/new/old "+toolsRoot+"/new 2>/dev/null || rmdir "+toolsRoot+"/new")
	})
}

// An inner container's mounts are its own, whatever they are called.
func TestInnerContainerMounts(t *testing.T) {
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		for name, script := range map[string]string{
			"same path":  "mkdir -p /srv/ro; mount --bind /srv/ro /srv/ro; touch /srv/ro/x; mount -o remount,bind,ro /srv/ro; ! touch /srv/ro/x 2>/dev/null; mount -o remount,bind,rw /srv/ro; touch /srv/ro/x; umount /srv/ro",
			"read-only":  "! mount -o remount,bind,rw /ro 2>/dev/null; ! touch /ro/x 2>/dev/null; mount -o remount,bind,ro /ro; umount /ro",
			"writable":   "touch /rw; mount -o remount,bind,ro /rw; ! touch /rw 2>/dev/null; mount -o remount,bind,rw /rw; touch /rw; umount /rw",
			"copies":     "mkdir /copy; mount --bind /ro /copy; ! mount -o remount,bind,rw /copy 2>/dev/null; ! touch /copy 2>/dev/null; umount /copy; mount --bind /rw /copy; mount -o remount,bind,ro /copy; touch /rw; umount /copy",
			"on top":     "mount -t tmpfs none /ro; touch /ro/x; umount /ro; ! touch /ro/x 2>/dev/null; mount -t tmpfs -o ro none /rw; ! touch /rw/x 2>/dev/null; umount /rw; touch /rw",
			"unshared":   "unshare -Urmpf sh -euc 'mount -t proc proc /proc; ! cat /proc/keys 2>/dev/null; ! mount -o remount,bind,rw /ro 2>/dev/null'",
			"everything": "umount -a -l 2>/dev/null || true; ! umount / 2>/dev/null; ls / >/dev/null",
		} {
			t.Run(name, func(t *testing.T) {
				shell(t, h, "cd "+toolsRoot+"/bundle/rootfs/bin; for a in mkdir touch unshare; do ln -sf busybox $a; done")
				inContext(t, h, body, contexts()["as is"],
					podman("crun")+"--privileged --volume /srv/ro:/ro --volume /srv/rw:/rw --rootfs /bundle/rootfs sh -euc '"+strings.ReplaceAll(script, "'", `'\''`)+"'")
			})
		}
	})
}

func TestOtherMounts(t *testing.T) {
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		for name, script := range map[string]string{
			"overlay": `
				mkdir -p /var/o/lower/dir /var/o/lower2 /var/o/upper /var/o/work /var/o/merged; touch /var/o/lower/a /var/o/lower/dir/b /var/o/lower2/c
				cd /var/o; mount -t overlay -o userxattr,lowerdir=lower:lower2,upperdir=upper,workdir=work none merged
				[ -e merged/a ] && [ -e merged/dir/b ] && [ -e merged/c ]
				touch merged/new; mkdir merged/newdir; [ -e upper/new ] && [ -d upper/newdir ]
				rm merged/a; rm -r merged/dir; [ -c upper/a ] && [ -c upper/dir ] && [ -e lower/a ]; fails cat merged/a
				umount merged; [ $(mounts /var/o/merged) = 0 ]; rm -r /var/o`,
			"namespace files": `
				touch /tmp/net; mount --bind /proc/thread-self/ns/net /tmp/net; nsenter --net=/tmp/net true; umount /tmp/net
				mount --bind /proc/self/task/1/ns/net /tmp/net 2>/dev/null || mount --bind /proc/1/task/1/ns/net /tmp/net; umount /tmp/net`,
			"all namespaces": `[ $(unshare -mipuCnUrT -f --mount-proc sh -c 'echo $$') = 1 ]`,
			"owners":         `touch /own; chown 1:1 /own; [ $(stat -c %u /own) = 1 ]; rm /own; fails chown 0:0 /sys; fails chown 1:1 /proc/irq`,
			"kinds": `
				for fs in tmpfs ramfs mqueue devpts cgroup2 proc sysfs; do for mount in mount "busybox mount"; do
					$mount -t $fs none /m; [ $(stat -f -c %i /m | wc -l) = 1 ]; umount /m
					unshare -UrmpniCf $mount -t $fs none /m
				done; done
				for fs in devtmpfs debugfs tracefs securityfs bpf hugetlbfs ext4; do fails mount -t $fs none /m; fails busybox mount -t $fs none /m; done
				[ $(mounts /m) = 0 ]`,
			"moves of one's own": `
				mkdir /tmp/a /tmp/b; mount -t tmpfs none /tmp/a; touch /tmp/a/x; mount --move /tmp/a /tmp/b; [ -e /tmp/b/x ]; busybox mount --move /tmp/b /tmp/a; [ -e /tmp/a/x ]
				mount --move /tmp/a /srv/ro; [ -e /srv/ro/x ]; umount /srv/ro; [ -e /srv/ro/file ]`,
		} {
			t.Run(name, func(t *testing.T) { inContext(t, h, body, contexts()["as is"], script) })
		}
		t.Run("FUSE", func(t *testing.T) {
			body := body + "[[mounts]]\ntype = \"bind\"\nsource = \"/dev/fuse\"\ntarget = \"/dev/fuse\"\noptions = [\"dev\"]\n[resources]\nDeviceAllow = [\"/dev/fuse rw\"]\n"
			got := runContainer(t, h, "box", body, "/bin/sh", "-euc", casesPrelude+`
				mkdir -p /var/f/lower /var/f/upper /var/f/work /var/f/merged; touch /var/f/lower/a; cd /var/f
				fuse-overlayfs -o lowerdir=lower,upperdir=upper,workdir=work merged; [ -e merged/a ]; touch merged/b; [ -e upper/b ]
				umount ./merged; fails ls merged/a; rm -r /var/f`)
			if got.Status != 0 || got.Stdout != "" {
				t.Errorf("got %+v", got)
			}
		})
	})
}
