/* Harmless mounts, each where an initial one is, but below MIRROR. */
#include "mountrace.h"

#include <linux/stat.h>

int is_mounted(const char *path)
{
	struct statx st;
	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &st) == 0 && st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

void make_directories(const char *path)
{
	char made[ROOM];
	for (size_t i = 1; i <= strlen(path); i++)
		if (path[i] == '/' || path[i] == 0) {
			snprintf(made, sizeof made, "%.*s", (int)i, path);
			mkdir(made, 0755);
		}
}

void make_file(const char *path)
{
	char above[ROOM];
	snprintf(above, sizeof above, "%s", path);
	char *slash = strrchr(above, '/');
	*slash = 0;
	make_directories(above);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
}

static void uncover(const struct initial *target)
{
	struct statx st;
	for (int i = 0; i < 100; i++) {
		if (statx(AT_FDCWD, target->path, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &st) || !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
			return;
		for (size_t j = 0; j < initials; j++)
			if (st.stx_mnt_id == initial[j].id)
				return;
		if (umount2(target->path, MNT_DETACH))
			return;
	}
}

/* ensure_mirror is called while nobody disturbs. */
void ensure_mirror(const struct initial *target)
{
	char path[ROOM];
	make_directories(MOVED);
	make_directories(MIRROR MOVED);
	if (may_rename)
		return; /* the mirrors are those of the way */
	uncover(target);
	if (!strcmp(target->path, "/")) {
		if (!is_mounted(MIRROR))
			mount("mirror", MIRROR, "tmpfs", 0, NULL);
		return;
	}
	snprintf(path, sizeof path, MIRROR "%s", target->path);
	if (is_mounted(path))
		return;
	if (target->directory) {
		make_directories(path);
		mount("mirror", path, "tmpfs", 0, NULL);
		return;
	}
	make_file("/tmp/file");
	make_file(path);
	mount("/tmp/file", path, NULL, MS_BIND, NULL);
}

/* clear_moved unmounts what the last attempt has brought there. Were it an initial
 * mount, then it is missed afterwards. */
void clear_moved(void)
{
	while (umount2(MOVED, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
	}
	while (umount2(MIRROR MOVED, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
	}
}
