/* Races for what a number in the descriptor table means: dup2(2) replaces it in one
 * step. */
#include "mountrace.h"

#include <linux/mount.h>

static int harmless = -1, hurtful = -1;
static const struct initial *victim;

static void home(void) { dup2(harmless, SLOT); }

static void disturb(void)
{
	dup2(hurtful, SLOT);
	for (volatile int i = rand() % 2000; i > 0; i--) {
	}
	home();
	for (volatile int i = rand() % 2000; i > 0; i--) {
	}
}

static void next_victim(unsigned n)
{
	victim = &initial[n % initials];
	if (!strcmp(victim->path, "/tmp"))
		victim = &initial[(n + 1) % initials];
}

/* A detached mount of one's own, or an initial mount where it is. */
static void detached(unsigned n)
{
	quiet();
	if (stopped)
		return;
	clear_moved();
	next_victim(n);
	close(harmless);
	close(hurtful);
	harmless = open_tree(AT_FDCWD, "/tmp/own", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	hurtful = open(victim->path, O_PATH | O_CLOEXEC);
	home();
	resume();
	count(move_mount_(SLOT, "", AT_FDCWD, MOVED, MOVE_MOUNT_F_EMPTY_PATH));
}

static int context_of(const char *type)
{
	int fd = fs_open(type);
	fs_config(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	return fd;
}

/* The context of a tmpfs or of a procfs. */
static void context(unsigned n)
{
	quiet();
	if (stopped)
		return;
	close(harmless);
	close(hurtful);
	harmless = context_of("tmpfs");
	hurtful = context_of(n % 2 ? "proc" : "sysfs");
	home();
	resume();
	int fd = fs_mount(SLOT, 0);
	count(fd);
	if (fd >= 0 && move_mount_(fd, "", AT_FDCWD, NEW_FS, MOVE_MOUNT_F_EMPTY_PATH) == 0 && reveals(NEW_FS))
		report_weak("a file system shows what the container's own hides");
	while (umount2(NEW_FS, MNT_DETACH) == 0) {
	}
	close(fd);
}

static int picked(const char *path)
{
	int fd = fs_pick(AT_FDCWD, path, 0);
	fs_config(fd, FSCONFIG_SET_STRING, "size", "1m", 0);
	return fd;
}

/* The superblock of a mount of one's own, or of an initial mount. */
static void superblock(unsigned n)
{
	quiet();
	if (stopped)
		return;
	next_victim(n);
	close(harmless);
	close(hurtful);
	harmless = picked("/tmp/own");
	hurtful = picked(victim->path);
	home();
	resume();
	count(fs_config(SLOT, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
}

/* A descriptor that is closed and made again meanwhile. */
static void close_it(void)
{
	close(SLOT);
	dup2(hurtful, SLOT);
	close(SLOT);
	home();
}

static void prepare(void)
{
	make_directories(MOVED);
	make_directories(MIRROR MOVED);
	make_directories(NEW_FS);
	make_directories("/tmp/own");
	if (!is_mounted("/tmp/own"))
		mount("own", "/tmp/own", "tmpfs", 0, NULL);
}

#define RACE(function, attempt, disturber)                                      \
	static void function(const char *name)                                  \
	{                                                                       \
		static const struct race r = {attempt, disturber, home, NULL};  \
		prepare();                                                      \
		run_race(name, &r);                                             \
	}

RACE(run_detached, detached, disturb)
RACE(run_closed, detached, close_it)
RACE(run_context, context, disturb)
RACE(run_superblock, superblock, disturb)

const struct attack descriptor_attacks[] = {
	{"detached", run_detached}, {"detached-closed", run_closed}, {"context", run_context},
	{"superblock", run_superblock}, {NULL, NULL},
};
