# Runs as PID 1 of fresh mount, PID, UTS, IPC and network namespaces, inside
# the cgroup that is to be the root of the private host's own hierarchy, and
# ends as that host's systemd.
#
# $1  the host's root, a plain directory
# $2  the checkout, seen read-only as /opt/berth
# $3  the suite's pristine root, seen read-only as /opt/debian
# $4  a free name for the old root below $1, an absolute path inside the new
set -eu
root=$1 source=$2 debian=$3 old=$4

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs "$root/run"

# No /dev/kmsg: what the private host logs is not the machine's kernel log.
mount -t tmpfs -o nosuid,noexec,mode=0755 tmpfs "$root/dev"
mkdir -p "$root/dev/net" "$root/dev/pts" "$root/dev/shm"
for device in null zero full random urandom tty fuse net/tun loop-control; do
	if [ -c "/dev/$device" ]; then cp -a "/dev/$device" "$root/dev/$device"; fi
done
mount -t devpts -o newinstance,nosuid,noexec,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"

mkdir -p "$root/opt/berth" "$root/opt/debian" "$root$old"
mount --bind "$source" "$root/opt/berth"
mount -o remount,bind,ro "$root/opt/berth"
mount --bind "$debian" "$root/opt/debian"
mount -o remount,bind,ro "$root/opt/debian"

# systemd raises fs.file-max and fs.nr_open when it starts, and those are the
# machine's. The cover goes when the host is up: with a part of /proc covered
# the kernel refuses a new procfs to user namespaces.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,ro "$root/proc/sys"

cd "$root"
pivot_root . ".$old"
umount -l "$old"
rmdir "$old"
exec /usr/bin/env -i container=berth-host PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
	/lib/systemd/systemd --show-status=no
