package integration

import (
	"strings"
	"testing"

	"berth/test/host"
)

// What Sysbox's suite tries on new procfs and sysfs mounts, and what it leaves out
// (marked +): paths of every kind, +by descriptors and magic links, +too long, empty
// or of no directory; who may mount; the masks and read-only parts of a new one,
// read-only ones, one on another; the same values through each, and other ones in
// another container; changes of the mount's flags, of hidepid, moves; unmounting it
// and what is in it; copies of it and of parts of it; propagation.

// viewsPrelude has functions that look at views. "views TYPE PATH" prints what lies
// on a mount of procfs or sysfs, below its mount point, and how; "replica TYPE PATH"
// wants that to be as in the container's own.
const viewsPrelude = casesPrelude + `
views() {
	awk -v top="$1" '$5 == top { id = $1 } { parent[$1] = $2; path[$1] = $5; flags[$1] = substr($6, 1, 2) }
		END { for (i in parent) if (parent[i] == id) print substr(path[i], length(top) + 1), flags[i] }' /proc/self/mountinfo | grep -v ^/fs/cgroup | sort
}
replica() {
	[ "$(views $1)" = "$(views $2)" ] || { echo "$2 is not as $1:"; views $1; views $2; exit 1; }
	[ -n "$(views $1)" ]
	[ $(stat -f -c %t $1) = $(stat -f -c %t $2) ]
}
mkdir -p /tmp/a/b/c /tmp/d
`

// runViews runs a script for procfs and for sysfs, which it calls $fs and, where
// the container has its own, $own.
func runViews(t *testing.T, h *host.Host, body, context, script string) {
	t.Helper()
	for fs, own := range map[string]string{"proc": "/proc", "sysfs": "/sys"} {
		got := runContainer(t, h, "box", body, "/bin/sh", "-euc", casesPrelude+context, "sh", viewsPrelude+"fs="+fs+" own="+own+"\n"+script)
		if got.Status != 0 || strings.TrimSpace(got.Stdout+got.Stderr) != "" {
			t.Errorf("%s: %s:\n%+v", fs, script, got)
		}
	}
}

func TestNewViews(t *testing.T) {
	cases := map[string]string{
		"paths": `
			ok() { replica $own /tmp/a/b/c; umount /tmp/a/b/c; [ $(mounts /tmp/a/b/c) = 0 ]; }
			ln -s a/b /tmp/middle; ln -s a/b/c /tmp/end; ln -s /tmp/a/b/c /tmp/absolute; ln -s absolute /tmp/chain
			for mount in mount "busybox mount"; do
				$mount -t $fs none /tmp/a/b/c; ok
				cd /tmp/a; $mount -t $fs none b/c; ok
				cd /tmp/a/b; $mount -t $fs none ../../../tmp/a/b/c; ok; $mount -t $fs none ./c; ok
				cd /tmp/a/b/c; $mount -t $fs none .; cd /; ok
				cd /tmp; for path in middle/c end absolute chain; do $mount -t $fs none $path; ok; done
				cd /tmp/d; exec 5</tmp/a/b/c; $mount -t $fs none /proc/self/fd/5; ok; $mount -t $fs none /dev/fd/5; ok; exec 5<&-
			done`,
		"no paths": `
			touch /tmp/file; ln -s nowhere /tmp/dangling; ln -s loop /tmp/loop; long=$(printf %04096d 0)
			for mount in mount "busybox mount"; do
				for path in /nowhere /tmp/file /tmp/file/x /tmp/dangling /tmp/loop /$long /proc/self/fd/99 /proc/99999/root; do fails $mount -t $fs none $path; done
				fails $mount -t $fs none ""
			done`,
		"a replica": `
			mount -t $fs none /tmp/d; replica $own /tmp/d
			for file in keys kallsyms timer_list kmsg interrupts; do [ -z "$(head -c 10 /tmp/d/$file 2>/dev/null)" ]; done
			fails touch /tmp/d/irq/default_smp_affinity; fails sh -c "echo 1 > /tmp/d/sys/kernel/panic_print"; fails sh -c "echo 2 > /tmp/d/kernel/profiling"`,
		"read-only": `
			mount -o ro -t $fs none /tmp/d; [ "$(views $own | cut -d' ' -f1)" = "$(views /tmp/d | cut -d' ' -f1)" ]
			fails mkdir /tmp/d/x; fails touch /tmp/d/sys/net/ipv4/ip_forward; fails sh -c "echo 1 > /tmp/d/sys/net/ipv4/ip_forward"
			awk '$5 == "/tmp/d"' /proc/self/mountinfo | grep -q ' /tmp/d ro,'`,
		"one on another": `
			mount -t $fs none /tmp/d; mount -t $fs none /tmp/d; replica $own /tmp/d; umount /tmp/d; replica $own /tmp/d; umount /tmp/d
			was=$(mounts $own); mount -t $fs none $own; [ $(mounts $own) = $((was + 1)) ]; umount $own; [ $(mounts $own) = $was ]`,
		"moves": `
			mount -t $fs none /tmp/d; mount --move /tmp/d /tmp/a; replica $own /tmp/a; [ $(mounts /tmp/d) = 0 ]
			busybox mount -o move /tmp/a /tmp/d; replica $own /tmp/d; umount /tmp/d`,
		"what is in it can't be unmounted": `
			mount -t $fs none /tmp/d; was=$(views /tmp/d)
			for path in $(views /tmp/d | cut -d' ' -f1); do
				fails umount /tmp/d$path; fails umount -l /tmp/d$path; fails umount -f /tmp/d$path; fails mount --move /tmp/d$path /tmp/a
				fails mount -o remount,bind,rw /tmp/d$path; fails busybox mount -o remount,rw /tmp/d$path
			done
			[ "$was" = "$(views /tmp/d)" ]; replica $own /tmp/d; umount /tmp/d; [ $(mounts /tmp/d) = 0 ]`,
		"copies": `
			mount --rbind $own /tmp/d; replica $own /tmp/d; umount -l /tmp/d
			if mount --bind $own /tmp/d 2>/dev/null; then replica $own /tmp/d; umount -l /tmp/d; fi
			mount -t $fs none /tmp/d; mount --rbind /tmp/d /tmp/a; replica $own /tmp/a; umount -l /tmp/a
			for path in $(views $own | cut -d' ' -f1); do
				if [ -d $own$path ]; then target=/tmp/a; else target=/tmp/file; touch $target; fi
				for from in $own /tmp/d; do
					mount --bind $from$path $target; fails mount -o remount,bind,rw $target; fails mkdir $target/x; umount $target
				done
			done`,
		"on top of what is in it": `
			mount -t $fs none /tmp/d
			for top in $own /tmp/d; do for path in $(views $own | cut -d' ' -f1); do
				was=$(mounts $top$path)
				if [ -d $top$path ]; then mount -t tmpfs none $top$path; else mount --bind /dev/null $top$path; fi
				[ $(mounts $top$path) = $((was + 1)) ]; umount $top$path; [ $(mounts $top$path) = $was ]
				mount --bind $top$path $top$path; umount $top$path; [ $(mounts $top$path) = $was ]
			done; done`,
		"propagation": `
			node=version; [ $fs = proc ] || node=kernel/notes
			mount --rbind $own /tmp/d; mount --make-rprivate /tmp/d; mount --bind /dev/null /tmp/d/$node; [ -s $own/$node ] || [ -c $own/$node ] && ! [ -c $own/$node ]; umount /tmp/d/$node; umount -l /tmp/d
			mount --make-rshared $own; mount --rbind $own /tmp/d; mount --bind /dev/null $own/$node; [ -c /tmp/d/$node ]; umount /tmp/d/$node; [ ! -c $own/$node ]
			mount --make-rslave /tmp/d; mount --bind /dev/null $own/$node; [ -c /tmp/d/$node ]; umount /tmp/d/$node; [ -c $own/$node ]; umount $own/$node; umount -l /tmp/d
			mount --make-runbindable $own; fails mount --rbind $own /tmp/d`,
		"flags of one's own": `
			for mount in mount "busybox mount"; do
				$mount -t $fs none /tmp/d; $mount -o remount,bind,ro /tmp/d; fails mkdir /tmp/d/x
				if [ $fs = proc ]; then
					$mount -o remount,bind,rw /tmp/d; replica $own /tmp/d
					$mount -o remount,ro,nosuid,nodev,noexec /tmp/d; $mount -o remount,rw,nosuid,nodev,noexec /tmp/d
				fi
				umount /tmp/d
			done
			mount -t $fs -o ro none /tmp/d; [ $fs = sysfs ] || mount -o remount,bind,rw /tmp/d; umount /tmp/d`,
	}
	places := map[string]string{
		"as is":          `exec sh -euc "$1"`,
		"unshare":        `exec unshare -m sh -euc "$1"`,
		"user namespace": `exec unshare -Urmpnf --mount-proc sh -euc "$1"`,
		"chroot":         `mkdir -p /tmp/c; mount --rbind / /tmp/c; exec chroot /tmp/c sh -euc "$1"`,
	}
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		for place, context := range places {
			for name, script := range cases {
				t.Run(place+"/"+name, func(t *testing.T) { runViews(t, h, body, context, script) })
			}
		}
	})
}

// Who may mount is as the kernel has it: root of the namespaces that are shown.
func TestNewViewsPermissions(t *testing.T) {
	const user = "setpriv --reuid 1000 --regid 1000 --clear-groups "
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		runViews(t, h, body, contexts()["as is"], `
			chmod 755 /tmp/a /tmp/d; mkdir -m 600 /tmp/closed /tmp/closed/d; mkdir -m 777 /tmp/open
			for mount in mount "busybox mount"; do
				fails `+user+`$mount -t $fs none /tmp/open
				fails setpriv --bounding-set -sys_admin $mount -t $fs none /tmp/d
				fails setpriv --bounding-set -dac_override,-dac_read_search $mount -t $fs none /tmp/closed/d
				fails `+user+`--inh-caps +sys_admin --ambient-caps +sys_admin $mount -t $fs none /tmp/closed/d
				# Not the one who made the PID or network namespace.
				fails unshare -Urm $mount -t $fs none /tmp/d; fails `+user+`unshare -Urm $mount -t $fs none /tmp/d
				unshare -Urmpnf $mount -t $fs none /tmp/d; `+user+`unshare -Urmpnf $mount -t $fs none /tmp/open
			done
			errno ok mount-proc: mount-sysfs:
			[ $(`+user+`--inh-caps +sys_admin --ambient-caps +sys_admin /attack try mount-proc: mount-sysfs: | grep -c " ok") = 2 ]
			[ $(mounts /tmp/d) = 0 ]; [ $(mounts /tmp/open) = 0 ]`)
	})
}

func TestNewProcOptions(t *testing.T) {
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		for name, script := range map[string]string{
			"hidepid": `
				mount -t proc -o hidepid=invisible none /tmp/d; chmod 755 /tmp; ls -d /tmp/d/1 >/dev/null; fails setpriv --reuid 1000 --clear-groups ls -d /tmp/d/1
				umount /tmp/d; mount -t proc none /tmp/d; setpriv --reuid 1000 --clear-groups ls -d /tmp/d/1 >/dev/null
				mount -o remount,hidepid=2 /tmp/d; fails setpriv --reuid 1000 --clear-groups ls -d /tmp/d/1; ls -d /proc/1 >/dev/null; replica /proc /tmp/d`,
			"subset":       `mount -t proc -o subset=pid none /tmp/d; [ -e /tmp/d/1 ]; [ ! -e /tmp/d/cpuinfo ]; [ ! -e /tmp/d/keys ]; busybox mount -t proc -o hidepid=2,subset=pid none /tmp/a; [ ! -e /tmp/a/keys ]`,
			"unknown":      `fails mount -t proc -o nonsense=1 none /tmp/d; fails busybox mount -t proc -o nonsense none /tmp/d; fails mount -t sysfs -o hidepid=2 none /tmp/d; [ $(mounts /tmp/d) = 0 ]`,
			"one's own":    `mount -o remount,bind,ro /sys; fails mount -o remount,bind,rw /sys; mount -t sysfs none /tmp/d; replica /sys /tmp/d`,
			"same values":  `mount -t proc none /tmp/d; mount -t proc none /tmp/a; f=sys/net/ipv4/ip_forward; for v in 1 0 1; do for to in /proc /tmp/d /tmp/a; do echo $v > $to/$f; [ $(cat /proc/$f)$(cat /tmp/d/$f)$(cat /tmp/a/$f) = $v$v$v ]; done; done; umount /tmp/d; [ $(cat /tmp/a/$f) = 1 ]`,
			"own PIDs":     `unshare -pf --mount-proc sh -c 'mount -t proc none /tmp/d; [ $(ls -d /tmp/d/[0-9]* | wc -l) -le 4 ]; readlink /tmp/d/self >/dev/null'`,
			"of the child": `unshare -p mount -t proc none /tmp/d 2>/dev/null || true; [ $(mounts /tmp/d) = 0 ] || [ -e /tmp/d/1/exe ]`,
		} {
			t.Run(name, func(t *testing.T) {
				got := runContainer(t, h, "box", body, "/bin/sh", "-euc", viewsPrelude+script)
				if got.Status != 0 || got.Stdout+got.Stderr != "" {
					t.Errorf("%s:\n%+v", script, got)
				}
			})
		}
		t.Run("another container", func(t *testing.T) {
			other := idle(t, h, "other", unrestricted)
			inside(t, h, body, "mkdir -p /tmp/d; mount -t proc none /tmp/d; echo 1 > /tmp/d/sys/net/ipv4/ip_forward")
			if got := other.sh("cat /proc/sys/net/ipv4/ip_forward"); got != "0" {
				t.Errorf("the other container's value is %s", got)
			}
			other.stop()
		})
	})
}

// While the guard works for a container, nothing of it can be seen or reached from
// within: no process that isn't the container's, no descriptor, no mount.
func TestGuardIsNotVisible(t *testing.T) {
	withCases(t, func(t *testing.T, h *host.Host, body string) {
		got := runContainer(t, h, "box", body, "/bin/sh", "-euc", viewsPrelude+`
			(for i in $(seq 100); do mount -t proc none /tmp/d; umount /tmp/d; unshare -pf --mount-proc true; done) & loop=$!
			while kill -0 $loop 2>/dev/null; do
				for p in $(ls -d /proc/[0-9]* 2>/dev/null | grep -vx /proc/1); do
					name=$(cat $p/comm 2>/dev/null) || continue
					case $name in sh|ls|grep|seq|mount|umount|unshare|true|cat|awk) continue;; esac
					readlink $p/exe $p/root $p/cwd || ls $p/fd || cat $p/environ || kill -CONT ${p#/proc/} || continue
					echo "$name is open"
				done 2>/dev/null
			done
			[ $(ls /proc/self/fd | wc -l) -le 4 ]; ! grep -l seccomp /proc/*/fdinfo/* 2>/dev/null; [ $(mounts /tmp/d) = 0 ]`)
		if got.Status != 0 || got.Stdout != "" {
			t.Errorf("got %+v", got)
		}
	})
}
