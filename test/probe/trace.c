/*
 * What filters say of a system call that is never executed: reboot(2) with the
 * right magic numbers, say.
 *
 * A child adds a filter of its own to those it was born with. It answers
 * SECCOMP_RET_TRACE, the weakest of all answers but "allow" and "log": where
 * another filter denies, the call fails as that one says, and where all allow,
 * the tracer is asked, which notes it and skips the call. Where ptrace(2) is
 * denied there is no tracer, and the kernel itself skips the call, with ENOSYS.
 */
#include "probe.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>

#define ROOM 4096
#define EXIT 77
#define X32_BIT 0x40000000

struct shared {
	volatile int tracer;   /* 0: not known yet, 1: there is one, 2: there is none */
	volatile long failure; /* why the child could install no filter */
	volatile size_t next;  /* the call that is being made */
	long results[ROOM];
	volatile char passed[ROOM + 1];
};

static struct traced calls[ROOM];
static size_t count;
static struct shared *shared;

static long install_filter(void)
{
	/* Only exit_group(EXIT) is let through. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EXIT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
	};
	struct sock_fprog program = {LENGTH(code), code};
	long result = call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	if (result < 0)
		result = call(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	if (result == -EACCES && call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1) == 0)
		return install_filter();
	return result;
}

static long make(const struct traced *t)
{
	const long *a = t->args;
	if (t->abi == I386)
		return call_i386(t->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	return call6(t->abi == X32 ? t->nr | X32_BIT : t->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void make_all(void)
{
	while (shared->tracer == 0)
		call(__NR_sched_yield);
	shared->failure = install_filter();
	if (shared->failure == 0)
		for (; shared->next < count; shared->next++)
			shared->results[shared->next] = make(&calls[shared->next]);
	call(__NR_exit_group, EXIT);
}

/* skip notes that all filters let the stopped call pass, and keeps it from being
 * executed. */
static void skip(long pid)
{
	shared->passed[shared->next] = 1;
	call(__NR_ptrace, PTRACE_POKEUSR, pid, 15 * 8, -1); /* orig_rax: no call */
}

/* follow runs a child to its end, traced or not, and says which signal ended it,
 * or 0. */
static int follow(long pid)
{
	for (;;) {
		int status = 0, signal = 0;
		long got = call(__NR_wait4, pid, &status, 0x40000000 /* __WALL */, 0);
		if (got == -EINTR)
			continue;
		if (got < 0 || (status & 0x7f) == 0)
			return 0;
		if ((status & 0xff) != 0x7f)
			return status & 0x7f;
		if (status >> 16 == PTRACE_EVENT_SECCOMP)
			skip(pid);
		else if (status >> 16 == 0)
			signal = status >> 8;
		call(__NR_ptrace, PTRACE_CONT, pid, 0, signal);
	}
}

static long make_in_child(void)
{
	shared->tracer = 0;
	long pid = fork_process();
	if (pid == 0)
		make_all();
	if (pid < 0)
		return pid;
	long result = call(__NR_ptrace, PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
	shared->tracer = result == 0 ? 1 : 2;
	int signal = follow(pid);
	if (shared->failure != 0)
		return shared->failure;
	if (signal != 0)
		shared->results[shared->next++] = -10000 - signal;
	return 0;
}

static void put_answer(const struct traced *t, long result, int passed)
{
	static const char *const abis[] = {"x86-64", "i386", "x32"};
	char buffer[32];
	put("filter ");
	put(abis[t->abi]);
	put(" ");
	if (t->name)
		put(t->name);
	else
		put_number(t->nr);
	put("\t");
	if (result == -10031)
		put("SIGSYS");
	else if (result <= -10000)
		put("killed");
	else if (passed || (shared->tracer == 2 && result == -ENOSYS))
		put("ok");
	else if (result >= 0)
		put("emulated");
	else
		put(errno_name(result, buffer));
	put("\n");
}

void trace_calls(void)
{
	shared = (struct shared *)call(__NR_mmap, 0, sizeof(*shared), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if ((unsigned long)shared > -4096UL) {
		put_result("probe shared memory of filters", (long)shared);
		return;
	}
	count = list_calls(calls, ROOM);
	while (shared->next < count) {
		long failure = make_in_child();
		if (failure != 0) {
			put_result("probe filters", failure);
			return;
		}
	}
	put_line("probe filters", shared->tracer == 1 ? "ok" : "untraced");
	for (size_t i = 0; i < count; i++)
		put_answer(&calls[i], shared->results[i], shared->passed[i]);
}
