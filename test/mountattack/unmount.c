/* Ways to get rid of a mount. */
#include "mountattack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

static long unmount(struct attempt *a, const struct operation *o)
{
	return sys_umount(a->path, o->flags);
}

static long unmount_old(struct attempt *a, const struct operation *o)
{
	(void)o;
	return sys_umount_old(a->path);
}

/* expire marks the mount first. */
static long expire(struct attempt *a, const struct operation *o)
{
	long result = sys_umount(a->path, MNT_EXPIRE | o->flags);
	return result == -EAGAIN ? sys_umount(a->path, MNT_EXPIRE | o->flags) : result;
}

static long move(struct attempt *a, const struct operation *o)
{
	return sys_mount(a->path, copy_of(a->mount), NULL, MS_MOVE | o->flags, NULL);
}

#define EMPTY_SOURCE 4 /* MOVE_MOUNT_F_EMPTY_PATH */

static long move_mount_to_copy(struct attempt *a, const struct operation *o)
{
	(void)o;
	return sys_move_mount(a->dir, a->path, AT_FDCWD, copy_of(a->mount), a->empty ? EMPTY_SOURCE : 0);
}

/* move_tree moves what an O_PATH descriptor of open_tree(2) without a clone is of. */
static long move_tree(struct attempt *a, const struct operation *o)
{
	(void)o;
	long fd = sys_open_tree(AT_FDCWD, a->path, O_CLOEXEC);
	STEP(a, "open_tree", fd);
	return sys_move_mount(fd, "", AT_FDCWD, copy_of(a->mount), EMPTY_SOURCE);
}

static const struct operation list[] = {
	{"umount", unmount, SPOILS, 0},
	{"umount-lazy", unmount, SPOILS | FORMS, MNT_DETACH},
	{"umount-force", unmount, SPOILS, MNT_FORCE},
	{"umount-lazy-force", unmount, SPOILS, MNT_FORCE | MNT_DETACH},
	{"umount-nofollow", unmount, SPOILS, UMOUNT_NOFOLLOW},
	{"umount-expire", expire, SPOILS, 0},
	{"umount-high", unmount, SPOILS | ONLY_64, 1UL << 32 | MNT_DETACH},
	{"umount-unknown", unmount, 0, 1UL << 20 | MNT_DETACH},
	{"umount-old", unmount_old, SPOILS | ONLY_32, 0},
	{"move", move, SPOILS | FORMS, 0},
	{"move-rec", move, SPOILS, MS_REC | MS_MGC_VAL},
	{"move_mount", move_mount_to_copy, SPOILS | FORMS | AT, 0},
	{"move_mount-tree", move_tree, SPOILS, 0},
};
const struct operations unmounts = {list, LENGTH(list)};
