/* What the process is and has: the lines that are compared as values. */
#include "probe.h"

#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/utsname.h>

static char buffer[1 << 16];

/* put_field prints a field of /proc/self/status. */
static void put_field(const char *field, char kind)
{
	char value[4096], *end = value;
	const char *at = find(buffer, join(join("\n", field), ":\t"));
	if (!at)
		return;
	for (at += length(field) + 3; *at && *at != '\n' && end < value + sizeof(value) - 1;)
		*end++ = *at++;
	*end = 0;
	put_value(join("status ", field), kind, value);
}

/* put_capabilities prints a set of capabilities as the numbers in it. */
static void put_capabilities(const char *field)
{
	char value[512], *end = value;
	unsigned long set = 0;
	const char *at = find(buffer, join(join("\n", field), ":\t"));
	if (!at)
		return;
	*end = 0;
	for (at += length(field) + 3; *at && *at != '\n'; at++)
		set = set << 4 | (unsigned long)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
	for (long n = 0; n < 64; n++)
		if (set >> n & 1)
			end = append(append_number(end, n), " ");
	put_value(join("status ", field), '-', value);
}

static void put_status(void)
{
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
	static const char *const fields[] = {"Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Umask", "SigIgn",
					     "SigBlk", "THP_enabled", "Cpus_allowed_list", "Mems_allowed_list"};
	if (read_file("/proc/self/status", buffer, sizeof(buffer)) < 0)
		return;
	for (size_t i = 0; i < LENGTH(sets); i++)
		put_capabilities(sets[i]);
	for (size_t i = 0; i < LENGTH(fields); i++)
		put_field(fields[i], '=');
}

/* put_number_value prints what a call returns, or its errno. */
static void put_returned(const char *name, long value)
{
	char text[32];
	if (value < 0) {
		put_result(name, value);
		return;
	}
	append_hex(text, value);
	put_value(name, '=', text);
}

static void put_prctl(void)
{
	int deaths = 0;
	put_returned("prctl securebits", call(__NR_prctl, PR_GET_SECUREBITS));
	put_returned("prctl no_new_privs", call(__NR_prctl, PR_GET_NO_NEW_PRIVS));
	put_returned("prctl keepcaps", call(__NR_prctl, PR_GET_KEEPCAPS));
	put_returned("prctl dumpable", call(__NR_prctl, PR_GET_DUMPABLE));
	put_returned("prctl timerslack", call(__NR_prctl, PR_GET_TIMERSLACK));
	put_returned("prctl thp disabled", call(__NR_prctl, PR_GET_THP_DISABLE));
	put_returned("prctl mdwe", call(__NR_prctl, 66 /* PR_GET_MDWE */));
	put_returned("prctl memory merge", call(__NR_prctl, 68 /* PR_GET_MEMORY_MERGE */));
	put_returned("prctl death signal", call(__NR_prctl, PR_GET_PDEATHSIG, &deaths) < 0 ? -EPERM : deaths);
}

static void put_limits(void)
{
	static const char *const names[] = {"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE",
					    "MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"};
	for (size_t i = 0; i < LENGTH(names); i++) {
		unsigned long limit[2];
		char text[64];
		const char *name = join("limit ", names[i]);
		long result = call(__NR_prlimit64, 0, i, 0, limit);
		if (result < 0) {
			put_result(name, result);
			continue;
		}
		append_hex(append(append_hex(text, limit[0]), " "), limit[1]);
		put_value(name, '=', text);
	}
}

static void put_scheduling(void)
{
	int priority = 0, mode = 0;
	unsigned long nodes[64] = {0};
	put_returned("scheduling policy", call(__NR_sched_getscheduler, 0));
	call(__NR_sched_getparam, 0, &priority);
	put_returned("scheduling priority", priority);
	put_returned("scheduling nice", call(__NR_getpriority, 0, 0)); /* 20 - nice */
	put_returned("scheduling io", call(__NR_ioprio_get, IOPRIO_WHO_PROCESS, 0));
	long result = call(__NR_get_mempolicy, &mode, nodes, sizeof(nodes) * 8, 0, 0);
	put_returned("scheduling memory policy", result < 0 ? result : mode);
}

/* put_file prints a file's content, its newlines as spaces. */
static void put_file(const char *path)
{
	long n = read_file(path, buffer, sizeof(buffer));
	if (n < 0)
		put_result(join("content ", path), n);
	else
		put_value(join("content ", path), '=', buffer);
}

/* The session keyring by its name, as numbers differ, and whether the user's is
 * linked to it. */
static void put_keyrings(void)
{
	long n = call(__NR_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, buffer, sizeof(buffer));
	if (n < 0)
		put_result("keyring session", n);
	else
		put_value("keyring session", '=', buffer);
	n = call(__NR_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "keyring", "_uid.0", 0);
	put_result("keyring of the user", n);
}

static void put_host_name(void)
{
	struct new_utsname name;
	if (call(__NR_uname, &name) == 0) {
		put_value("uname node", '=', name.nodename);
		put_value("uname domain", '=', name.domainname);
		put_value("uname machine", '=', name.machine);
	}
}

void print_state(void)
{
	static const char *const files[] = {"/proc/self/oom_score_adj", "/proc/self/coredump_filter",
					    "/srv/probe/bound", "/srv/probe/data", "/srv/probe/empty/data", "/tmp/probe-marker", "/var/tmp/probe-marker",
					    "/home/probe-marker", "/root/probe-marker", "/run/user/probe-marker",
					    "/run/probe-marker", "/dev/shm/probe-marker", "/sys/class/net/lo/operstate"};
	put_status();
	put_prctl();
	put_limits();
	put_scheduling();
	for (size_t i = 0; i < LENGTH(files); i++)
		put_file(files[i]);
	put_keyrings();
	put_returned("personality", call(__NR_personality, 0xffffffff));
	put_host_name();
}
