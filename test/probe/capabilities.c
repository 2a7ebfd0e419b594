/* The call that each capability is known for, on what is the probe's own or with
 * arguments that no kernel takes. Those about users are in credentials.c. */
#include "probe.h"

#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/socket.h>
#include <linux/time.h>
#include <linux/timex.h>

#define SOL_SOCKET_ 1
#define SO_RCVBUFFORCE_ 33

static long drop_capability(const struct try *t)
{
	return call(__NR_prctl, PR_CAPBSET_DROP, t->a);
}

static long raise_ambient(const struct try *t)
{
	return call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, t->a);
}

static long set_securebits(const struct try *t)
{
	return call(__NR_prctl, PR_SET_SECUREBITS, t->a);
}

static long bind_low(const struct try *t)
{
	struct sockaddr_in address = {.sin_family = 2, .sin_port = 0x5100, .sin_addr = {0x0100007f}}; /* 127.0.0.1:81 */
	(void)t;
	long fd = call(__NR_socket, 2, 1, 0);
	return fd < 0 ? fd : call(__NR_bind, fd, &address, sizeof(address));
}

static long force_buffer(const struct try *t)
{
	int size = 4096;
	(void)t;
	long fd = call(__NR_socket, 1, 1, 0);
	return fd < 0 ? fd : call(__NR_setsockopt, fd, SOL_SOCKET_, SO_RCVBUFFORCE_, &size, sizeof(size));
}

static long raw_socket(const struct try *t)
{
	return call(__NR_socket, t->a, 3, t->b);
}

static long lock_memory(const struct try *t)
{
	unsigned long none[2] = {0, 0};
	static char page[8192];
	(void)t;
	long result = call(__NR_prlimit64, 0, RLIMIT_MEMLOCK, none, 0);
	return result < 0 ? result : call(__NR_mlock, page, 4096);
}

/* The mode denies even its maker to look. */
static long look_at_shared_memory(const struct try *t)
{
	char state[256];
	(void)t;
	long id = call(__NR_shmget, 0, 4096, 01000 /* IPC_CREAT */);
	if (id < 0)
		return id;
	long result = call(__NR_shmctl, id, 2 /* IPC_STAT */, state);
	call(__NR_shmctl, id, 0 /* IPC_RMID */, 0);
	return result;
}

static long set_attribute(const struct try *t)
{
	int flags = t->b;
	long fd = call(__NR_memfd_create, "probe", 0);
	if (fd < 0)
		return fd;
	return call(__NR_ioctl, fd, t->a, &flags);
}

static long set_file_capability(const struct try *t)
{
	struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2, .data = {{.permitted = 1}}};
	(void)t;
	long fd = call(__NR_memfd_create, "probe", 0);
	return fd < 0 ? fd : call(__NR_fsetxattr, fd, "security.capability", &data, 20, 0);
}

static long set_attribute_of(const struct try *t)
{
	long fd = call(__NR_memfd_create, "probe", 0);
	return fd < 0 ? fd : call(__NR_fsetxattr, fd, t->path, "x", 1, 0);
}

static long nice(const struct try *t)
{
	return call(__NR_setpriority, 0, 0, t->a);
}

static long schedule(const struct try *t)
{
	int priority = t->b;
	return call(__NR_sched_setscheduler, 0, t->a, &priority);
}

static long schedule_deadline(const struct try *t)
{
	struct {
		unsigned size, policy;
		unsigned long flags;
		int nice;
		unsigned priority;
		unsigned long runtime, deadline, period;
	} attributes = {48, 6, 0, 0, 0, 1000000, 100000000, 100000000};
	unsigned long all = ~0UL;
	(void)t;
	call(__NR_sched_setaffinity, 0, sizeof(all), &all); /* it takes all CPUs */
	return call(__NR_sched_setattr, 0, &attributes, 0);
}

static long io_priority(const struct try *t)
{
	return call(__NR_ioprio_set, 1, 0, t->a << 13 | 4);
}

static long pin(const struct try *t)
{
	unsigned long cpus[16];
	(void)t;
	long n = call(__NR_sched_getaffinity, 0, sizeof(cpus), cpus);
	return n < 0 ? n : call(__NR_sched_setaffinity, 0, n, cpus);
}

static long raise_limit(const struct try *t)
{
	unsigned long low[2] = {64, 64}, high[2] = {64, 65};
	long result = call(__NR_prlimit64, 0, t->a, low, 0);
	return result < 0 ? result : call(__NR_prlimit64, 0, t->a, high, 0);
}

/* Time zones end 15 hours from Greenwich. */
static long set_time_zone(const struct try *t)
{
	int zone[2] = {100000, 0};
	(void)t;
	return call(__NR_settimeofday, 0, zone);
}

static long set_clock(const struct try *t)
{
	long never[2] = {-1, -1};
	return call(__NR_clock_settime, t->a, never);
}

/* No tick takes no time. */
static long adjust_clock(const struct try *t)
{
	struct timex change = {.modes = ADJ_TICK, .tick = 0};
	if (t->a == __NR_adjtimex)
		return call(__NR_adjtimex, &change);
	return call(__NR_clock_adjtime, 0, &change);
}

static long alarm_timer(const struct try *t)
{
	return call(__NR_timerfd_create, t->a, 0);
}

static long call_bad(const struct try *t)
{
	return call(t->a, t->b, -1, -1, -1, -1);
}

static long accounting(const struct try *t)
{
	return call(t->a, t->path, 0);
}

/* A handle that is of no file. */
static long open_by_handle(const struct try *t)
{
	struct {
		unsigned bytes;
		int type;
		unsigned char data[8];
	} handle = {8, 1, {0xff, 0xff, 0xff, 0xff}};
	(void)t;
	long fd = open_file("/usr", O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? fd : call(__NR_open_by_handle_at, fd, &handle, O_RDONLY);
}

static long name_to_handle(const struct try *t)
{
	struct {
		unsigned bytes;
		int type;
		unsigned char data[128];
	} handle = {128, 0, {0}};
	int mount;
	return call(__NR_name_to_handle_at, AT_CWD, t->path, &handle, &mount, 0);
}

static long watch_mounts(const struct try *t)
{
	return call(__NR_fanotify_init, t->a, O_RDONLY);
}

static long ports(const struct try *t)
{
	return t->a == __NR_iopl ? call(__NR_iopl, t->b) : call(__NR_ioperm, 0x80, 1, 1);
}

static long change_root(const struct try *t)
{
	return call(__NR_chroot, t->path);
}

static long audit_socket(const struct try *t)
{
	struct {
		unsigned short family, pad;
		unsigned pid, groups;
	} address = {16, 0, 0, 1};
	(void)t;
	long fd = call(__NR_socket, 16, 3, 9 /* NETLINK_AUDIT */);
	return fd < 0 ? fd : call(__NR_bind, fd, &address, sizeof(address));
}

static long bad_name(const struct try *t)
{
	return call(t->a, -1, 5); /* the name is read after the check */
}

static void add_names(void)
{
	for (long n = 0; n <= 40; n++) {
		char text[8];
		append_number(text, n);
		add_try(join("drop capability ", text), drop_capability, NULL, n, 0, 0);
	}
	add_try("raise an ambient capability", raise_ambient, NULL, CAP_CHOWN, 0, 0);
	add_try("set securebits", set_securebits, NULL, 0x1, 0, 0);
	add_try("set all securebits", set_securebits, NULL, 0x2f, 0, 0);
}

void add_capabilities(void)
{
	const struct try list[] = {
		{"bind a low port", bind_low, NULL, 0, 0, EADDRINUSE},                /* CAP_NET_BIND_SERVICE */
		{"force a buffer's size", force_buffer, NULL, 0, 0, 0},               /* CAP_NET_ADMIN */
		{"raw socket", raw_socket, NULL, 2, 1, 0},                            /* CAP_NET_RAW */
		{"packet socket", raw_socket, NULL, 17, 0, 0},                        /* CAP_NET_RAW */
		{"lock memory", lock_memory, NULL, 0, 0, 0},                          /* CAP_IPC_LOCK */
		{"look at denied shared memory", look_at_shared_memory, NULL, 0, 0, 0}, /* CAP_IPC_OWNER */
		{"set a file immutable", set_attribute, NULL, 0x40086602, 0x10, 0},   /* CAP_LINUX_IMMUTABLE */
		{"set a file's capability", set_file_capability, NULL, 0, 0, 0},      /* CAP_SETFCAP */
		{"set attribute", set_attribute_of, "trusted.probe", 0, 0, 0},        /* CAP_SYS_ADMIN */
		{"set attribute", set_attribute_of, "security.probe", 0, 0, 0},       /* CAP_SYS_ADMIN */
		{"lower nice", nice, NULL, -5, 0, 0},                                 /* CAP_SYS_NICE */
		{"raise nice", nice, NULL, 19, 0, 0},
		{"schedule as FIFO", schedule, NULL, 1, 1, 0},
		{"schedule as RR", schedule, NULL, 2, 1, 0},
		{"schedule as batch", schedule, NULL, 3, 0, 0},
		{"schedule as idle", schedule, NULL, 5, 0, 0},
		{"schedule by deadline", schedule_deadline, NULL, 0, 0, 0},
		{"realtime I/O", io_priority, NULL, 1, 0, 0},
		{"idle I/O", io_priority, NULL, 3, 0, 0},
		{"pin to CPUs", pin, NULL, 0, 0, 0},
		{"raise the limit of files", raise_limit, NULL, RLIMIT_NOFILE, 0, 0}, /* CAP_SYS_RESOURCE */
		{"raise the limit of processes", raise_limit, NULL, RLIMIT_NPROC, 0, 0},
		{"set the time zone", set_time_zone, NULL, 0, 0, EINVAL},             /* CAP_SYS_TIME */
		{"set an impossible time", set_clock, NULL, 0, 0, EINVAL},
		{"adjtimex", adjust_clock, NULL, __NR_adjtimex, 0, EINVAL},           /* CAP_SYS_TIME */
		{"clock_adjtime", adjust_clock, NULL, __NR_clock_adjtime, 0, EINVAL},
		{"alarm timer of real time", alarm_timer, NULL, 8, 0, 0},             /* CAP_WAKE_ALARM */
		{"alarm timer of boot time", alarm_timer, NULL, 9, 0, 0},
		{"load a module", call_bad, NULL, __NR_finit_module, -1, EBADF},      /* CAP_SYS_MODULE */
		{"remove a module", call_bad, NULL, __NR_delete_module, -1, EFAULT},
		{"kexec_load", call_bad, NULL, __NR_kexec_load, -1, EINVAL},          /* CAP_SYS_BOOT */
		{"kexec_file_load", call_bad, NULL, __NR_kexec_file_load, -1, EINVAL},
		{"reboot without the magic", call_bad, NULL, __NR_reboot, 0, EINVAL},
		{"account processes in", accounting, "/probe-that-is-not-there", __NR_acct, 0, ENOENT}, /* CAP_SYS_PACCT */
		{"swap to", accounting, "/probe-that-is-not-there", __NR_swapon, 0, ENOENT},     /* CAP_SYS_ADMIN */
		{"no longer swap to", accounting, "/probe-that-is-not-there", __NR_swapoff, 0, ENOENT},
		{"set the host's name", bad_name, NULL, __NR_sethostname, 0, EFAULT},
		{"set the domain's name", bad_name, NULL, __NR_setdomainname, 0, EFAULT},
		{"open by handle", open_by_handle, NULL, 0, 0, ESTALE},               /* CAP_DAC_READ_SEARCH */
		{"handle of", name_to_handle, "/usr", 0, 0, EOVERFLOW},
		{"watch whole file systems", watch_mounts, NULL, 0x10, 0, 0},         /* CAP_SYS_ADMIN */
		{"watch with names", watch_mounts, NULL, 0x600, 0, 0},
		{"iopl", ports, NULL, __NR_iopl, 3, 0},                               /* CAP_SYS_RAWIO */
		{"ioperm", ports, NULL, __NR_ioperm, 0, 0},
		{"chroot", change_root, "/", 0, 0, 0},                                /* CAP_SYS_CHROOT */
		{"listen to the audit", audit_socket, NULL, 0, 0, 0},                 /* CAP_AUDIT_READ */
	};
	add(list, LENGTH(list));
	add_names();
}
