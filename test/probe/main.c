/* Where the program begins: it prints states, tries and what filters answer. */
#include "probe.h"

#include <linux/resource.h>

/* What a filter kills leaves no core: 1 says so to a program that takes them too,
 * see core(5). */
static void leave_no_core(void)
{
	unsigned long limit[2];
	if (call(__NR_prlimit64, 0, RLIMIT_CORE, 0, limit) == 0) {
		limit[0] = limit[1] < 1 ? 0 : 1;
		call(__NR_prlimit64, 0, RLIMIT_CORE, limit, 0);
	}
}

static void make_tries(void)
{
	add_files();
	add_devices();
	add_tunables();
	add_capabilities();
	add_credentials();
	add_namespaces();
	add_mounts();
	add_sockets();
	add_memory();
	add_kernel();
	run_tries();
}

/* The arguments are the links of the host's /proc/1/ns, to tell its namespaces
 * from others; before them, filters-only leaves out the tries. exec-ok makes it
 * end at once, to see whether a copy can run. */
void begin(long *stack)
{
	long argc = stack[0];
	char **argv = (char **)(stack + 1);
	if (argc > 1 && equal(argv[1], "exec-ok"))
		call(__NR_exit_group, 0);
	int everything = argc < 2 || !equal(argv[1], "filters-only");
	if (everything) {
		print_environment(argv + argc + 1);
		print_namespaces(argv + 1);
		print_state();
		flush();
	}
	leave_no_core();
	trace_calls();
	flush();
	if (everything)
		make_tries();
	put_line("probe end", "ok");
	flush();
	call(__NR_exit_group, 0);
}

__asm__(".global _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
