/* Propagation, mounts on top, and new instances of /proc and /sys. */
#include "mountattack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

/* change_propagation ends it again: a copy of what is shared would take the mount
 * with it when it is unmounted. */
static long change_propagation(struct attempt *a, const struct operation *o)
{
	long result = sys_mount(NULL, a->path, NULL, o->flags, NULL);
	if (result == 0)
		sys_mount(NULL, a->path, NULL, MS_SLAVE | (o->flags & MS_REC), NULL);
	return result;
}

static long setattr_propagation(struct attempt *a, const struct operation *o)
{
	static struct mount_attr attr;
	attr.propagation = o->flags;
	long result = sys_mount_setattr(a->dir, a->path, 0, &attr, sizeof(attr));
	if (result == 0)
		sys_mount(NULL, a->path, NULL, MS_SLAVE, NULL);
	return result;
}

/* cover mounts on the mount, which is always free, and takes it away again. */
static long cover(struct attempt *a, const struct operation *o)
{
	(void)o;
	STEP(a, "bind", sys_mount(a->mount->is_directory ? "upper" : "copy-file", a->path, NULL, MS_BIND, NULL));
	long result = sys_umount(top_of(a->path), 0);
	if (result < 0)
		umount2(top_of(a->path), MNT_DETACH);
	return result;
}

static const char *type(const struct attempt *a)
{
	return strcmp(a->mount->name, "sys") == 0 ? "sysfs" : "proc";
}

static long new_view(struct attempt *a, const struct operation *o)
{
	return sys_mount("none", "copy", type(a), o->flags, NULL);
}

static long new_view_by_context(struct attempt *a, const struct operation *o)
{
	(void)o;
	long context = sys_fsopen(type(a));
	STEP(a, "fsopen", context);
	STEP(a, "fsconfig", sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL));
	long tree = sys_fsmount(context);
	STEP(a, "fsmount", tree);
	return sys_move_mount(tree, "", AT_FDCWD, "copy", MOVE_MOUNT_F_EMPTY_PATH);
}

/* new_view_weakened takes flags and masks off the new instance. */
static long new_view_weakened(struct attempt *a, const struct operation *o)
{
	(void)o;
	STEP(a, "mount", new_view(a, o));
	return sys_umount(joined("copy", a->mount->hidden), MNT_DETACH);
}

static const struct operation list[] = {
	{"shared", change_propagation, 0, MS_SHARED},
	{"private", change_propagation, 0, MS_PRIVATE},
	{"slave", change_propagation, 0, MS_SLAVE},
	{"unbindable", change_propagation, 0, MS_UNBINDABLE},
	{"shared-rec", change_propagation, 0, MS_SHARED | MS_REC},
	{"setattr-shared", setattr_propagation, 0, MS_SHARED},
	{"setattr-private", setattr_propagation, 0, MS_PRIVATE},
	{"cover", cover, 0, 0},
	{"new", new_view, NEW_VIEW, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"new-plain", new_view, NEW_VIEW, 0},
	{"new-fsmount", new_view_by_context, NEW_VIEW, 0},
	{"new-unmask", new_view_weakened, NEW_VIEW, 0},
};
const struct operations others = {list, LENGTH(list)};
