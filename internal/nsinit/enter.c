// What Go can't do for itself, or not as early, run before its runtime starts: join
// a user namespace, which the kernel allows only to a process with a single
// thread, be a PID 1 of a few pages, and answer the launcher at once. For any other
// process this does nothing.

#define _GNU_SOURCE
#include "enter.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SETUP = 4, LEADER = 5 }; // the descriptors' places, as in conn.go

static void fail(const char *step) {
	dprintf(SOCKET, "{\"kind\":\"failed\",\"step\":\"%s\",\"error\":\"%s\",\"status\":125}", step, strerror(errno));
	_exit(125);
}

// closeFrom closes what berth's own caller left open: a directory among it would
// be a way to the host's files, by working_directory = "/proc/self/fd/9".
static void closeFrom(unsigned first) {
	if (syscall(SYS_close_range, first, ~0U, 0) < 0)
		fail("close_range");
}

int announce_error;

// announce tells the launcher that the namespaces are there, and sends contexts of
// the file systems that only a process in them can open. The launcher makes the
// mounts while Go starts here. An error is left to Go, which ends in good order.
static void announce(int slave, int n, char **types) {
	int contexts[MAX_FILES];
	// In another user namespace they are slaves by themselves.
	if (slave && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		goto failed;
	for (int i = 0; i < n; i++)
		if ((contexts[i] = syscall(SYS_fsopen, types[i], 1 /* FSOPEN_CLOEXEC */)) < 0)
			goto failed;
	if (send_message("{\"kind\":\"ready\"}", contexts, n) < 0)
		goto failed;
	for (int i = 0; i < n; i++)
		close(contexts[i]);
	return;
failed:
	announce_error = errno;
}

// confine leaves this process the calls of reap's loop, and kills it at any other:
// whoever may trace it in the container could have it make calls that the
// container's own filters deny.
static void confine(void) {
#ifdef __x86_64__
	enum { ARCH = AUDIT_ARCH_X86_64 };
#else
	enum { ARCH = AUDIT_ARCH_AARCH64 };
#endif
	static const int calls[] = {SYS_wait4, SYS_ptrace, SYS_exit_group, SYS_restart_syscall};
	enum { CALLS = sizeof calls / sizeof *calls };
	struct sock_filter code[CALLS + 5] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, CALLS + 1),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	for (int i = 0; i < CALLS; i++)
		code[3 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], CALLS - i, 0);
	code[3 + CALLS] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[4 + CALLS] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {CALLS + 5, code};
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(125);
}

// reap waits for all children until the payload ends, ends with its status, and
// so ends the PID namespace. It is killed when the supervisor ends. The payload
// is stopped at its exec, as our tracee, until nothing of this process can be
// taken from it any more.
static void reap(pid_t payload) {
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
	closeFrom(0); // their other ends shall see it when the payload closes them
	confine();
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);
		if (pid < 0 && errno != EINTR)
			_exit(125);
		if (pid != payload)
			continue;
		if (!WIFSTOPPED(status))
			_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
		int signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
		ptrace(PTRACE_DETACH, payload, 0, signal);
	}
}

// watch outlives a supervisor that is killed, and then kills what is in the
// scope whose cgroup directory is SETUP. An init can undo its own parent-death
// signal. The descriptors behind, locks on the container's IDs, are held until
// nothing is left that has these.
static void watch(void) {
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	char order;
	ssize_t n;
	while ((n = read(SOCKET, &order, 1)) < 0 && errno == EINTR)
		;
	if (n > 0)
		_exit(0); // the container has ended in order
	for (;;) {
		char events[256] = "";
		int kill = openat(SETUP, "cgroup.kill", O_WRONLY | O_CLOEXEC);
		int state = openat(SETUP, "cgroup.events", O_RDONLY | O_CLOEXEC);
		if (kill < 0 || state < 0 || write(kill, "1", 1) < 0 || read(state, events, sizeof events - 1) < 0)
			_exit(0); // systemd has removed it
		if (strstr(events, "populated 0"))
			_exit(0);
		struct pollfd change = {.fd = state, .events = POLLPRI};
		poll(&change, 1, 1000);
		close(kill);
		close(state);
	}
}

// join enters the namespaces of the process whose pidfd is LEADER and goes on
// as a new process there: the PID namespace holds for children only. The new
// process's parent is ours, which gets to know its number. Nobody inside may
// look at this process or its descriptors until it has become the command.
static void join(int namespaces, uid_t id) {
	prctl(PR_SET_DUMPABLE, 0);
	if (setns(LEADER, namespaces) < 0)
		fail("setns");
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, id, id, id) < 0 ||
	    syscall(SYS_setresuid, id, id, id) < 0)
		fail("setresuid");
	pid_t pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		fail("clone");
	if (pid > 0) {
		dprintf(SOCKET, "{\"kind\":\"joined\",\"pid\":%d}", pid);
		_exit(0);
	}
	prctl(PR_SET_DUMPABLE, 0); // changing IDs may have reset it
}

__attribute__((constructor)) static void enter(int argc, char **argv) {
	if (argc >= 2 && argc <= 2 + MAX_FILES && strcmp(argv[0], "berth-setup") == 0)
		closeFrom(LEADER), announce(strcmp(argv[1], "slave") == 0, argc - 2, argv + 2);
	else if (argc == 2 && strcmp(argv[0], "berth-init") == 0)
		reap(atoi(argv[1]));
	else if (argc == 2 && strcmp(argv[0], "berth-watch") == 0)
		closeFrom(LEADER + atoi(argv[1])), watch();
	else if (argc == 3 && (strcmp(argv[0], "berth-exec") == 0 || strcmp(argv[0], "berth-archive") == 0))
		closeFrom(LEADER + 1), join(atoi(argv[1]), atoi(argv[2]));
}
