/* The tries, in processes of their own so that none spoils the next: a try may
 * change its user, its namespaces or its memory. */
#include "probe.h"

#include <linux/mman.h>

#define ROOM 4096
#define SHARING 16 /* tries in one process, for the limit of open files */

static struct try tries[ROOM];
static size_t count;

static void add_one(struct try t)
{
	if (count < ROOM)
		tries[count++] = t;
}

void add_try(const char *name, long (*run)(const struct try *), const char *path, long a, long b, long reached)
{
	add_one((struct try){name, run, path, a, b, reached, 0});
}

void add_open(const char *name, long (*run)(const struct try *), const char *path, long a, long b, long reached)
{
	add_one((struct try){name, run, path, a, b, reached, 1});
}

/* add names each try after itself and its path. */
void add(const struct try *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *name = list[i].name;
		if (list[i].path)
			name = join(join(name, " "), list[i].path);
		add_try(name, list[i].run, list[i].path, list[i].a, list[i].b, list[i].reached);
	}
}

static long attempt(const struct try *t)
{
	long result = t->run(t);
	return result < 0 && -result == t->reached ? 0 : result;
}

static void put_killed(const char *name, long signal)
{
	char value[32];
	if (signal == 31)
		append(value, "SIGSYS");
	else
		append_number(append(value, "signal "), signal);
	put_line(name, value);
}

struct shared {
	volatile size_t next; /* the try that is being made */
	volatile long results[ROOM];
};

/* make_some makes the next try, or several that can share a process. */
static void make_some(struct shared *shared)
{
	for (int i = 0; i < SHARING && shared->next < count; i++) {
		const struct try *t = &tries[shared->next];
		if (!t->shares && i > 0)
			break;
		shared->results[shared->next] = attempt(t);
		shared->next++;
		if (!t->shares)
			break;
	}
	call(__NR_exit_group, 0);
}

/* run_tries runs everything that was added and prints how it came out. */
void run_tries(void)
{
	size_t printed = 0;
	struct shared *shared = (struct shared *)call(__NR_mmap, 0, sizeof(*shared), PROT_READ | PROT_WRITE,
						      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if ((unsigned long)shared > -4096UL) {
		put_result("probe shared memory", (long)shared);
		return;
	}
	while (shared->next < count) {
		int status = 0;
		long pid = fork_process();
		if (pid == 0)
			make_some(shared);
		if (pid < 0) {
			put_result("probe fork", pid);
			return;
		}
		while (call(__NR_wait4, pid, &status, 0x40000000 /* __WALL */, 0) == -EINTR)
			;
		for (; printed < shared->next; printed++)
			put_result(tries[printed].name, shared->results[printed]);
		if ((status & 0x7f) != 0) {
			put_killed(tries[printed++].name, status & 0x7f);
			shared->next = printed;
		}
	}
}
