/* caller FILTER makes system calls under a filter, and says what came of them.
 *
 * FILTER is a file with an array of struct sock_filter, or "-" for none. Each line
 * of input is an ABI (x86-64, x32 or x86), a number and five arguments, in hex; of
 * output the result, an errno as a negative number, or "killed". Each call is made
 * in a process of its own. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct result {
	volatile int done, loaded;
	volatile long value;
};

static long call(const char *abi, unsigned long nr, const unsigned long *a)
{
	long result;
	if (strcmp(abi, "x86") == 0) {
		int value;
		asm volatile("int $0x80" : "=a"(value)
			     : "a"((unsigned)nr), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
			     : "memory", "r8", "r9", "r10", "r11");
		return value;
	}
	register unsigned long r10 asm("r10") = a[3];
	register unsigned long r8 asm("r8") = a[4];
	asm volatile("syscall" : "=a"(result) : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8)
		     : "memory", "rcx", "r11");
	return result;
}

int main(int argc, char **argv)
{
	static struct sock_filter code[4096];
	struct sock_fprog program = { 0, code };
	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "-") != 0) {
		FILE *f = fopen(argv[1], "r");
		if (!f)
			return 2;
		program.len = fread(code, sizeof code[0], 4096, f);
	}
	struct result *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char abi[8];
	unsigned long nr, a[5];
	while (scanf("%7s %lx %lx %lx %lx %lx %lx", abi, &nr, a, a + 1, a + 2, a + 3, a + 4) == 7) {
		*shared = (struct result){ 0 };
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
			if (program.len && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
				_exit(1);
			shared->loaded = 1;
			shared->value = call(abi, nr, a);
			shared->done = 1;
			_exit(0);
		}
		int status;
		waitpid(pid, &status, 0);
		if (!shared->loaded)
			return 3;
		if (shared->done && (shared->value >= 0 || shared->value < -4095))
			printf("done\n"); /* with a number that says nothing */
		else if (shared->done)
			printf("%ld\n", shared->value);
		else
			printf(WIFSIGNALED(status) ? "killed\n" : "lost\n");
	}
	return 0;
}
