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

/* Parent and child take turns: on one CPU neither waits for another to wake up. */
static void stay_on_this_cpu(void)
{
	unsigned long cpus[16] = {0};
	unsigned cpu = 0;
	if (call(__NR_getcpu, &cpu, 0, 0) < 0 || cpu >= sizeof(cpus) * 8)
		return;
	cpus[cpu / 64] = 1UL << cpu % 64;
	call(__NR_sched_setaffinity, 0, sizeof(cpus), cpus);
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
 * from others; before them, filters-only or state-only leaves out the rest. exec-ok
 * makes it end at once, to see whether a copy can run. */
void begin(long *stack)
{
	long argc = stack[0];
	char **argv = (char **)(stack + 1);
	if (argc > 1 && equal(argv[1], "exec-ok"))
		call(__NR_exit_group, 0);
	int filters_only = argc > 1 && equal(argv[1], "filters-only");
	int state_only = argc > 1 && equal(argv[1], "state-only");
	if (!filters_only) {
		print_environment(argv + argc + 1);
		print_namespaces(argv + 1);
		print_state();
		flush();
	}
	leave_no_core();
	stay_on_this_cpu();
	if (!state_only)
		trace_calls();
	flush();
	if (!filters_only && !state_only)
		make_tries();
	put_line("probe end", "ok");
	flush();
	call(__NR_exit_group, 0);
}

__asm__(".global _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
