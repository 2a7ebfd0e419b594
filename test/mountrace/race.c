/* The threads of a race, and what is counted and printed. */
#include "mountrace.h"

double seconds = 1;
int namespaces;
atomic_int stopped;

static atomic_ulong attempts, worked, refused;
static atomic_int wanted_quiet, is_quiet, weak;
static char weak_what[512];
static pthread_mutex_t weak_lock = PTHREAD_MUTEX_INITIALIZER;

double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void count(long result)
{
	attempts++;
	*(result >= 0 ? &worked : &refused) += 1;
}

void report_weak(const char *what)
{
	pthread_mutex_lock(&weak_lock);
	if (weak++ == 0)
		snprintf(weak_what, sizeof weak_what, "%s", what);
	pthread_mutex_unlock(&weak_lock);
	stopped = 1;
}

void quiet(void)
{
	wanted_quiet = 1;
	while (!is_quiet && !stopped)
		sched_yield();
}

void resume(void)
{
	wanted_quiet = 0;
	while (is_quiet && !stopped)
		sched_yield();
}

static void *disturb(void *race)
{
	const struct race *r = race;
	while (!stopped) {
		if (wanted_quiet) {
			r->home();
			is_quiet = 1;
			while (wanted_quiet && !stopped)
				sched_yield();
			is_quiet = 0;
		}
		r->disturb();
	}
	r->home();
	return NULL;
}

static void look(void)
{
	char what[512];
	if (weakened(what, sizeof what))
		report_weak(what);
}

/* judge looks all the time: what was weakened stays so, but for what is undone by
 * the attacker's own cleaning up. */
static void *judge(void *unused)
{
	while (!stopped) {
		usleep(20000);
		look();
	}
	return unused;
}

static void print_race(const char *name)
{
	printf("%s\tattempts=%lu worked=%lu refused=%lu weakened=%d\t%s\n", name,
		(unsigned long)attempts, (unsigned long)worked, (unsigned long)refused, (int)weak, weak_what);
	fflush(stdout);
}

/* run_race ends the process: with 1 if a mount was weakened. */
void run_race(const char *name, const struct race *r)
{
	pthread_t disturber, judging;
	double end = now() + seconds;
	pthread_create(&judging, NULL, judge, NULL);
	if (r->disturb)
		pthread_create(&disturber, NULL, disturb, (void *)r);
	for (unsigned n = 0; !stopped && now() < end; n++)
		r->attack(n);
	stopped = 1;
	if (r->disturb)
		pthread_join(disturber, NULL);
	pthread_join(judging, NULL);
	if (r->end)
		r->end();
	look();
	print_race(name);
	_exit(weak != 0);
}

void skip(const char *name, const char *why)
{
	printf("%s\tskipped\t%s\n", name, why);
	fflush(stdout);
}

void verdict(const char *name, const char *wrong)
{
	printf("%s\t%s\t%s\n", name, wrong ? "wrong" : "ok", wrong ? wrong : "");
	fflush(stdout);
}

int pid_after(pid_t pid, double patience)
{
	int status;
	for (double end = now() + patience; now() < end; usleep(500))
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
	kill(pid, SIGKILL);
	for (double end = now() + 2; now() < end; usleep(500))
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
	return -1;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
}

/* Each attack has new ones: what is done there to mounts is allowed to work. */
static void enter_own_namespaces(int flags)
{
	if (unshare(flags)) {
		perror("mountrace: unshare");
		exit(1);
	}
	if (flags & CLONE_NEWUSER) {
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/uid_map", "0 0 1");
		write_file("/proc/self/gid_map", "0 0 1");
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		perror("mountrace: cannot make mounts private");
		exit(1);
	}
	nested = 1;
	if (mount("tmp", "/tmp", "tmpfs", 0, NULL)) {
		perror("mountrace: cannot mount a tmpfs");
		exit(1);
	}
}

/* in_child runs an attack in a process of its own, which may spoil itself. */
void in_child(const char *name, void (*run)(const char *name))
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (namespaces) {
			enter_own_namespaces(namespaces);
			find_initial();
		}
		run(name);
		fflush(stdout);
		_exit(0);
	}
	int status = pid_after(pid, !strcmp(name, "stay") ? 1e6 : seconds + 90);
	if (status == -1)
		verdict(name, "it hangs");
	else if (WIFSIGNALED(status))
		verdict(name, strsignal(WTERMSIG(status)));
	if (status)
		exit(1);
}
