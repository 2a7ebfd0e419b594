/* Games with the root directory. */
#include "mountattack.h"

#include <errno.h>
#include <sys/mount.h>
#include <unistd.h>

static long weaken(const char *path)
{
	return sys_mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL);
}

/* onto makes the mount the root, below which the old root is mounted on it. */
static long onto(struct attempt *a, const struct operation *o)
{
	(void)o;
	long result = sys_pivot_root(a->path, a->path);
	if (result < 0)
		return result;
	a->plain = "/";
	return sys_umount("/", MNT_DETACH);
}

static long onto_and_remount(struct attempt *a, const struct operation *o)
{
	STEP(a, "pivot_root", onto(a, o));
	return chdir("/") < 0 ? -errno : weaken("/");
}

/* as_old puts the old root on a copy of the mount, and takes it away from there. */
static long as_old(struct attempt *a, const struct operation *o)
{
	STEP(a, "bind", sys_mount("/", "new", NULL, MS_BIND | MS_REC, NULL));
	STEP(a, "pivot_root", sys_pivot_root("new", joined("new", a->path)));
	STEP(a, "chdir", chdir("/") < 0 ? -errno : 0);
	STEP(a, "umount", sys_umount(a->path, MNT_DETACH));
	return o->kind & DROPS ? weaken(a->path) : 0;
}

/* leave_and_unmount makes a tmpfs the root, below which the old one is, and takes
 * away the mount there. */
static long leave_and_unmount(struct attempt *a, const struct operation *o)
{
	STEP(a, "tmpfs", sys_mount("tmpfs", "new", "tmpfs", 0, NULL));
	STEP(a, "mkdir", mkdir("new/old", 0755) < 0 ? -errno : 0);
	STEP(a, "pivot_root", sys_pivot_root("new", "new/old"));
	STEP(a, "chdir", chdir("/") < 0 ? -errno : 0);
	a->plain = joined("/old", a->path);
	if (o->flags == 0)
		return sys_umount(a->plain, MNT_DETACH);
	return weaken(a->plain);
}

static const struct operation list[] = {
	{"pivot-onto", onto, SPOILS | DIRECTORY, 0},
	{"pivot-onto-remount", onto_and_remount, SPOILS | DIRECTORY | DROPS, 0},
	{"pivot-old", as_old, SPOILS | DIRECTORY, 0},
	{"pivot-old-remount", as_old, SPOILS | DIRECTORY | DROPS, 0},
	{"pivot-umount", leave_and_unmount, SPOILS, 0},
	{"pivot-remount", leave_and_unmount, SPOILS | DROPS, LOCKABLE},
};
const struct operations pivots = {list, LENGTH(list)};
