/* Races for the arguments in registers. They are changed by a tracer: at the entry
 * of a call, which is before its filters run; where a filter of the program's own
 * asks the tracer; and when a signal has stopped the caller while it waits for the
 * guard. */
#include "mountrace.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/user.h>

/* glibc's header of ptrace(2) and the kernel's can't be had together */
static long trace(long request, pid_t pid, unsigned long address, void *data)
{
	return syscall(SYS_ptrace, request, pid, address, data);
}

static char harmless_path[] = "/tmp/own";
static char *hurtful_path; /* in memory shared with the tracee */
#define PATH_ROOM 256

/* change makes another call of what the tracee is about to do. */
static void change(struct user_regs_struct *r, unsigned n)
{
	switch (n % 5) {
	case 0: /* the flags word */
		r->orig_rax = SYS_mount;
		r->rsi = (unsigned long)hurtful_path;
		r->r10 = MS_REMOUNT | MS_BIND;
		break;
	case 1: /* the path */
		r->orig_rax = SYS_umount2;
		r->rdi = (unsigned long)hurtful_path;
		r->rsi = MNT_DETACH;
		break;
	case 2:
		r->orig_rax = SYS_mount;
		r->rdi = (unsigned long)hurtful_path;
		r->rsi = (unsigned long)MOVED;
		r->r10 = MS_MOVE;
		break;
	case 3:
		r->orig_rax = SYS_pivot_root;
		r->rdi = (unsigned long)harmless_path;
		r->rsi = (unsigned long)harmless_path;
		break;
	default: /* what was meant */
		break;
	}
}

static void choose_path(unsigned n)
{
	const struct initial *m;
	do
		m = &initial[n++ % initials];
	while (!strcmp(m->path, "/tmp") || !m->flags || !m->fixed);
	snprintf(hurtful_path, PATH_ROOM, "%s", m->path);
}

static void sleep_a_little(void)
{
	for (volatile int i = rand() % 20000; i > 0; i--) {
	}
}

/* The tracee's call, when nobody changes it. */
static void call_for_ever(void)
{
	for (;;) {
		mount(NULL, harmless_path, NULL, MS_REMOUNT | MS_BIND, NULL);
		syscall(SYS_getppid);
	}
}

/* A filter that asks the tracer about getppid(2), after which it may be any call. */
static void ask_tracer(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {LENGTH(code), code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("mountrace: cannot set a filter");
		_exit(1);
	}
}

static pid_t tracee;
static int with_filter, with_interrupts;

static void start_tracee(void)
{
	tracee = fork();
	if (tracee == 0) {
		if (with_filter)
			ask_tracer();
		raise(SIGSTOP);
		call_for_ever();
	}
	int status;
	waitpid(tracee, &status, WUNTRACED);
	if (trace(PTRACE_SEIZE, tracee, 0, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)))
		report_weak("cannot trace: nothing was tried");
	kill(tracee, SIGCONT);
}

static int at_entry(void)
{
	struct ptrace_syscall_info info = {0};
	trace(PTRACE_GET_SYSCALL_INFO, tracee, sizeof info, &info);
	return info.op == PTRACE_SYSCALL_INFO_ENTRY || info.op == PTRACE_SYSCALL_INFO_SECCOMP;
}

/* One step of the tracee, to its next stop. */
static void step(unsigned n)
{
	int status;
	struct user_regs_struct registers;
	if (tracee == 0)
		start_tracee();
	choose_path(n);
	if (with_interrupts) {
		sleep_a_little();
		trace(PTRACE_INTERRUPT, tracee, 0, NULL);
	}
	pid_t stopped_pid = 0;
	for (double end = now() + 10; (stopped_pid = waitpid(tracee, &status, __WALL | WNOHANG)) == 0 && now() < end;)
		sched_yield();
	if (stopped_pid != tracee || !WIFSTOPPED(status)) {
		report_weak(stopped_pid ? "the tracee has ended" : "the tracee hangs");
		return;
	}
	trace(PTRACE_GETREGS, tracee, 0, &registers);
	if (at_entry() || status >> 16 == PTRACE_EVENT_STOP) {
		change(&registers, n / 2);
		trace(PTRACE_SETREGS, tracee, 0, &registers);
		if (with_interrupts)
			count((long)registers.rax);
	} else {
		count((long)registers.rax);
	}
	/* An interrupted call is to be caught while it waits, not at its entry. */
	trace(with_interrupts ? PTRACE_CONT : PTRACE_SYSCALL, tracee, 0, NULL);
}

static void end(void)
{
	if (tracee > 0) {
		kill(tracee, SIGKILL);
		waitpid(tracee, NULL, __WALL);
	}
}

static void run(const char *name)
{
	static const struct race r = {step, NULL, NULL, end};
	hurtful_path = mmap(NULL, PATH_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	make_directories(MOVED);
	make_directories(harmless_path);
	mount("own", harmless_path, "tmpfs", 0, NULL);
	run_race(name, &r);
}

static void run_entry(const char *name) { run(name); }

static void run_filter(const char *name)
{
	with_filter = 1;
	run(name);
}

static void run_interrupt(const char *name)
{
	with_interrupts = 1;
	run(name);
}

const struct attack register_attacks[] = {
	{"registers", run_entry}, {"registers-filter", run_filter}, {"registers-interrupted", run_interrupt}, {NULL, NULL},
};
