/* The mounts under attack. The test mounts the same directory at all of /srv but
 * node: program, setuid (the same with its setuid bit), device (/dev/zero's) and
 * sub with the same again. They belong to the container's root. */
#include "mountattack.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define IP_FORWARD "net/ipv4/ip_forward" /* root's, of the network namespace */
#define LOOPBACK "devices/virtual/net/lo"

/* What is mounted on others comes first: it is attacked first. */
struct mount mounts[] = {
	{.name = "ro", .path = "/srv/ro", .sub = "sub", .write = "", .has_files = 1},
	{.name = "rw", .path = "/srv/rw", .sub = "sub", .has_files = 1},
	{.name = "nosuid", .path = "/srv/nosuid", .sub = "sub", .has_files = 1},
	{.name = "nodev", .path = "/srv/nodev", .sub = "sub", .has_files = 1},
	{.name = "noexec", .path = "/srv/noexec", .sub = "sub", .has_files = 1},
	{.name = "node", .path = "/srv/node"},
	{.name = "tmp", .path = "/tmp", .sub = "sub"},
	{.name = "dev", .path = "/dev", .sub = "sub"},
	{.name = "mask", .path = "/proc/kallsyms", .hidden = "", .fixed = 1},
	{.name = "proc-sys", .path = "/proc/sys", .sub = "net/ipv4", .write = IP_FORWARD, .fixed = 1},
	{.name = "proc", .path = "/proc", .sub = "sys", .write = "sys/" IP_FORWARD, .hidden = "kallsyms", .fixed = 1},
	{.name = "sys-mask", .path = "/sys/firmware", .hidden = "", .fixed = 1},
	{.name = "sys", .path = "/sys", .sub = LOOPBACK, .write = LOOPBACK "/mtu", .hidden = "firmware", .fixed = 1},
	{.name = "root", .path = "/", .sub = "usr", .write = "", .fixed = 1},
};
const size_t mount_count = LENGTH(mounts);

/* is_mount tells whether a mount's root is at a path. */
static int is_mount(int fd)
{
	struct statx about;
	return statx(fd, "", AT_EMPTY_PATH, 0, &about) == 0 && about.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static void survey(struct mount *m)
{
	struct statfs about;
	int fd = open(m->path, O_PATH | O_CLOEXEC);
	if (fd < 0 || !is_mount(fd) || fstat(fd, &m->top) < 0 || fstatfs(fd, &about) < 0) {
		close(fd);
		return;
	}
	m->present = 1;
	m->is_directory = S_ISDIR(m->top.st_mode);
	m->flags = about.f_flags & LOCKABLE;
	if (m->hidden != NULL && can_see(fd, m->hidden))
		m->hidden = NULL;
	if (m->sub != NULL && (fstatat(fd, m->sub, &m->below, 0) < 0 || !S_ISDIR(m->below.st_mode)))
		m->sub = NULL;
	close(fd);
}

/* choose_mask: not every runtime masks the same files. */
static void choose_mask(void)
{
	static const char *const masked[] = {"/proc/kallsyms", "/proc/timer_list", "/proc/keys"};
	const char *path = NULL;
	for (size_t i = 0; i < LENGTH(masked) && path == NULL; i++) {
		int fd = open(masked[i], O_PATH | O_CLOEXEC);
		if (fd >= 0 && is_mount(fd))
			path = masked[i];
		close(fd);
	}
	for (size_t i = 0; i < mount_count && path != NULL; i++) {
		if (strcmp(mounts[i].name, "mask") == 0)
			mounts[i].path = path;
		if (strcmp(mounts[i].name, "proc") == 0)
			mounts[i].hidden = path + strlen("/proc/");
	}
}

/* survey_mounts finds out what is there, before anything is tried. */
void survey_mounts(void)
{
	choose_mask();
	mkdir("/tmp/sub", 0755);
	mkdir("/dev/sub", 0755);
	for (size_t i = 0; i < mount_count; i++)
		survey(&mounts[i]);
}
