/* How a process is placed when it attacks. */
#include "mountattack.h"

#include <errno.h>
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* chroot_above makes the mount's parent directory the root. */
static long chroot_above(const struct mount *m, const char **path)
{
	static char directory[128], below[128];
	strcpy(directory, m->path);
	if (chroot(dirname(directory)) < 0)
		return -errno;
	snprintf(below, sizeof(below), "/%s", strrchr(m->path, '/') + 1);
	*path = below;
	return 0;
}

/* chroot_onto makes the mount itself the root. */
static long chroot_onto(const struct mount *m, const char **path)
{
	if (!m->is_directory)
		return -ENOTSUP;
	*path = "/";
	return chroot(m->path) < 0 ? -errno : 0;
}

/* keep_to_itself makes sure that nothing propagates to the container's mounts. */
static long keep_to_itself(const struct mount *m, const char **path)
{
	(void)m, (void)path;
	return mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0 ? -errno : 0;
}

/* pivot makes a recursive copy of everything the root. */
static long pivot(const struct mount *m, const char **path)
{
	long result = keep_to_itself(m, path);
	if (result < 0)
		return result;
	if (mount("/", "new", NULL, MS_BIND | MS_REC, NULL) < 0 || chdir("new") < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir(SCRATCH) < 0)
		return -errno;
	return 0;
}

const struct context contexts[] = {
	{"as-is", 0, 1, NULL},
	{"chroot", 0, 1, chroot_above},
	{"chroot-onto", 0, 1, chroot_onto},
	{"nested-mount", CLONE_NEWNS, 0, keep_to_itself},
	{"nested-user", CLONE_NEWUSER | CLONE_NEWNS, 0, keep_to_itself},
	{"nested-user-pid", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET, 0, keep_to_itself},
	{"nested-mount-pivot", CLONE_NEWNS, 0, pivot},
	{"nested-user-pivot", CLONE_NEWUSER | CLONE_NEWNS, 0, pivot},
};
const size_t context_count = LENGTH(contexts);

const struct context *find_context(const char *name)
{
	for (size_t i = 0; i < context_count; i++)
		if (strcmp(contexts[i].name, name) == 0)
			return &contexts[i];
	die("no such context");
	return NULL;
}
