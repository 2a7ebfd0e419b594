/* What is tried: each on a path, or on a descriptor with an empty path. */
#include "mountrace.h"

#include <linux/mount.h>

/* of is a path for the calls that know no descriptors. */
static const char *of(int dir, const char *path)
{
	static char text[ROOM]; /* below 4 GiB, for 32-bit calls */
	if (dir == AT_FDCWD)
		return path;
	snprintf(text, sizeof text, "/proc/self/fd/%d%s%s", dir, *path ? "/" : "", path);
	return text;
}

static unsigned empty(const char *path) { return *path ? 0 : AT_EMPTY_PATH; }

static void unmount(int dir, const char *path, unsigned n)
{
	static const int flags[] = {MNT_DETACH, 0, MNT_FORCE, MNT_DETACH | UMOUNT_NOFOLLOW};
	path = of(dir, path);
	switch (n % 6) {
	case 4:
		count(call_i386(22, path, 0, 0, 0, 0)); /* umount */
		break;
	case 5:
		count(call_i386(52, path, MNT_DETACH, 0, 0, 0)); /* umount2 */
		break;
	default:
		count(umount2(path, flags[n % 4]));
	}
}

static void remount(int dir, const char *path, unsigned n)
{
	path = of(dir, path);
	if (n % 3 == 2)
		count(call_i386(21, NULL, (long)path, 0, MS_REMOUNT | MS_BIND, 0));
	else
		count(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | (n % 3 ? MS_PRIVATE : 0), NULL));
}

static void reconfigure(int dir, const char *path, unsigned n)
{
	static const char *const data[] = {"", "size=64m", "hidepid=0", "mode=777"};
	count(mount(NULL, of(dir, path), NULL, MS_REMOUNT, data[n % LENGTH(data)]));
}

static void move(int dir, const char *path, unsigned n)
{
	(void)n;
	count(mount(of(dir, path), MOVED, NULL, MS_MOVE, NULL));
}

static void move_new(int dir, const char *path, unsigned n)
{
	(void)n;
	count(move_mount_(dir, path, AT_FDCWD, MOVED, *path ? 0 : MOVE_MOUNT_F_EMPTY_PATH));
}

/* A mount of the program's own is put on the path, or beneath what is there. */
static void move_to(int dir, const char *path, unsigned n)
{
	if (!strcmp(current->path, "/"))
		return; /* nobody would find the way back */
	if (!current->fixed)
		n = 1; /* it can be put there, and then nobody gets it away */
	int fd = open_tree(AT_FDCWD, "/tmp/own", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	count(move_mount_(fd, "", dir, path, MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH) | (n % 2 ? 0x200 : 0)));
	close(fd);
}

static void set(int dir, const char *path, unsigned n)
{
	struct attr attr = {.clear = LOCKABLE};
	count(set_attr(dir, path, empty(path) | (n % 2 ? AT_RECURSIVE : 0), &attr, sizeof attr));
}

static void look_at_copy(int fd)
{
	if (fd >= 0 && weak_copy(fd))
		report_weak("a copy lacks flags");
}

static void clone_attr(int dir, const char *path, unsigned n)
{
	struct attr attr = {.clear = LOCKABLE};
	int fd = open_tree_attr(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | empty(path) | (n % 2 ? AT_RECURSIVE : 0), &attr, sizeof attr);
	count(fd);
	look_at_copy(fd);
	close(fd);
}

static void clone_then_set(int dir, const char *path, unsigned n)
{
	struct attr attr = {.clear = LOCKABLE};
	int fd = open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | empty(path));
	count(set_attr(fd, "", AT_EMPTY_PATH | (n % 2 ? AT_RECURSIVE : 0), &attr, sizeof attr));
	look_at_copy(fd);
	close(fd);
}

static void bind_then_remount(int dir, const char *path, unsigned n)
{
	(void)n;
	if (mount(of(dir, path), MOVED, NULL, MS_BIND | MS_REC, NULL)) {
		count(-1);
		return;
	}
	count(mount(NULL, MOVED, NULL, MS_REMOUNT | MS_BIND, NULL));
	int fd = open(MOVED, O_PATH | O_CLOEXEC);
	look_at_copy(fd);
	close(fd);
}

static void pick(int dir, const char *path, unsigned n)
{
	int fd = fs_pick(dir, path, *path ? 0 : FSPICK_EMPTY_PATH);
	if (fd < 0) {
		count(-1);
		return;
	}
	fs_config(fd, FSCONFIG_SET_STRING, n % 2 ? "size" : "hidepid", n % 2 ? "64m" : "0", 0);
	fs_config(fd, FSCONFIG_SET_FLAG, "rw", NULL, 0);
	count(fs_config(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	close(fd);
}

const struct operation operations[] = {
	{"umount", unmount, 1},
	{"remount", remount, 0},
	{"reconfigure", reconfigure, 0},
	{"move", move, 0},
	{"move_mount", move_new, 0},
	{"move_mount-to", move_to, 0},
	{"mount_setattr", set, 0},
	{"open_tree_attr", clone_attr, 0},
	{"open_tree", clone_then_set, 0},
	{"bind", bind_then_remount, 0},
	{"fspick", pick, 0},
};
const size_t operation_count = LENGTH(operations);
