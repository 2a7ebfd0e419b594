/* Mounts. They are made in a mount namespace of the probe's own, or with
 * arguments that fail after the check of permissions. */
#include "probe.h"

#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>

#define WHERE "/mnt"
#define MNT_DETACH_ 2

/* aside enters a mount namespace that passes nothing on. */
static long aside(void)
{
	long result = call(__NR_unshare, CLONE_NEWNS);
	if (result == 0)
		result = call(__NR_mount, "none", "/", 0, MS_REC | MS_PRIVATE, 0);
	return result;
}

static long mount_new(const struct try *t)
{
	long result = aside();
	if (result < 0)
		return result;
	return call(__NR_mount, "none", WHERE, t->path, 0, t->a ? (const char *)t->a : 0);
}

static long bind(const struct try *t)
{
	long result = aside();
	if (result < 0)
		return result;
	return call(__NR_mount, t->path, WHERE, 0, MS_BIND | t->a, 0);
}

static long remount(const struct try *t)
{
	long result = aside();
	if (result < 0)
		return result;
	return call(__NR_mount, "none", t->path, 0, MS_REMOUNT | MS_BIND | t->a, 0);
}

static long unmount(const struct try *t)
{
	long result = aside();
	if (result < 0)
		return result;
	return call(__NR_umount2, t->path, t->a);
}

/* In the namespace as it is, with what no kernel knows. */
static long mount_unknown(const struct try *t)
{
	return call(__NR_mount, "none", t->path, "probe-no-such-type", 0, 0);
}

static long unmount_nothing(const struct try *t)
{
	return call(__NR_umount2, t->path, 0);
}

static long open_tree(const struct try *t)
{
	return call(__NR_open_tree, AT_CWD, t->path, t->a);
}

static long open_context(const struct try *t)
{
	return call(__NR_fsopen, t->path, 0);
}

static long on_bad_descriptor(const struct try *t)
{
	return call(t->a, -1, -1, -1, -1, -1);
}

static long set_mount(const struct try *t)
{
	struct mount_attr nothing = {0};
	return call(__NR_mount_setattr, AT_CWD, t->path, 0, &nothing, sizeof(nothing));
}

static long pivot(const struct try *t)
{
	return call(__NR_pivot_root, t->path, t->path);
}

void add_mounts(void)
{
	static const char *const types[] = {"tmpfs", "proc", "sysfs", "cgroup2", "devpts", "mqueue", "ramfs", "bpf",
					    "binfmt_misc", "securityfs", "debugfs", "tracefs", "devtmpfs", "configfs", "hugetlbfs",
					    "overlay", "fuse", "ext4"};
	for (size_t i = 0; i < LENGTH(types); i++)
		add_try(join("mount ", types[i]), mount_new, types[i], 0, 0, EINVAL);
	const struct try list[] = {
		{"mount an unknown type on", mount_unknown, "/", 0, 0, ENODEV},
		{"unmount nothing at", unmount_nothing, "/usr/bin", 0, 0, EINVAL},
		{"bind", bind, "/usr", 0, 0, 0},
		{"bind all below", bind, "/usr", MS_REC, 0, 0},
		{"bind", bind, "/", 0, 0, 0},
		{"bind all below", bind, "/", MS_REC, 0, 0},
		{"bind", bind, "/proc", 0, 0, 0},
		{"bind", bind, "/sys", 0, 0, 0},
		{"bind", bind, "/dev", 0, 0, 0},
		{"make read-only", remount, "/", MS_RDONLY, 0, 0},
		{"make writable", remount, "/", 0, 0, 0},
		{"make writable", remount, "/usr", 0, 0, 0},
		{"make writable", remount, "/etc", 0, 0, 0},
		{"make writable", remount, "/proc", 0, 0, 0},
		{"make writable", remount, "/proc/sys", 0, 0, 0},
		{"make writable", remount, "/sys", 0, 0, 0},
		{"make writable", remount, "/sys/fs/cgroup", 0, 0, 0},
		{"make writable", remount, "/srv/probe", 0, 0, 0},
		{"unmount", unmount, "/usr", MNT_DETACH_, 0, 0},
		{"unmount", unmount, "/home", MNT_DETACH_, 0, 0},
		{"unmount", unmount, "/root", MNT_DETACH_, 0, 0},
		{"unmount", unmount, "/proc/sys", MNT_DETACH_, 0, 0},
		{"unmount", unmount, "/proc/kcore", MNT_DETACH_, 0, 0},
		{"unmount", unmount, "/proc", MNT_DETACH_, 0, 0},
		{"unmount", unmount, "/tmp", MNT_DETACH_, 0, 0},
		{"unmount", unmount, "/dev", MNT_DETACH_, 0, 0},
		{"unmount", unmount, "/srv/probe", MNT_DETACH_, 0, 0},
		{"open a tree of", open_tree, "/usr", 0, 0, 0},
		{"clone a tree of", open_tree, "/usr", OPEN_TREE_CLONE, 0, 0},
		{"open a context of", open_context, "tmpfs", 0, 0, 0},
		{"fsconfig", on_bad_descriptor, NULL, __NR_fsconfig, 0, EINVAL},
		{"fsmount", on_bad_descriptor, NULL, __NR_fsmount, 0, EINVAL},
		{"move_mount", on_bad_descriptor, NULL, __NR_move_mount, 0, EINVAL},
		{"set nothing of the mount at", set_mount, "/", 0, 0, 0},
		{"pivot_root", pivot, "/usr", 0, 0, EINVAL},
	};
	add(list, LENGTH(list));
}
