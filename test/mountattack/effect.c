/* Effects: what can be done, after a try, that the mount kept from happening. */
#include "mountattack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define AN_ORDINARY_USER 1000
#define IS_ROOT 10 /* exit status of report_euid */

/* report_euid is what the setuid program does. */
int report_euid(void)
{
	return geteuid() == 0 ? IS_ROOT : 0;
}

static int can_open(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int can_create(int dir)
{
	int can = can_open(dir, "made-by-mountattack", O_CREAT | O_WRONLY);
	if (can)
		unlinkat(dir, "made-by-mountattack", 0);
	return can;
}

static int can_write(int dir, const char *name)
{
	return *name ? can_open(dir, name, O_WRONLY) : can_create(dir);
}

/* can_map maps a file for execution, as exec does. */
static int can_map(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	void *at = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (at != MAP_FAILED)
		munmap(at, 1);
	close(fd);
	return at != MAP_FAILED;
}

/* gives_root executes the setuid program as another user. */
static int gives_root(int dir)
{
	static char *const arguments[] = {"setuid", "euid", NULL}, *const none[] = {NULL};
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (setresgid(AN_ORDINARY_USER, AN_ORDINARY_USER, AN_ORDINARY_USER) == 0 &&
		    setresuid(AN_ORDINARY_USER, AN_ORDINARY_USER, AN_ORDINARY_USER) == 0)
			execveat(dir, "setuid", arguments, none, 0);
		_exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == IS_ROOT;
}

/* can_see tells whether something masked has content. */
int can_see(int dir, const char *name)
{
	char byte;
	int fd = *name ? openat(dir, name, O_RDONLY | O_CLOEXEC) : openat(dir, ".", O_RDONLY | O_CLOEXEC), sees = 0;
	if (fd < 0)
		return 0;
	struct stat about;
	if (fstat(fd, &about) == 0 && S_ISDIR(about.st_mode)) {
		DIR *list = fdopendir(fd);
		while (readdir(list) != NULL)
			sees++;
		closedir(list);
		return sees > 2;
	}
	sees = read(fd, &byte, 1) > 0;
	close(fd);
	return sees;
}

/* is_mask: a mask hides by being there, whether or not root could read what it
 * hides. */
static int is_mask(const struct mount *m)
{
	return m->hidden != NULL && *m->hidden == 0;
}

static const char *lost_flag(unsigned long lost)
{
	return lost & 1 ? "ro" : lost & 2 ? "nosuid" : lost & 4 ? "nodev" : "noexec";
}

/* can_do names what can be done below dir that the mount forbids, or returns NULL.
 * below: dir is the mount's sub. */
static const char *can_do(const struct mount *m, int dir, int below, int is_layer)
{
	if (m->flags & 1 && !is_layer && m->write != NULL) {
		const char *file = m->write;
		if (below)
			file = strncmp(file, m->sub, strlen(m->sub)) == 0 ? file + strlen(m->sub) + 1 : *file ? NULL : file;
		if (file != NULL && can_write(dir, file))
			return "write";
	}
	if (m->hidden != NULL && m->is_directory && !below && can_see(dir, m->hidden))
		return "unmasked";
	if (!m->has_files)
		return NULL;
	if (m->flags & 2 && gives_root(dir))
		return "setuid";
	if (m->flags & 4 && can_open(dir, "device", O_RDONLY))
		return "device";
	if (m->flags & 8 && can_map(dir, "program"))
		return "exec";
	return NULL;
}

static int same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

enum found { NOTHING, THERE, STRICTER, WEAKENED };

/* look finds out about the mount, or a copy of it or its sub, at a path. */
static enum found look(const struct mount *m, const char *path, const struct operation *o, char *effect, size_t size)
{
	struct stat about;
	struct statfs fs;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NOTHING;
	enum found found = NOTHING;
	if (fstat(fd, &about) == 0 && fstatfs(fd, &fs) == 0) {
		int top = same_file(&about, &m->top), below = m->sub != NULL && same_file(&about, &m->below);
		int view = o->kind & (NEW_VIEW | LAYER) && strcmp(path, copy_of(m)) == 0;
		unsigned long flags = fs.f_flags & LOCKABLE, lost = m->flags & ~flags;
		const char *can = top || below || view ? can_do(m, fd, below, o->kind & LAYER) : NULL;
		if (can == NULL && is_mask(m) && !top && strcmp(path, copy_of(m)) != 0)
			can = "unmasked";
		if (can == NULL && (top || below) && lost != 0)
			can = lost_flag(lost);
		if (can != NULL) {
			snprintf(effect, size, "%s:%s", o->kind & LAYER ? "layer" : "WEAKENED", can);
			found = WEAKENED;
		} else if (top || below) {
			found = flags & ~m->flags ? STRICTER : THERE;
		}
	}
	close(fd);
	return found;
}

/* judge says what a try has brought about, from what is at the mount's path and
 * in the scratch directory. */
void judge(const struct attempt *a, const struct operation *o, char *effect, size_t size)
{
	enum found there = look(a->mount, a->plain, o, effect, size);
	if (there == WEAKENED)
		return;
	enum found copy = look(a->mount, copy_of(a->mount), o, effect, size);
	if (copy == WEAKENED)
		return;
	const char *is = there == NOTHING ? copy == NOTHING ? "gone" : "moved"
			 : there == STRICTER ? "stricter"
			 : copy == NOTHING   ? "same"
					     : "copy";
	snprintf(effect, size, "%s", is);
}

static void control(const char *context, const char *name, int seen)
{
	printf("%s - - control-%s rw %s same\n", context, name, seen ? "ok" : "unseen");
}

static int controls(void *argument)
{
	const struct context *context = argument;
	const char *path;
	if (context->enter != NULL && context->enter(&mounts[1], &path) != 0)
		return 1;
	int dir = open("/srv/rw", O_PATH | O_CLOEXEC);
	control(context->name, "write", can_write(dir, ""));
	control(context->name, "setuid", gives_root(dir));
	control(context->name, "device", can_open(dir, "device", O_RDONLY));
	control(context->name, "exec", can_map(dir, "program"));
	close(dir);
	fflush(stdout);
	return 0;
}

/* print_controls does on the mount that forbids nothing what judge looks for on
 * the others: where it can't be done, no judgement means anything. */
void print_controls(const struct context *context)
{
	fflush(stdout);
	if (strncmp(context->name, "chroot", 6) != 0)
		in_context(context, controls, (void *)context);
}
