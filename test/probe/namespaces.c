/* Namespaces: which can be made and entered. */
#include "probe.h"

#include <linux/fcntl.h>
#include <linux/sched.h>

static long unshare(const struct try *t)
{
	return call(__NR_unshare, t->a);
}

static long clone_into(const struct try *t)
{
	long pid = call(__NR_clone, t->a | 17 /* SIGCHLD */);
	if (pid == 0)
		call(__NR_exit_group, 0);
	if (pid > 0)
		call(__NR_wait4, pid, 0, 0, 0);
	return pid;
}

static long clone3_into(const struct try *t)
{
	struct clone_args arguments = {.flags = t->a, .exit_signal = 17};
	long pid = call(__NR_clone3, &arguments, sizeof(arguments));
	if (pid == 0)
		call(__NR_exit_group, 0);
	if (pid > 0)
		call(__NR_wait4, pid, 0, 0, 0);
	return pid;
}

/* enter enters the namespace in which the process is; a user namespace can't be
 * entered again, which is told after the checks. */
static long enter(const struct try *t)
{
	long fd = open_file(t->path, O_RDONLY, 0);
	return fd < 0 ? fd : call(__NR_setns, fd, t->a);
}

static long unshare_user_and(const struct try *t)
{
	return call(__NR_unshare, CLONE_NEWUSER | t->a);
}

void add_namespaces(void)
{
	static const struct {
		const char *name, *path;
		long flag;
	} kinds[] = {
		{"cgroup", "/proc/self/ns/cgroup", CLONE_NEWCGROUP}, {"ipc", "/proc/self/ns/ipc", CLONE_NEWIPC},
		{"mnt", "/proc/self/ns/mnt", CLONE_NEWNS},           {"net", "/proc/self/ns/net", CLONE_NEWNET},
		{"pid", "/proc/self/ns/pid", CLONE_NEWPID},          {"time", "/proc/self/ns/time", CLONE_NEWTIME},
		{"user", "/proc/self/ns/user", CLONE_NEWUSER},       {"uts", "/proc/self/ns/uts", CLONE_NEWUTS},
	};
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		long flag = kinds[i].flag;
		int time = flag == CLONE_NEWTIME; /* its flag is a signal to clone */
		add_try(join("unshare ", kinds[i].name), unshare, NULL, flag, 0, 0);
		add_try(join("unshare user and ", kinds[i].name), unshare_user_and, NULL, flag, 0, 0);
		if (!time)
			add_try(join("clone ", kinds[i].name), clone_into, NULL, flag, 0, 0);
		add_try(join("clone3 ", kinds[i].name), clone3_into, NULL, flag, 0, 0);
		add_try(join("enter ", kinds[i].name), enter, kinds[i].path, flag, 0, EINVAL);
		add_try(join("enter any, ", kinds[i].name), enter, kinds[i].path, 0, 0, EINVAL);
	}
	add_try("clone3 nothing", clone3_into, NULL, 0, 0, 0);
}
