/* Calls to the kernel at large: each with arguments that fail after the check of
 * permissions, so that "it got through" is an errno too. */
#include "probe.h"

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/personality.h>
#include <linux/ptrace.h>

static long plain(const struct try *t)
{
	return call(t->a, t->b);
}

static long set_personality(const struct try *t)
{
	return call(__NR_personality, t->a);
}

static long trace_child(const struct try *t)
{
	int release;
	(void)t;
	long pid = fork_waiting(0, &release);
	if (pid < 0)
		return pid;
	return call(__NR_ptrace, PTRACE_SEIZE, pid, 0, 0);
}

static long read_parent(const struct try *t)
{
	char byte;
	struct {
		void *base;
		size_t size;
	} local = {&byte, 1}, remote = {(void *)errno_name, 1}; /* its code, where ours is */
	(void)t;
	long result = call(__NR_process_vm_readv, call(__NR_getppid), &local, 1, &remote, 1, 0);
	return result == 1 ? 0 : result;
}

static long add_key(const struct try *t)
{
	return call(__NR_add_key, "user", "probe", "x", 1, t->a);
}

static long make_keyring(const struct try *t)
{
	(void)t;
	return call(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);
}

static long request_key(const struct try *t)
{
	(void)t;
	return call(__NR_request_key, "user", "probe-that-is-not-there", 0, 0);
}

static long make_map(const struct try *t)
{
	union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	(void)t;
	return call(__NR_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));
}

static long next_program(const struct try *t)
{
	union bpf_attr attributes = {.start_id = 0x7ffffff0};
	(void)t;
	return call(__NR_bpf, BPF_PROG_GET_NEXT_ID, &attributes, sizeof(attributes));
}

static long count_events(const struct try *t)
{
	struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attributes),
					     .config = PERF_COUNT_SW_CPU_CLOCK, .exclude_kernel = t->a == 0};
	return call(__NR_perf_event_open, &attributes, t->a, t->b, -1, 0);
}

static long make_ring(const struct try *t)
{
	struct io_uring_params parameters = {0};
	(void)t;
	return call(__NR_io_uring_setup, 1, &parameters);
}

static long kernel_log(const struct try *t)
{
	return call(__NR_syslog, t->a, t->b, 0);
}

static long handle_faults(const struct try *t)
{
	return call(__NR_userfaultfd, t->a);
}

void add_kernel(void)
{
	static const struct {
		const char *name;
		long value;
	} personalities[] = {{"PER_LINUX", 0}, {"PER_LINUX32", PER_LINUX32}, {"ADDR_NO_RANDOMIZE", ADDR_NO_RANDOMIZE},
			     {"READ_IMPLIES_EXEC", READ_IMPLIES_EXEC}, {"PER_SVR4", PER_SVR4}};
	for (size_t i = 0; i < LENGTH(personalities); i++)
		add_try(join("set personality ", personalities[i].name), set_personality, NULL, personalities[i].value, 0, 0);
	const struct try list[] = {
		{"trace a child", trace_child, NULL, 0, 0, 0},
		{"read the parent's memory", read_parent, NULL, 0, 0, 0},
		{"add a key to the process", add_key, NULL, KEY_SPEC_PROCESS_KEYRING, 0, 0},
		{"add a key to the thread", add_key, NULL, KEY_SPEC_THREAD_KEYRING, 0, 0},
		{"join a new session keyring", make_keyring, NULL, 0, 0, 0},
		{"request a key", request_key, NULL, 0, 0, ENOKEY},
		{"make a BPF map", make_map, NULL, 0, 0, 0},
		{"list BPF programs", next_program, NULL, 0, 0, ENOENT},
		{"count own events", count_events, NULL, 0, -1, 0},
		{"count all events", count_events, NULL, -1, 0, 0},
		{"set up an io_uring", make_ring, NULL, 0, 0, 0},
		{"userfaultfd", handle_faults, NULL, 0, 0, 0},
		{"userfaultfd of user mode", handle_faults, NULL, 1, 0, 0},
		{"size of the kernel's log", kernel_log, NULL, 10, 0, 0},
		{"read the kernel's log", kernel_log, NULL, 3, 0, EINVAL},
		{"console level", kernel_log, NULL, 8, 0, EINVAL},
		{"vhangup", plain, NULL, __NR_vhangup, 0, 0},
	};
	add(list, LENGTH(list));
}
