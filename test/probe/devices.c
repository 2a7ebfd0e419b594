/* Device nodes: which can be opened, and which can be made. Left out is what does
 * something when it is opened: watchdogs, /dev/snapshot, disks opened to write. */
#include "probe.h"

#include <linux/fcntl.h>
#include <linux/stat.h>

static long open_node(const struct try *t)
{
	long fd = open_file(t->path, t->a | O_NONBLOCK | O_NOCTTY, 0);
	return fd < 0 ? fd : 0;
}

/* make_node makes a node and removes it. */
static long make_node(const struct try *t)
{
	char path[256];
	append_hex(append(append(path, t->path), "/probe-"), random_number());
	long result = call(__NR_mknod, path, t->a, t->b);
	if (result < 0)
		return result;
	call(__NR_unlink, path);
	return 0;
}

/* open_own_node makes a node and opens it for reading. */
static long open_own_node(const struct try *t)
{
	char path[256];
	append_hex(append(append(path, t->path), "/probe-"), random_number());
	long result = call(__NR_mknod, path, t->a, t->b);
	if (result < 0)
		return result;
	result = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	call(__NR_unlink, path);
	return result < 0 ? result : 0;
}

#define DEVICE(major, minor) ((long)(major) << 8 | (minor))

void add_devices(void)
{
	static const char *const nodes[] = {
		"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console", "kmsg", "mem", "port", "kvm", "fuse",
		"net/tun", "loop-control", "loop0", "rtc", "rtc0", "tty0", "tty1", "vcs", "cpu/0/msr", "hpet",
		"input/event0", "sda", "vda", "mapper/control", "uinput", "vhost-net", "userfaultfd", "hwrng", "nvram",
		"autofs", "btrfs-control", "vsock", "log", "initctl", "core", "fd", "stdin",
	};
	static const struct {
		const char *name;
		long type, device;
	} own[] = {
		{"null", S_IFCHR, DEVICE(1, 3)},  {"kmsg", S_IFCHR, DEVICE(1, 11)}, {"port", S_IFCHR, DEVICE(1, 4)},
		{"tun", S_IFCHR, DEVICE(10, 200)}, {"fuse", S_IFCHR, DEVICE(10, 229)}, {"loop0", S_IFBLK, DEVICE(7, 0)},
		{"vda", S_IFBLK, DEVICE(254, 0)}, {"sda", S_IFBLK, DEVICE(8, 0)},
	};
	for (size_t i = 0; i < LENGTH(nodes); i++) {
		const char *path = join("/dev/", nodes[i]);
		add_open(join("read ", path), open_node, path, O_RDONLY, 0, ENXIO);
		add_open(join("write ", path), open_node, path, O_WRONLY, 0, ENXIO);
	}
	for (size_t i = 0; i < LENGTH(own); i++) {
		add_open(join("make a node of ", own[i].name), make_node, "/srv/probe", own[i].type | 0600, own[i].device, 0);
		add_open(join("open a new node of ", own[i].name), open_own_node, "/srv/probe", own[i].type | 0600, own[i].device, ENXIO);
	}
	add_open("make a fifo", make_node, "/dev/shm", S_IFIFO | 0600, 0, 0);
}
