/* Many callers at once, callers that die, and signals that come in the middle. */
#include "mountrace.h"

#include <sys/mman.h>
#include <sys/time.h>

#define CROWD 1000
#define CALLS 4     /* of each */
#define PATIENCE 60 /* seconds; a machine with nothing else to do takes three */

/* fixed_path is one that nobody may unmount. */
static const char *fixed_path(void)
{
	for (size_t i = 0; i < initials; i++)
		if (initial[i].fixed && initial[i].path[1])
			return initial[i].path;
	return "/";
}

/* one_of_crowd returns the number of wrong answers. */
static int one_of_crowd(int number)
{
	char path[64];
	int wrong = 0;
	snprintf(path, sizeof path, "/tmp/crowd/%d", number);
	mkdir(path, 0755);
	for (int i = 0; i < CALLS; i++) {
		wrong += mount("crowd", path, i == 0 ? "proc" : "tmpfs", 0, NULL) != 0;
		wrong += umount2(fixed_path(), MNT_DETACH) == 0;
		wrong += umount2(path, i == 0 ? MNT_DETACH : 0) != 0; /* a procfs has its masks on it */
		wrong += umount2(path, 0) == 0;
	}
	return wrong;
}

static void crowd(const char *name)
{
	int gate[2], wrong = 0, hanging = 0;
	static pid_t pids[CROWD];
	char text[128];
	make_directories("/tmp/crowd");
	if (pipe(gate))
		_exit(1);
	for (int i = 0; i < CROWD; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			char byte;
			close(gate[1]);
			if (read(gate[0], &byte, 1))
				_exit(1);
			_exit(one_of_crowd(i) != 0);
		}
	}
	double began = now();
	close(gate[1]);
	for (int i = 0; i < CROWD; i++) {
		int status = pids[i] > 0 ? pid_after(pids[i], hanging ? 0.1 : PATIENCE) : -1;
		hanging += status == -1;
		wrong += status != 0 && status != -1;
	}
	if (hanging || wrong) {
		snprintf(text, sizeof text, "%d of %d hang, %d got wrong answers", hanging, CROWD, wrong);
		verdict(name, text);
		_exit(1);
	}
	printf("%s\tok\t%d processes, %d calls in %.2f s\n", name, CROWD, CROWD * CALLS * 2 * 4, now() - began);
}

static void call_for_ever(int number)
{
	for (;;)
		one_of_crowd(number);
}

/* Callers are killed whatever they are doing. */
static void killed(const char *name)
{
	make_directories("/tmp/crowd");
	int kills = 0;
	for (double end = now() + seconds; now() < end; kills++) {
		pid_t pid = fork();
		if (pid == 0)
			call_for_ever(CROWD + kills % 8);
		usleep((useconds_t)(rand() % 2000));
		kill(pid, SIGKILL);
		if (pid_after(pid, 5) == -1) {
			verdict(name, "a caller can't be killed");
			_exit(1);
		}
	}
	for (int i = 0; i < 8; i++) {
		char path[64];
		snprintf(path, sizeof path, "/tmp/crowd/%d", CROWD + i);
		while (umount2(path, MNT_DETACH) == 0) {
		}
	}
	if (one_of_crowd(CROWD + 9)) {
		verdict(name, "a fresh call gets a wrong answer");
		_exit(1);
	}
	printf("%s\tok\t%d callers killed\n", name, kills);
}

static atomic_int received;

static void receive(int number)
{
	(void)number;
	received++;
}

static int mounted_times(const char *path)
{
	char line[2048];
	int times = 0;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	while (f && fgets(line, sizeof line, f)) {
		char at[256];
		times += sscanf(line, "%*u %*u %*s %*s %255s", at) == 1 && !strcmp(at, path);
	}
	if (f)
		fclose(f);
	return times;
}

/* send_signals is another process: signals from a timer come only while the caller
 * has the CPU, and those of another thread may hit that thread. */
static pid_t send_signals(void)
{
	pid_t to = getpid(), pid = fork();
	if (pid)
		return pid;
	while (getppid() == to) {
		kill(to, SIGUSR1);
		for (volatile int i = rand() % 200000; i > 0; i--) {
		}
	}
	_exit(0);
}

/* Each call either was made, once, and says so, or was not made. */
static void with_signals(const char *name, int flags)
{
	static const char *const types[] = {"tmpfs", "proc", "sysfs"};
	struct sigaction action = {.sa_handler = receive, .sa_flags = flags};
	int calls = 0, interrupted = 0;
	char text[128];
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaction(SIGUSR1, &action, NULL);
	make_directories(NEW_FS);
	make_directories(MOVED);
	pid_t sender = send_signals();
	for (double end = now() + seconds; now() < end; calls++) {
		const char *type = types[calls % 3];
		int done = mount("signals", NEW_FS, type, 0, NULL), error = errno;
		int moved = done == 0 && calls % 2 ? mount(NEW_FS, MOVED, NULL, MS_MOVE, NULL) : -1;
		sigprocmask(SIG_BLOCK, &set, NULL);
		int at_first = mounted_times(NEW_FS), at_second = mounted_times(MOVED);
		interrupted += done && error == EINTR;
		if (at_first != (done == 0 && moved != 0) || at_second != (moved == 0) || (done && error != EINTR)) {
			snprintf(text, sizeof text, "mount of %s: %d (errno %d), move: %d; mounted %d and %d times", type, done, error, moved, at_first, at_second);
			kill(sender, SIGKILL);
			verdict(name, text);
			_exit(1);
		}
		umount2(moved ? NEW_FS : MOVED, MNT_DETACH);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
	}
	kill(sender, SIGKILL);
	printf("%s\tok\t%d calls, %d signals, %d interrupted\n", name, calls, (int)received, interrupted);
}

static void signals(const char *name) { with_signals(name, 0); }

static void signals_restart(const char *name) { with_signals(name, SA_RESTART); }

const struct attack crowd_attacks[] = {
	{"crowd", crowd}, {"killed", killed}, {"signals", signals}, {"signals-restart", signals_restart}, {NULL, NULL},
};
