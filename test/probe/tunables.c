/* The kernel's tunables: which could be written. They are opened, and never
 * written. */
#include "probe.h"

#include <linux/fcntl.h>
#include <linux/stat.h>

static long open_to_write(const struct try *t)
{
	long fd = open_file(t->path, O_WRONLY, 0);
	if (fd < 0)
		return fd;
	call(__NR_close, fd);
	return 0;
}

struct entry {
	unsigned long inode, offset;
	unsigned short size;
	unsigned char type;
	char name[];
};

/* varies says of a name that it is that of an interface or a CPU, say. */
static int varies(const char *parent, const char *name)
{
	int per_interface = find(parent, "/conf") || find(parent, "/neigh");
	return (per_interface && !equal(name, "all") && !equal(name, "default") && !equal(name, "lo")) ||
	       find(parent, "sched_domain") != NULL || equal(name, "sched_domain");
}

/* add_below adds all files that have a bit for writing, in the kernel's order. */
static void add_below(const char *directory, int depth)
{
	char block[8192] __attribute__((aligned(8)));
	long fd = open_file(directory, O_RDONLY | O_DIRECTORY, 0), n;
	if (fd < 0)
		return;
	while ((n = call(__NR_getdents64, fd, block, sizeof(block))) > 0) {
		for (char *at = block; at < block + n; at += ((struct entry *)at)->size) {
			struct entry *entry = (struct entry *)at;
			struct statx s;
			if (entry->name[0] == '.' || varies(directory, entry->name))
				continue;
			const char *path = join(join(directory, "/"), entry->name);
			if (entry->type == 4 /* DT_DIR */ && depth > 0)
				add_below(path, depth - 1);
			else if (entry->type == 8 /* DT_REG */ && call(__NR_statx, AT_CWD, path, 0, STATX_MODE, &s) == 0 &&
				 (s.stx_mode & 0222))
				add_open(join("write ", path), open_to_write, path, 0, 0, 0);
		}
	}
	call(__NR_close, fd);
}

void add_tunables(void)
{
	/* Named, so that a file which is hidden is not just left out. */
	static const char *const files[] = {
		"/proc/sys/kernel/core_pattern",
		"/proc/sys/kernel/modprobe",
		"/proc/sys/kernel/hotplug",
		"/proc/sys/kernel/ns_last_pid",
		"/proc/sys/vm/drop_caches",
		"/proc/sys/fs/binfmt_misc/register",
		"/proc/sysrq-trigger",
		"/proc/kcore",
		"/proc/kallsyms",
		"/proc/mtrr",
		"/proc/irq/default_smp_affinity",
		"/proc/acpi/wakeup",
		"/proc/apm",
		"/proc/asound/version",
		"/proc/bus/pci/devices",
		"/proc/fs/nfsd",
		"/proc/fs/ext4",
		"/proc/latency_stats",
		"/proc/scsi/scsi",
		"/proc/timer_stats",
		"/proc/timer_list",
		"/proc/tty/drivers",
		"/proc/driver/rtc",
		"/proc/slabinfo",
		"/proc/self/oom_score_adj",
		"/proc/self/coredump_filter",
		"/proc/self/timerslack_ns",
		"/proc/self/clear_refs",
		"/proc/self/comm",
		"/proc/self/setgroups",
		"/proc/self/uid_map",
		"/proc/self/attr/current",
		"/proc/1/oom_score_adj",
		"/proc/1/mem",
		"/proc/pressure/memory",
		"/sys/power/state",
		"/sys/power/disk",
		"/sys/power/wake_lock",
		"/sys/kernel/uevent_helper",
		"/sys/kernel/profiling",
		"/sys/kernel/fscaps",
		"/sys/kernel/rcu_normal",
		"/sys/kernel/mm/ksm/run",
		"/sys/kernel/mm/transparent_hugepage/enabled",
		"/sys/kernel/debug/sched/debug",
		"/sys/kernel/tracing/tracing_on",
		"/sys/kernel/reboot/mode",
		"/sys/module/printk/parameters/time",
		"/sys/module/kernel/parameters/panic",
		"/sys/block/vda/queue/scheduler",
		"/sys/devices/system/cpu/cpu0/online",
		"/sys/devices/system/cpu/cpu1/online",
		"/sys/devices/system/cpu/smt/control",
		"/sys/devices/system/clocksource/clocksource0/current_clocksource",
		"/sys/class/net/lo/mtu",
		"/sys/class/net/lo/flags",
		"/sys/bus/pci/rescan",
		"/sys/firmware/efi/efivars",
		"/sys/fs/fuse/connections",
		"/sys/fs/cgroup/cgroup.procs",
		"/sys/fs/cgroup/cgroup.subtree_control",
		"/sys/fs/cgroup/cgroup.max.depth",
		"/sys/fs/selinux/enforce",
		"/sys/fs/ext4/vda/mb_stats",
	};
	for (size_t i = 0; i < LENGTH(files); i++)
		add_open(join("try to write ", files[i]), open_to_write, files[i], 0, 0, 0);
	add_below("/proc/sys", 6);
}
