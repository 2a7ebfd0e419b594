/* Races for what other arguments lead to: the attributes, the type, the options. */
#include "mountrace.h"

#include <linux/magic.h>
#include <linux/mount.h>
#include <stdalign.h>

/* reveals compares a procfs or sysfs at a path with the container's own: it must
 * have the same read-only parts, and something else where that has. */
int reveals(const char *at)
{
	struct statfs fs;
	struct stat top, st;
	if (statfs(at, &fs) || stat(at, &top))
		return 0;
	const char *own = fs.f_type == PROC_SUPER_MAGIC ? "/proc" : fs.f_type == SYSFS_MAGIC ? "/sys" : NULL;
	if (!own)
		return 0;
	dev_t own_dev = 0;
	for (size_t i = 0; i < initials; i++) {
		const struct initial *m = &initial[i];
		char path[ROOM];
		if (!strcmp(m->path, own))
			own_dev = m->dev;
		if (strncmp(m->path, own, strlen(own)) || !strcmp(m->path, "/sys/fs/cgroup"))
			continue;
		snprintf(path, sizeof path, "%s%s", at, m->path + strlen(own));
		if (lstat(path, &st) || statfs(path, &fs))
			continue;
		if ((m->dev != own_dev && st.st_dev == top.st_dev) || (m->flags & ~(unsigned)fs.f_flags & 1))
			return 1;
	}
	return 0;
}

static void spin(int most)
{
	for (volatile int i = rand() % most; i > 0; i--) {
	}
}

/* mount_setattr's struct: nothing to do, or flags to drop. */

static struct attr attr;

static void attr_home(void) { *(volatile uint64_t *)&attr.clear = 0; }

static void attr_disturb(void)
{
	*(volatile uint64_t *)&attr.clear = LOCKABLE;
	spin(2000);
	attr_home();
	spin(2000);
}

static void attr_attack(unsigned n)
{
	const struct initial *m = &initial[n % initials];
	if (m->flags)
		count(set_attr(AT_FDCWD, m->path, n & 1 ? AT_RECURSIVE : 0, &attr, sizeof attr));
}

static void attr_clone(unsigned n)
{
	const struct initial *m = &initial[n % initials];
	if (!m->flags)
		return;
	int fd = open_tree_attr(AT_FDCWD, m->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE, &attr, sizeof attr);
	count(fd);
	if (fd >= 0 && weak_copy(fd))
		report_weak("a copy lacks flags");
	close(fd);
}

/* The type: whatever is checked, something else may be mounted. */

static alignas(8) char type[8];

static void set_type(const char *name)
{
	uint64_t word;
	char padded[8] = {0};
	memcpy(padded, name, strlen(name));
	memcpy(&word, padded, sizeof word);
	*(volatile uint64_t *)(void *)type = word;
}

static void type_home(void) { set_type("tmpfs"); }

static void type_disturb(void)
{
	static const char *const names[] = {"proc", "tmpfs", "sysfs", "tmpfs"};
	for (size_t i = 0; i < LENGTH(names); i++) {
		set_type(names[i]);
		spin(3000);
	}
}

static void look_at_new(void)
{
	if (reveals(NEW_FS))
		report_weak("a file system shows what the container's own hides");
	while (umount2(NEW_FS, MNT_DETACH) == 0) {
	}
}

static void type_attack(unsigned n)
{
	(void)n;
	count(mount("new", NEW_FS, type, 0, NULL));
	look_at_new();
}

static void type_open(unsigned n)
{
	(void)n;
	int context = fs_open(type);
	fs_config(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	int fd = fs_mount(context, 0);
	count(fd);
	if (fd >= 0 && move_mount_(fd, "", AT_FDCWD, NEW_FS, MOVE_MOUNT_F_EMPTY_PATH) == 0)
		look_at_new();
	close(fd);
	close(context);
}

/* The options: none, which says nothing but flags, or one of the superblock's. */

static char data[8] = "size=1m";

static void data_home(void) { *(volatile char *)data = 0; }

static void data_disturb(void)
{
	*(volatile char *)data = 's';
	spin(3000);
	data_home();
	spin(3000);
}

static void data_attack(unsigned n)
{
	count(mount(NULL, "/run", NULL, MS_REMOUNT | (n & 1 ? MS_NOSUID | MS_NODEV : 0), data));
}

#define RACE(function, ...)                              \
	static void function(const char *name)           \
	{                                                \
		static const struct race r = {__VA_ARGS__, NULL}; \
		make_directories(NEW_FS);                \
		r.home();                                \
		run_race(name, &r);                      \
	}

RACE(run_attr, attr_attack, attr_disturb, attr_home)
RACE(run_attr_clone, attr_clone, attr_disturb, attr_home)
RACE(run_type, type_attack, type_disturb, type_home)
RACE(run_type_open, type_open, type_disturb, type_home)
RACE(run_data, data_attack, data_disturb, data_home)

const struct attack argument_attacks[] = {
	{"attributes", run_attr}, {"attributes-clone", run_attr_clone}, {"type", run_type},
	{"type-fsopen", run_type_open}, {"options", run_data}, {NULL, NULL},
};
