/* System calls, without a C library between. */
#include "probe.h"

#include <linux/fcntl.h>
#include <linux/signal.h>

long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* A 64-bit program reaches the 32-bit calls by the old interrupt. */
long call_i386(long nr, long a, long b, long c, long d, long e, long f)
{
	long result;
	__asm__ volatile("push %%rbp\n\tmov %[f], %%rbp\n\tint $0x80\n\tpop %%rbp"
			 : "=a"(result)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [f] "m"(f)
			 : "r8", "r9", "r10", "r11", "memory", "cc");
	return (int)result;
}

long fork_process(void)
{
	long pid = call(__NR_clone, SIGCHLD);
	if (pid < 0)
		pid = call(__NR_fork);
	return pid;
}

/* fork_waiting makes a child of another user, unless that is 0. */
long fork_waiting(long user, int *release)
{
	int ready[2], wait[2];
	signed char failure = 0;
	long result = call(__NR_pipe2, ready, O_CLOEXEC);
	if (result < 0 || (result = call(__NR_pipe2, wait, O_CLOEXEC)) < 0)
		return result;
	long pid = fork_process();
	if (pid == 0) {
		call(__NR_close, wait[1]);
		if (user != 0)
			failure = call(__NR_setresuid, user, user, user);
		call(__NR_write, ready[1], &failure, 1);
		if (failure == 0)
			call(__NR_read, wait[0], &failure, 1);
		call(__NR_exit_group, 0);
	}
	if (pid < 0)
		return pid;
	call(__NR_close, wait[0]);
	call(__NR_read, ready[0], &failure, 1);
	*release = wait[1];
	return failure ? failure : pid;
}

long open_file(const char *path, long flags, long mode)
{
	return call(__NR_openat, AT_CWD, path, flags | O_CLOEXEC, mode);
}

long read_file(const char *path, char *buffer, size_t size)
{
	long fd = open_file(path, O_RDONLY, 0), n, total = 0;
	if (fd < 0)
		return fd;
	while (total < (long)size - 1) {
		n = call(__NR_read, fd, buffer + total, size - 1 - total);
		if (n <= 0)
			break;
		total += n;
	}
	call(__NR_close, fd);
	buffer[total] = 0;
	return total;
}

long random_number(void)
{
	unsigned low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return ((long)high << 32 | low) & 0x7fffffffffff;
}
