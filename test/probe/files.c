/* Files and directories: which may be written, read and executed. */
#include "probe.h"

#include <linux/fcntl.h>
#include <linux/stat.h>

/* create makes a file in a directory and removes it. */
static long create(const struct try *t)
{
	char path[256];
	append_hex(append(append(path, t->path), "/probe-"), random_number());
	long fd = open_file(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0)
		return fd;
	call(__NR_unlink, path);
	return 0;
}

static long make_directory(const struct try *t)
{
	char path[256];
	append_hex(append(append(path, t->path), "/probe-"), random_number());
	long result = call(__NR_mkdir, path, 0700);
	if (result < 0)
		return result;
	return call(__NR_rmdir, path);
}

/* list says whether a directory can be opened and has anything in it. */
static long list_directory(const struct try *t)
{
	char entries[1024];
	long fd = open_file(t->path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	long n = call(__NR_getdents64, fd, entries, sizeof(entries));
	if (n < 0)
		return n;
	/* "." and ".." take 48 bytes. */
	return n > 48 ? 0 : -ENODATA;
}

static long open_it(const struct try *t)
{
	long fd = open_file(t->path, t->a, 0);
	return fd < 0 ? fd : 0;
}

/* read_it says whether there is anything in a file. */
static long read_it(const struct try *t)
{
	char byte;
	long fd = open_file(t->path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	long n = call(__NR_read, fd, &byte, 1);
	call(__NR_close, fd);
	return n == 0 ? -ENODATA : n;
}

/* keep_mode sets a path's mode to what it is. */
static long keep_mode(const struct try *t)
{
	struct statx s;
	long result = call(__NR_statx, AT_CWD, t->path, 0, STATX_MODE, &s);
	if (result < 0)
		return result;
	return call(__NR_fchmodat, AT_CWD, t->path, s.stx_mode & 07777);
}

/* run executes a program that says nothing and ends with 0. */
static long run_program(const char *path)
{
	const char *const arguments[] = {path, "exec-ok", NULL};
	const char *const environment[] = {NULL};
	int status = 0;
	volatile long *failure;
	char space[64] __attribute__((aligned(8)));
	int ends[2];
	failure = (long *)space;
	*failure = 0;
	long result = call(__NR_pipe2, ends, O_CLOEXEC);
	if (result < 0)
		return result;
	long pid = fork_process();
	if (pid < 0)
		return pid;
	if (pid == 0) {
		*failure = call(__NR_execve, path, arguments, environment);
		call(__NR_write, ends[1], space, 8);
		call(__NR_exit_group, 1);
	}
	call(__NR_close, ends[1]);
	result = call(__NR_read, ends[0], space, 8);
	call(__NR_wait4, pid, &status, 0, 0);
	if (result == 8)
		return *failure;
	return status == 0 ? 0 : -ECANCELED;
}

static long execute(const struct try *t)
{
	return run_program(t->path);
}

static long copy_program(long to)
{
	char block[4096];
	long from = open_file("/proc/self/exe", O_RDONLY, 0), n;
	if (from < 0)
		return from;
	while ((n = call(__NR_read, from, block, sizeof(block))) > 0) {
		long written = call(__NR_write, to, block, n);
		if (written < 0)
			return written;
	}
	call(__NR_close, from);
	return n;
}

/* execute_copy copies this program into a directory and executes the copy. */
static long execute_copy(const struct try *t)
{
	char path[256];
	append_hex(append(append(path, t->path), "/probe-"), random_number());
	long fd = open_file(path, O_CREAT | O_EXCL | O_WRONLY, 0700);
	if (fd < 0)
		return fd;
	long result = copy_program(fd);
	call(__NR_close, fd);
	if (result >= 0)
		result = run_program(path);
	call(__NR_unlink, path);
	return result;
}

static long execute_memory(const struct try *t)
{
	char path[64];
	(void)t;
	long fd = call(__NR_memfd_create, "probe", 0);
	if (fd < 0)
		return fd;
	long result = copy_program(fd);
	append_number(append(path, "/proc/self/fd/"), fd);
	if (result < 0)
		return result;
	/* A file that is open for writing can't be executed. */
	long again = open_file(path, O_RDONLY, 0);
	if (again < 0)
		return again;
	call(__NR_close, fd);
	append_number(append(path, "/proc/self/fd/"), again);
	return run_program(path);
}

static void add_writes(void)
{
	static const char *const directories[] = {
		"/", "/boot", "/boot/efi", "/efi", "/etc", "/etc/systemd", "/home", "/root", "/usr", "/usr/bin", "/usr/lib",
		"/usr/lib/modules", "/usr/local", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/lib/private",
		"/var/lib/probe", "/var/cache/probe", "/var/log", "/var/log/probe", "/var/spool", "/var/tmp", "/tmp", "/run",
		"/run/credentials", "/run/dbus", "/run/host", "/run/lock", "/run/probe", "/run/systemd", "/run/user",
		"/etc/probe", "/dev", "/dev/mqueue", "/dev/pts", "/dev/shm", "/media", "/mnt", "/opt", "/srv", "/srv/probe",
		"/srv/probe/inner", "/srv/probe/other", "/srv/probe/empty", "/proc", "/proc/sys", "/sys", "/sys/fs/cgroup",
		"/sys/fs/bpf", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security",
	};
	static const char *const attributes[] = {"/", "/etc", "/usr", "/home", "/root", "/var", "/run", "/tmp", "/dev",
						 "/proc", "/sys", "/srv", "/srv/probe/data", "/etc/passwd", "/usr/bin/env"};
	for (size_t i = 0; i < LENGTH(directories); i++)
		add_open(join("create in ", directories[i]), create, directories[i], 0, 0, 0);
	for (size_t i = 0; i < LENGTH(attributes); i++)
		add_open(join("keep the mode of ", attributes[i]), keep_mode, attributes[i], 0, 0, 0);
	add_open("make a cgroup", make_directory, "/sys/fs/cgroup", 0, 0, 0);
	add_open("make a message queue", create, "/dev/mqueue", 0, 0, 0);
}

static void add_reads(void)
{
	static const char *const directories[] = {
		"/", "/dev", "/etc", "/home", "/opt", "/proc/1/fd", "/proc/sys", "/proc/bus",
		"/proc/fs", "/proc/irq", "/root", "/run", "/run/credentials", "/run/systemd", "/run/user", "/srv",
		"/srv/probe", "/srv/probe/inner", "/srv/probe/other", "/sys", "/sys/fs/bpf", "/sys/fs/cgroup", "/tmp",
		"/usr", "/usr/lib/modules", "/var/lib", "/var/log", "/var/tmp",
	};
	static const char *const files[] = {
		"/srv/probe/data", "/srv/probe/inner/data", "/srv/probe/other/data", "/etc/passwd", "/etc/shadow",
		"/home/probe-marker", "/root/probe-marker", "/usr/lib/modules/probe-marker", "/proc/cpuinfo",
		"/proc/meminfo", "/proc/version", "/proc/kallsyms", "/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/config.gz", "/proc/modules",
		"/proc/1/environ", "/proc/1/status", "/proc/1/mountinfo", "/proc/self/mountinfo", "/proc/self/mem", "/proc/timer_list",
		"/proc/slabinfo", "/proc/iomem", "/proc/vmallocinfo", "/proc/sys/kernel/hostname", "/proc/sys/kernel/cap_last_cap",
		"/run/systemd/journal/socket", "/run/systemd/private", "/run/dbus/system_bus_socket",
		"/sys/kernel/uevent_seqnum", "/sys/fs/cgroup/cgroup.procs", "/sys/firmware/acpi/tables/FACP",
	};
	for (size_t i = 0; i < LENGTH(directories); i++)
		add_open(join("list ", directories[i]), list_directory, directories[i], 0, 0, 0);
	/* ENXIO: it is a socket, and there. */
	for (size_t i = 0; i < LENGTH(files); i++)
		add_open(join("open ", files[i]), open_it, files[i], O_RDONLY | O_NONBLOCK, 0, ENXIO);
	add_open("read /proc/cpuinfo", read_it, "/proc/cpuinfo", 0, 0, 0);
	add_open("read /proc/kallsyms", read_it, "/proc/kallsyms", 0, 0, 0);
	add_open("read /proc/version", read_it, "/proc/version", 0, 0, 0);
	add_open("write /srv/probe/data", open_it, "/srv/probe/data", O_WRONLY, 0, 0);
	add_open("write /srv/probe/inner/data", open_it, "/srv/probe/inner/data", O_WRONLY, 0, 0);
	add_open("write /srv/probe/other/data", open_it, "/srv/probe/other/data", O_WRONLY, 0, 0);
	add_open("write /etc/passwd", open_it, "/etc/passwd", O_WRONLY, 0, 0);
}

static void add_executions(void)
{
	static const char *const programs[] = {"/srv/probe/program", "/srv/probe/inner/program", "/opt/probe-program",
					       "/usr/local/bin/probe-program", "/usr/bin/true"};
	static const char *const directories[] = {"/tmp", "/var/tmp", "/run", "/dev/shm", "/srv/probe", "/root", "/home",
						  "/var/lib", "/mnt", "/etc"};
	for (size_t i = 0; i < LENGTH(programs); i++)
		add_try(join("execute ", programs[i]), execute, programs[i], 0, 0, 0);
	for (size_t i = 0; i < LENGTH(directories); i++)
		add_try(join("execute a copy in ", directories[i]), execute_copy, directories[i], 0, 0, 0);
	add_try("execute memory", execute_memory, NULL, 0, 0, 0);
}

void add_files(void)
{
	add_writes();
	add_reads();
	add_executions();
}
