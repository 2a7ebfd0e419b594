/* Flags of a mount, changed by mount(2). */
#include "mountattack.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/statfs.h>

/* kept returns flags of mount(2) that say what a mount has. */
static unsigned long kept(const struct mount *m)
{
	return m->flags | MS_RELATIME; /* ST_* and MS_* have the same bits up to noexec */
}

/* drop_one remounts without one flag. */
static long drop_one(struct attempt *a, const struct operation *o)
{
	return sys_mount(NULL, a->path, NULL, MS_REMOUNT | MS_BIND | (kept(a->mount) & ~o->flags), NULL);
}

/* drop_all remounts without any, and with something else that the call can say. */
static long drop_all(struct attempt *a, const struct operation *o)
{
	return sys_mount("none", a->path, "tmpfs", MS_REMOUNT | MS_BIND | o->flags, "ro");
}

/* there_and_back makes a mount read-only and writable again. */
static long there_and_back(struct attempt *a, const struct operation *o)
{
	(void)o;
	STEP(a, "ro", sys_mount(NULL, a->path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | kept(a->mount), NULL));
	return sys_mount(NULL, a->path, NULL, MS_REMOUNT | MS_BIND | kept(a->mount), NULL);
}

/* reconfigure is about the superblock. */
static long reconfigure(struct attempt *a, const struct operation *o)
{
	return sys_mount(NULL, a->path, NULL, MS_REMOUNT | o->flags, NULL);
}

static long reconfigure_keeping(struct attempt *a, const struct operation *o)
{
	return sys_mount(NULL, a->path, NULL, MS_REMOUNT | kept(a->mount) | o->flags, NULL);
}

/* reconfigure_there_and_back makes the superblock read-only, for all its mounts. */
static long reconfigure_there_and_back(struct attempt *a, const struct operation *o)
{
	(void)o;
	STEP(a, "ro", sys_mount(NULL, a->path, NULL, MS_REMOUNT | MS_RDONLY | kept(a->mount), NULL));
	return sys_mount(NULL, a->path, NULL, MS_REMOUNT | kept(a->mount), NULL);
}

static long reconfigure_with_data(struct attempt *a, const struct operation *o)
{
	(void)o;
	return sys_mount(NULL, a->path, NULL, MS_REMOUNT | kept(a->mount), "size=1g,hidepid=0,context=x");
}

static const struct operation list[] = {
	{"remount-rw", drop_one, DROPS_ONE, MS_RDONLY},
	{"remount-suid", drop_one, DROPS_ONE, MS_NOSUID},
	{"remount-dev", drop_one, DROPS_ONE, MS_NODEV},
	{"remount-exec", drop_one, DROPS_ONE, MS_NOEXEC},
	{"remount-all", drop_all, DROPS | FORMS, 0},
	{"remount-with-magic", drop_all, DROPS, MS_MGC_VAL},
	{"remount-with-private", drop_all, DROPS, MS_PRIVATE},
	{"remount-with-shared", drop_all, DROPS, MS_SHARED | MS_REC},
	{"remount-with-move", drop_all, DROPS, MS_MOVE},
	{"remount-with-rec", drop_all, DROPS, MS_REC},
	{"remount-with-noatime", drop_all, DROPS, MS_NOATIME | MS_NODIRATIME},
	{"remount-with-strictatime", drop_all, DROPS, MS_STRICTATIME},
	{"remount-with-internal", drop_all, DROPS, 1UL << 31 | 1UL << 30 | 1UL << 26 | MS_SILENT}, /* MS_NOUSER, MS_ACTIVE, MS_NOSEC */
	{"remount-with-high", drop_all, DROPS | ONLY_64, 1UL << 40},
	{"remount-ro-rw", there_and_back, WRITABLE, 0},
	{"reconfigure", reconfigure, DROPS | FORMS, 0},
	{"reconfigure-move", reconfigure, DROPS, MS_MOVE | MS_PRIVATE},
	{"reconfigure-same", reconfigure_keeping, 0, 0},
	{"reconfigure-ro-rw", reconfigure_there_and_back, WRITABLE, 0},
	{"reconfigure-data", reconfigure_with_data, 0, 0},
};
const struct operations remounts = {list, LENGTH(list)};
