/* Ways to make a path lead elsewhere between two looks at it. */
#include "mountrace.h"

#include <sys/mman.h>

const struct initial *current;

static char text[ROOM] __attribute__((aligned(8)));
static int root_fd = -1, mirror_fd = -1;

static void nothing(void) {}

static int any(const struct initial *m) { (void)m; return 1; }
static int is_fixed_below(const struct initial *m) { return m->fixed && m->path[1]; }
static int is_in_srv(const struct initial *m)
{
	struct stat root, srv;
	return !strncmp(m->path, "/srv/", 5) && stat("/", &root) == 0 && stat("/srv", &srv) == 0 &&
		root.st_dev == srv.st_dev && access("/srv", W_OK) == 0;
}

/* A mirror of the root comes and goes, so that it is opened anew for each attempt. */
static void open_mirror(void)
{
	close(mirror_fd);
	mirror_fd = open(MIRROR, O_PATH | O_CLOEXEC);
}

static const char *plain(const struct initial *m, int *dir)
{
	*dir = AT_FDCWD;
	return m->path;
}

/* The path string: "/tmp/mm/proc" or "/tmp/../proc", by two bytes. */

static volatile uint16_t *middle(void) { return (volatile uint16_t *)(void *)(text + 6); }

static void string_home(void) { memcpy((void *)middle(), "mm", 2); }

static void string_disturb(void)
{
	uint16_t there;
	memcpy(&there, "..", 2);
	*middle() = there;
	for (volatile int i = rand() % 4000; i > 0; i--) {
	}
	string_home();
	for (volatile int i = rand() % 4000; i > 0; i--) {
	}
}

static const char *string_path(const struct initial *m, int *dir)
{
	*dir = AT_FDCWD;
	snprintf(text + 1, sizeof text - 1, MIRROR "%s", m->path[1] ? m->path : "");
	return text + 1;
}

/* A symlink on the way. */

static void symlink_begin(void)
{
	unlink("/tmp/way");
	unlink("/tmp/yaw");
	if (symlink(MIRROR, "/tmp/way") || symlink("/", "/tmp/yaw"))
		exit(1);
}

static int swapped;

static void symlink_disturb(void)
{
	if (exchange("/tmp/way", "/tmp/yaw") == 0)
		swapped = !swapped;
}

static void symlink_home(void)
{
	if (swapped)
		symlink_disturb();
}

static const char *symlink_path(const struct initial *m, int *dir)
{
	*dir = AT_FDCWD;
	snprintf(text, sizeof text, "/tmp/way%s", m->path[1] ? m->path : "/");
	return text;
}

/* A directory on the way. Its mirror is in the same file system. */

static void rename_begin(void)
{
	may_rename = 1;
	make_directories("/vrs");
	for (size_t i = 0; i < initials; i++) {
		char path[ROOM];
		if (!is_in_srv(&initial[i]))
			continue;
		snprintf(path, sizeof path, "/vrs%s", initial[i].path + 4);
		make_directories(path);
		mount("mirror", path, "tmpfs", 0, NULL);
	}
}

static void rename_disturb(void)
{
	if (exchange("/srv", "/vrs") == 0)
		swapped = !swapped;
}

static void rename_home(void)
{
	if (swapped)
		rename_disturb();
	if (!is_mounted(text))
		mount("mirror", text, "tmpfs", 0, NULL);
}

static void rename_end(void)
{
	may_rename = 0;
}

static const char *rename_path(const struct initial *m, int *dir)
{
	*dir = AT_FDCWD;
	snprintf(text, sizeof text, "/vrs%s", m->path + 4);
	return text;
}

/* A mount over the target. */

static void over_disturb(void)
{
	const char *path = current ? current->path : "/sys";
	int done;
	if (current && !current->directory)
		done = mount("/tmp/file", path, NULL, MS_BIND, NULL);
	else
		done = mount("over", path, "tmpfs", 0, NULL);
	for (volatile int i = rand() % 400000; i > 0; i--) {
	}
	if (done == 0)
		umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
}

static void over_begin(void) { make_file("/tmp/file"); }

/* Another descriptor at the same number. */

static int target_fd = -1, harmless_fd = -1;

static void fd_home(void) { dup2(harmless_fd, SLOT); }

static void fd_disturb(void)
{
	dup2(target_fd, SLOT);
	for (volatile int i = rand() % 1000; i > 0; i--) {
	}
	dup2(harmless_fd, SLOT);
}

static const char *fd_path(const struct initial *m, int *dir)
{
	char path[ROOM];
	snprintf(path, sizeof path, MIRROR "%s", m->path[1] ? m->path : "");
	close(harmless_fd);
	close(target_fd);
	target_fd = open(m->path, O_PATH | O_CLOEXEC);
	harmless_fd = open(path, O_PATH | O_CLOEXEC);
	dup2(harmless_fd, SLOT);
	*dir = SLOT;
	return "";
}

static const char *dirfd_path(const struct initial *m, int *dir)
{
	harmless_fd = mirror_fd;
	target_fd = root_fd;
	dup2(harmless_fd, SLOT);
	*dir = SLOT;
	snprintf(text, sizeof text, "%s", m->path[1] ? m->path + 1 : ".");
	return text;
}

/* The root or the working directory that threads share. */

static void chroot_home(void)
{
	if (fchdir(root_fd) || chroot("."))
		report_weak("cannot chroot back: nothing was tried");
}

static void chroot_disturb(void)
{
	if (fchdir(mirror_fd) == 0 && chroot(".") == 0)
		for (volatile int i = rand() % 1000; i > 0; i--) {
		}
	chroot_home();
}

static void fchdir_home(void)
{
	if (fchdir(mirror_fd))
		report_weak("cannot go back: nothing was tried");
}

static void fchdir_disturb(void)
{
	if (fchdir(root_fd) == 0)
		for (volatile int i = rand() % 1000; i > 0; i--) {
		}
	fchdir_home();
}

static const char *fchdir_path(const struct initial *m, int *dir)
{
	*dir = AT_FDCWD;
	snprintf(text, sizeof text, "%s", m->path[1] ? m->path + 1 : ".");
	return text;
}

/* A rename in another mount namespace, where nothing is mounted on the mount
 * point: the kernel allows it there, and the mount goes with the directory. */

static pid_t renamer = -1;
static atomic_int *renamer_ends; /* shared with it */

static const char *other_name(const struct initial *m)
{
	static char path[ROOM];
	snprintf(path, sizeof path, "%s-other", m->path);
	return path;
}

static void rename_elsewhere(void)
{
	int odd = 0;
	if (unshare(CLONE_NEWNS | CLONE_FS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		_exit(1);
	for (size_t i = 0; i < initials; i++)
		if (is_in_srv(&initial[i])) {
			umount2(other_name(&initial[i]), MNT_DETACH);
			umount2(initial[i].path, MNT_DETACH);
		}
	for (; odd || !*renamer_ends; odd = !odd)
		for (size_t i = 0; i < initials; i++)
			if (is_in_srv(&initial[i]))
				exchange(other_name(&initial[i]), initial[i].path);
	_exit(0);
}

static void elsewhere_begin(void)
{
	may_rename = 1;
	renamer_ends = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < initials; i++)
		if (is_in_srv(&initial[i])) {
			mkdir(other_name(&initial[i]), 0755);
			mount("mirror", other_name(&initial[i]), "tmpfs", 0, NULL);
		}
	renamer = fork();
	if (renamer == 0)
		rename_elsewhere();
}

static void elsewhere_end(void)
{
	*renamer_ends = 1;
	if (pid_after(renamer, 5) != 0)
		report_weak("nothing was renamed");
	may_rename = 0;
}

static const char *elsewhere_path(const struct initial *m, int *dir)
{
	*dir = AT_FDCWD;
	snprintf(text, sizeof text, "%s", other_name(m));
	if (!is_mounted(text) && !is_mounted(m->path))
		mount("mirror", text, "tmpfs", 0, NULL);
	return text;
}

const struct way ways[] = {
	{"string", any, nothing, string_disturb, string_home, nothing, string_path},
	{"symlink", any, symlink_begin, symlink_disturb, symlink_home, nothing, symlink_path},
	{"rename", is_in_srv, rename_begin, rename_disturb, rename_home, rename_end, rename_path},
	{"over", is_fixed_below, over_begin, over_disturb, nothing, nothing, plain},
	{"descriptor", any, nothing, fd_disturb, fd_home, nothing, fd_path},
	{"dirfd", any, nothing, fd_disturb, fd_home, nothing, dirfd_path},
	{"chroot", any, nothing, chroot_disturb, chroot_home, nothing, plain},
	{"fchdir", any, nothing, fchdir_disturb, fchdir_home, nothing, fchdir_path},
	{"elsewhere", is_in_srv, elsewhere_begin, nothing, nothing, elsewhere_end, elsewhere_path},
};
const size_t way_count = LENGTH(ways);

static const struct way *way;
static const struct operation *operation;
static const struct initial *targets[LENGTH(initial)];
static size_t target_count;

static void attack(unsigned n)
{
	int dir = AT_FDCWD;
	if (way->disturb != nothing)
		quiet();
	if (stopped)
		return;
	clear_moved();
	current = targets[n % target_count];
	ensure_mirror(current);
	open_mirror();
	const char *path = way->path(current, &dir);
	if (way->disturb != nothing)
		resume();
	operation->run(dir, path, n / (unsigned)target_count);
}

/* choose picks the targets that a race can have. */
static void choose(void)
{
	target_count = 0;
	for (size_t i = 0; i < initials; i++) {
		const struct initial *m = &initial[i];
		if (way->suits(m) && strcmp(m->path, "/tmp") && (operation->only_fixed ? m->fixed : m->flags != 0))
			targets[target_count++] = m;
	}
}

static void run_way(const char *name)
{
	choose();
	if (target_count == 0) {
		skip(name, "this container has no mount for it");
		return;
	}
	root_fd = open("/", O_PATH | O_CLOEXEC);
	make_directories(MIRROR);
	open_mirror();
	make_directories("/tmp/own");
	if (!is_mounted("/tmp/own"))
		mount("own", "/tmp/own", "tmpfs", 0, NULL);
	way->begin();
	struct race r = {attack, way->disturb == nothing ? NULL : way->disturb, way->home, way->end};
	run_race(name, &r);
}

/* Each way has the time of one race, unless a single operation is asked for. */
void run_ways(const char *only)
{
	double whole = seconds;
	for (size_t w = 0; w < way_count; w++)
		for (size_t o = 0; o < operation_count; o++) {
			char name[64];
			way = &ways[w];
			operation = &operations[o];
			snprintf(name, sizeof name, "%s %s", way->name, operation->name);
			if (only && strcmp(only, way->name) && strcmp(only, name))
				continue;
			seconds = only && strchr(only, ' ') ? whole : whole / (double)operation_count;
			in_child(name, run_way);
		}
	seconds = whole;
}
