/* Users and files of others: what the capabilities over them allow, and what
 * other users see. */
#include "probe.h"

#include <linux/fcntl.h>
#include <linux/stat.h>

#define OTHER 1       /* a user that every system has */
#define NOBODY 65534

static long become(const struct try *t)
{
	return call(t->a, t->b, t->b, t->b);
}

static long set_groups(const struct try *t)
{
	unsigned group = OTHER;
	(void)t;
	return call(__NR_setgroups, 1, &group);
}

/* memory_of makes a file without a name that belongs to a user. */
static long memory_of(long user)
{
	long fd = call(__NR_memfd_create, "probe", 0);
	if (fd < 0)
		return fd;
	long result = call(__NR_fchown, fd, user, user);
	return result < 0 ? result : fd;
}

static long give_away(const struct try *t)
{
	(void)t;
	return memory_of(OTHER);
}

static long change_mode(const struct try *t)
{
	long fd = memory_of(t->a);
	return fd < 0 ? fd : call(__NR_fchmod, fd, t->b);
}

static const char *path_of(long fd)
{
	char path[64];
	append_number(append(path, "/proc/self/fd/"), fd);
	return join(path, "");
}

static long change_mode_by_path(const struct try *t)
{
	long fd = memory_of(0);
	if (fd < 0)
		return fd;
	if (t->a == __NR_chmod)
		return call(__NR_chmod, path_of(fd), t->b);
	return call(t->a, AT_CWD, path_of(fd), t->b, 0);
}

/* The bit of the group is dropped in silence where it may not be set. */
static long keep_group_bit(const struct try *t)
{
	struct statx s;
	(void)t;
	long fd = memory_of(OTHER);
	if (fd < 0)
		return fd;
	long result = call(__NR_fchmod, fd, 02755);
	if (result < 0)
		return result;
	call(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_MODE, &s);
	return s.stx_mode & 02000 ? 0 : -EPERM;
}

/* Nobody may read it, but who has the capability. */
static long open_denied(const struct try *t)
{
	long fd = call(__NR_memfd_create, "probe", 0);
	if (fd < 0)
		return fd;
	long result = call(__NR_fchmod, fd, 0);
	if (result < 0)
		return result;
	return open_file(path_of(fd), t->a, 0);
}

static long lease(const struct try *t)
{
	(void)t;
	long fd = memory_of(OTHER);
	if (fd < 0)
		return fd;
	long again = open_file(path_of(fd), O_RDONLY, 0);
	if (again < 0)
		return again;
	call(__NR_close, fd);
	return call(__NR_fcntl, again, 1024 /* F_SETLEASE */, F_RDLCK);
}

/* signal_other sends no signal to a process of another user. */
static long signal_other(const struct try *t)
{
	int release;
	(void)t;
	long pid = fork_waiting(OTHER, &release);
	return pid < 0 ? pid : call(__NR_kill, pid, 0);
}

/* open_as_other opens a file after having become nobody. */
static long open_as_other(const struct try *t)
{
	long parent = call(__NR_getppid);
	char path[64], *end = append(path, "/proc/");
	end = t->a ? append_number(end, parent) : append(end, "1");
	append(end, t->path);
	/* The group of root sees all where hidepid= names no other. */
	long result = call(__NR_setresgid, NOBODY, NOBODY, NOBODY);
	if (result == 0)
		result = call(__NR_setresuid, NOBODY, NOBODY, NOBODY);
	if (result < 0)
		return result;
	result = open_file(path, O_RDONLY, 0);
	return result < 0 ? result : 0;
}

static long exe_of_init(const struct try *t)
{
	char target[256];
	return call(__NR_readlink, t->path, target, sizeof(target));
}

void add_credentials(void)
{
	const struct try list[] = {
		{"setresuid", become, NULL, __NR_setresuid, OTHER, 0},       /* CAP_SETUID */
		{"setresgid", become, NULL, __NR_setresgid, OTHER, 0},       /* CAP_SETGID */
		{"setresuid to nobody", become, NULL, __NR_setresuid, NOBODY, 0},
		{"setgroups", set_groups, NULL, 0, 0, 0},
		{"give a file away", give_away, NULL, 0, 0, 0},              /* CAP_CHOWN */
		{"change the mode of an own file", change_mode, NULL, 0, 0700, 0},
		{"change the mode of another's file", change_mode, NULL, OTHER, 0700, 0}, /* CAP_FOWNER */
		{"fchmod 04755", change_mode, NULL, 0, 04755, 0},
		{"fchmod 02755", change_mode, NULL, 0, 02755, 0},
		{"chmod 04755", change_mode_by_path, NULL, __NR_chmod, 04755, 0},
		{"fchmodat 04755", change_mode_by_path, NULL, __NR_fchmodat, 04755, 0},
		{"fchmodat2 04755", change_mode_by_path, NULL, NR_FCHMODAT2, 04755, 0},
		{"keep the bit of another's group", keep_group_bit, NULL, 0, 0, 0}, /* CAP_FSETID */
		{"read a denied file", open_denied, NULL, O_RDONLY, 0, 0},   /* CAP_DAC_READ_SEARCH */
		{"write a denied file", open_denied, NULL, O_WRONLY, 0, 0},  /* CAP_DAC_OVERRIDE */
		{"lease another's file", lease, NULL, 0, 0, 0},              /* CAP_LEASE */
		{"signal another's process", signal_other, NULL, 0, 0, 0},   /* CAP_KILL */
		{"see PID 1's", exe_of_init, "/proc/1/exe", 0, 0, 0},        /* CAP_SYS_PTRACE */
		{"see PID 1's", exe_of_init, "/proc/1/root", 0, 0, 0},
		{"see PID 1's", exe_of_init, "/proc/1/ns/net", 0, 0, 0},
		{"as nobody, open PID 1's", open_as_other, "/status", 0, 0, 0},
		{"as nobody, open PID 1's", open_as_other, "/cmdline", 0, 0, 0},
		{"as nobody, open the parent's", open_as_other, "/status", 1, 0, 0},
		{"as nobody, open the parent's", open_as_other, "/cmdline", 1, 0, 0},
		{"as nobody, open the parent's", open_as_other, "/maps", 1, 0, 0},
	};
	add(list, LENGTH(list));
}
