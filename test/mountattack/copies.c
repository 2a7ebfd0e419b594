/* Copies made by mount(2), then with fewer flags; and overlays. */
#include "mountattack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

static long weaken(const char *path)
{
	return sys_mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long bind(struct attempt *a, const struct operation *o)
{
	return sys_mount(a->path, copy_of(a->mount), NULL, MS_BIND | o->flags, NULL);
}

static long bind_and_remount(struct attempt *a, const struct operation *o)
{
	STEP(a, "bind", bind(a, o));
	return weaken(copy_of(a->mount));
}

static long bind_sub(struct attempt *a, const struct operation *o)
{
	const char *sub = joined(a->path, a->mount->sub);
	STEP(a, "bind", sys_mount(sub, "copy", NULL, MS_BIND | o->flags, NULL));
	return weaken("copy");
}

/* bind_again binds a copy of a copy, moved in between. */
static long bind_again(struct attempt *a, const struct operation *o)
{
	(void)o;
	STEP(a, "bind", sys_mount(a->path, "new", NULL, MS_BIND | MS_REC, NULL));
	STEP(a, "private", sys_mount(NULL, "new", NULL, MS_PRIVATE | MS_REC, NULL));
	STEP(a, "bind", sys_mount("new", "copy", NULL, MS_BIND | MS_REC, NULL));
	STEP(a, "umount", sys_umount("new", MNT_DETACH));
	return weaken("copy");
}

/* bind_onto mounts a copy on the mount itself. */
static long bind_onto(struct attempt *a, const struct operation *o)
{
	(void)o;
	STEP(a, "bind", sys_mount(a->path, a->path, NULL, MS_BIND | MS_REC, NULL));
	long result = weaken(top_of(a->path)), undone = sys_umount(top_of(a->path), MNT_DETACH);
	return result < 0 ? result : undone;
}

/* overlay has the mount as its lower layer. */
static long overlay(struct attempt *a, const struct operation *o)
{
	static char data[256];
	(void)o;
	snprintf(data, sizeof(data), "lowerdir=%s,upperdir=upper,workdir=work", a->path);
	return sys_mount("overlay", "copy", "overlay", 0, data);
}

/* overlay_upper has it as its upper layer, which is written. */
static long overlay_upper(struct attempt *a, const struct operation *o)
{
	static char data[256];
	(void)o;
	snprintf(data, sizeof(data), "lowerdir=upper,upperdir=%s/sub,workdir=%s", a->path, a->path);
	return sys_mount("overlay", "copy", "overlay", 0, data);
}

static const struct operation list[] = {
	{"bind", bind, 0, 0},
	{"bind-rec", bind, 0, MS_REC},
	{"bind-remount", bind_and_remount, DROPS | FORMS, 0},
	{"bind-rec-remount", bind_and_remount, DROPS, MS_REC},
	{"bind-sub-remount", bind_sub, DROPS | SUB, 0},
	{"bind-sub-rec-remount", bind_sub, DROPS | SUB, MS_REC},
	{"bind-again-remount", bind_again, DROPS | DIRECTORY, 0},
	{"bind-onto-remount", bind_onto, DROPS, 0},
	{"overlay", overlay, FILES | LAYER, 0},
	{"overlay-upper", overlay_upper, FILES | DROPS_ONE, MS_RDONLY},
};
const struct operations copies = {list, LENGTH(list)};
