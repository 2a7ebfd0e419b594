// The last steps before the payload's exec, in an order that leaves each step the
// rights it needs. All of it is system calls: in the child of a vfork nothing
// else is safe, and glibc's functions that change users change every thread.

#define _GNU_SOURCE
#include "message.h"
#include "payload.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_SET_MODE_FILTER
#define SECCOMP_SET_MODE_FILTER 1
#endif

static int enter_session(void) {
	return setsid() < 0 && errno != EPERM ? -1 : 0; // EPERM: leads one already
}

static int take_terminal(int fd) {
	if (fd < 0)
		return 0;
	for (int std = 0; std < 3; std++)
		if (fd != std && dup3(fd, std, 0) < 0)
			return -1;
	return ioctl(0, TIOCSCTTY, 0);
}

// set_limits lowers them: the launcher has raised what was too low, as far as it
// could. What is then still too low stays.
static int set_limits(const struct payload *p) {
	for (size_t i = 0; i < p->nlimits; i++) {
		struct rlimit want = p->limits[i].value, have;
		if (syscall(SYS_prlimit64, 0, p->limits[i].resource, NULL, &have) < 0)
			return -1;
		if (want.rlim_max > have.rlim_max)
			want.rlim_max = have.rlim_max;
		if (want.rlim_cur > want.rlim_max)
			want.rlim_cur = want.rlim_max;
		if (syscall(SYS_prlimit64, 0, p->limits[i].resource, &want, NULL) < 0)
			return -1;
	}
	return 0;
}

static int set_user(const struct payload *p) {
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || syscall(SYS_setgroups, p->ngroups, p->groups) < 0 ||
	    syscall(SYS_setresgid, p->gid, p->gid, p->gid) < 0)
		return -1;
	return syscall(SYS_setresuid, p->uid, p->uid, p->uid);
}

// follow_launcher has the kernel kill this process when the launcher ends, or
// has ended: then it has let go of its end of the socket.
static int follow_launcher(void) {
	struct pollfd launcher = {.fd = SOCKET};
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || poll(&launcher, 1, 0) < 0)
		return -1;
	errno = ESRCH;
	return launcher.revents & POLLHUP ? -1 : 0;
}

// A session keyring of the payload's user: the one of whoever typed the command
// is not the container's.
static int join_keyring(const struct payload *p) {
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) < 0)
		return errno == ENOSYS ? 0 : -1;
	if (!p->keyring)
		return 0;
	return syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING, 0, 0);
}

// set_capabilities makes what is permitted effective for the steps that follow;
// an exec takes nothing of it along but the ambient ones, or for root the
// bounding set. What is inheritable would outlive a change of user.
static int set_capabilities(const struct payload *p) {
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		data[i].effective = data[i].permitted;
		data[i].inheritable = (uint32_t)(p->ambient >> (32 * i));
	}
	if (syscall(SYS_capset, &header, data) < 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -1;
	for (int c = 0; c < 64; c++)
		if (p->ambient >> c & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0)
			return -1;
	if (prctl(PR_SET_SECUREBITS, p->securebits) < 0)
		return -1;
	return p->no_new_privs ? prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) : 0;
}

static int reset_on_fork(void) {
	struct sched_param param;
	int policy = sched_getscheduler(0);
	if (policy < 0 || sched_getparam(0, &param) < 0)
		return -1;
	return sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &param);
}

static int set_filters(const struct payload *p) {
	for (size_t i = 0; i < p->nfilters; i++)
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p->filter_flags[i], &p->filters[i]) < 0)
			return -1;
	return 0;
}

// set_trap sets the filter that has a listener, and sends that to the launcher: a
// filter that traps every call has to let this one through.
static int set_trap(const struct payload *p) {
	if (!p->trap)
		return 0;
	int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p->trap_flags, p->trap);
	if (listener < 0)
		return -1;
	return send_message("{\"kind\":\"trapped\"}", &listener, 1); // it closes at the exec
}

// default_signals undoes what Go's runtime and berth's caller have set.
static void default_signals(int ignore_sigpipe) {
	for (int s = 1; s < NSIG; s++)
		signal(s, s == SIGPIPE && ignore_sigpipe ? SIG_IGN : SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run(struct payload *p, int parent_death) {
	if (p->step = SESSION, enter_session() < 0)
		goto failed;
	if (p->step = TERMINAL, take_terminal(p->terminal) < 0)
		goto failed;
	if (p->step = LIMIT, set_limits(p) < 0)
		goto failed;
	if (p->step = USER, set_user(p) < 0)
		goto failed;
	if (parent_death && follow_launcher() < 0) // a change of user has cleared it
		goto failed;
	if (p->step = KEYRING, join_keyring(p) < 0)
		goto failed;
	if (p->step = CAPABILITIES, set_capabilities(p) < 0)
		goto failed;
	if (p->step = SCHEDULER, p->reset_on_fork && reset_on_fork() < 0)
		goto failed;
	if (p->step = EXEC, p->hold && ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
		goto failed;
	default_signals(p->ignore_sigpipe);
	if (p->step = TRAP, set_trap(p) < 0) // the other filters may not allow that
		goto failed;
	if (p->step = FILTER, set_filters(p) < 0)
		goto failed;
	p->step = EXEC;
	execve(p->path, p->argv, p->envp);
failed:
	p->error = errno;
}

pid_t payload_spawn(struct payload *p) {
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before); // no handler of Go's may run in the child
	pid_t pid = vfork();
	if (pid == 0) {
		run(p, 0);
		_exit(125);
	}
	if (pid < 0)
		p->step = EXEC, p->error = errno;
	else if (p->error)
		waitpid(pid, NULL, 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return p->error ? -1 : pid;
}

void payload_become(struct payload *p) {
	run(p, 1);
	while (p->step >= TRAP && (p->nfilters > 0 || p->trap))
		sched_yield();
}
