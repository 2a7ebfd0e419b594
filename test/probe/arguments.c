/* The system calls whose filters are looked at: every number of every ABI, and
 * the arguments that settings of systemd.exec(5) look at. */
#include "probe.h"

#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/stat.h>

#define NR_LAST_I386 NR_LAST
#define NR_FIRST_X32 512 /* the calls that only x32 has */
#define NR_LAST_X32 548
#define SHM_EXEC 0100000

static struct traced *list;
static size_t count, room;

static void one(const char *name, enum abi abi, long nr, long a, long b, long c, long d, long e)
{
	if (count < room)
		list[count++] = (struct traced){name, abi, nr, {a, b, c, d, e, 0}};
}

/* The numbers of a call in the three ABIs; -1 where it has none. */
struct numbers {
	long x86_64, i386, x32;
};

/* everywhere adds a call with the same arguments in all ABIs. */
static void everywhere(const char *name, struct numbers nr, long a, long b, long c, long d, long e)
{
	if (nr.x86_64 >= 0)
		one(name, X86_64, nr.x86_64, a, b, c, d, e);
	if (nr.i386 >= 0)
		one(name, I386, nr.i386, a, b, c, d, e);
	if (nr.x32 >= 0)
		one(name, X32, nr.x32, a, b, c, d, e);
}

static void numbers(void)
{
	for (long nr = 0; nr < NR_LAST; nr++) {
		/* On x86-64, uretprobe and uprobe: seccomp(2) never sees them. */
		int unseen = nr == 335 || nr == 336;
		everywhere(NULL, (struct numbers){unseen ? -1 : nr, nr, nr}, 0, 0, 0, 0, 0);
	}
	for (long nr = NR_FIRST_X32; nr < NR_LAST_X32; nr++)
		one(NULL, X32, nr, 0, 0, 0, 0, 0);
}

static const char *numbered(const char *name, long n)
{
	char buffer[32];
	append_number(append(buffer, " "), n);
	return join(name, buffer);
}

static void families(void)
{
	for (long family = 0; family <= 46; family++) {
		everywhere(numbered("socket family", family), (struct numbers){41, 359, 41}, family, 1, 0, 0, 0);
		everywhere(numbered("socketpair family", family), (struct numbers){53, 360, 53}, family, 1, 0, 0, 0);
	}
	for (long family = -1; family <= 70000; family += 70001)
		everywhere(numbered("socket family", family), (struct numbers){41, 359, 41}, family, 1, 0, 0, 0);
	for (long type = 1; type <= 10; type++)
		everywhere(numbered("socket AF_INET type", type), (struct numbers){41, 359, 41}, 2, type, 0, 0, 0);
	for (long call = 1; call <= 20; call++)
		one(numbered("socketcall", call), I386, 102, call, 0, 0, 0, 0);
}

static void namespaces(void)
{
	static const struct {
		const char *name;
		long flag;
	} flags[] = {
		{"NEWNS", CLONE_NEWNS},     {"NEWCGROUP", CLONE_NEWCGROUP}, {"NEWUTS", CLONE_NEWUTS},
		{"NEWIPC", CLONE_NEWIPC},   {"NEWUSER", CLONE_NEWUSER},     {"NEWPID", CLONE_NEWPID},
		{"NEWNET", CLONE_NEWNET},   {"NEWTIME", CLONE_NEWTIME},     {"nothing", 0},
		{"NEWNS and NEWUSER", CLONE_NEWNS | CLONE_NEWUSER}, {"FILES", CLONE_FILES},
		{"NEWPID and a high bit", CLONE_NEWPID | 1L << 40},
	};
	for (size_t i = 0; i < LENGTH(flags); i++) {
		long flag = flags[i].flag;
		everywhere(join("clone ", flags[i].name), (struct numbers){56, 120, 56}, flag | 17, 0, 0, 0, 0);
		everywhere(join("unshare ", flags[i].name), (struct numbers){272, 310, 272}, flag, 0, 0, 0, 0);
		everywhere(join("setns ", flags[i].name), (struct numbers){308, 346, 308}, -1, flag, 0, 0, 0);
	}
}

static void modes(void)
{
	static const struct {
		const char *name;
		long mode;
	} list[] = {{"0755", 0755}, {"04755", 04755}, {"02755", 02755}, {"06755", 06755}, {"01777", 01777}};
	for (size_t i = 0; i < LENGTH(list); i++) {
		const char *name = list[i].name;
		long mode = list[i].mode;
		everywhere(join("chmod ", name), (struct numbers){90, 15, 90}, 0, mode, 0, 0, 0);
		everywhere(join("fchmod ", name), (struct numbers){91, 94, 91}, -1, mode, 0, 0, 0);
		everywhere(join("fchmodat ", name), (struct numbers){268, 306, 268}, -1, 0, mode, 0, 0);
		everywhere(join("fchmodat2 ", name), (struct numbers){452, 452, 452}, -1, 0, mode, 0, 0);
		everywhere(join("mkdir ", name), (struct numbers){83, 39, 83}, 0, mode, 0, 0, 0);
		everywhere(join("mkdirat ", name), (struct numbers){258, 296, 258}, -1, 0, mode, 0, 0);
		everywhere(join("mknod file ", name), (struct numbers){133, 14, 133}, 0, S_IFREG | mode, 0, 0, 0);
		everywhere(join("mknod fifo ", name), (struct numbers){133, 14, 133}, 0, S_IFIFO | mode, 0, 0, 0);
		everywhere(join("mknodat ", name), (struct numbers){259, 297, 259}, -1, 0, S_IFREG | mode, 0, 0);
		everywhere(join("creat ", name), (struct numbers){85, 8, 85}, 0, mode, 0, 0, 0);
		everywhere(join("open O_CREAT ", name), (struct numbers){2, 5, 2}, 0, O_CREAT, mode, 0, 0);
		everywhere(join("open O_TMPFILE ", name), (struct numbers){2, 5, 2}, 0, O_TMPFILE, mode, 0, 0);
		everywhere(join("open ", name), (struct numbers){2, 5, 2}, 0, 0, mode, 0, 0);
		everywhere(join("openat O_CREAT ", name), (struct numbers){257, 295, 257}, -1, 0, O_CREAT, mode, 0);
		everywhere(join("openat O_TMPFILE ", name), (struct numbers){257, 295, 257}, -1, 0, O_TMPFILE, mode, 0);
		everywhere(join("openat ", name), (struct numbers){257, 295, 257}, -1, 0, 0, mode, 0);
	}
}

static void device_nodes(void)
{
	everywhere("mknod char", (struct numbers){133, 14, 133}, 0, S_IFCHR | 0600, 0x103, 0, 0);
	everywhere("mknod block", (struct numbers){133, 14, 133}, 0, S_IFBLK | 0600, 0x700, 0, 0);
	everywhere("mknod socket", (struct numbers){133, 14, 133}, 0, S_IFSOCK | 0600, 0, 0, 0);
}

static void mappings(void)
{
	for (long prot = 0; prot < 8; prot++) {
		everywhere(numbered("mmap protection", prot), (struct numbers){9, 192, 9}, 0, 4096, prot, 0x22, -1);
		everywhere(numbered("mprotect protection", prot), (struct numbers){10, 125, 10}, 0, 4096, prot, 0, 0);
		everywhere(numbered("pkey_mprotect protection", prot), (struct numbers){329, 380, 329}, 0, 4096, prot, -1, 0);
	}
	everywhere("shmat SHM_EXEC", (struct numbers){30, 397, 30}, -1, 0, SHM_EXEC, 0, 0);
	everywhere("shmat", (struct numbers){30, 397, 30}, -1, 0, 0, 0, 0);
	one("ipc shmat SHM_EXEC", I386, 117, 21, -1, SHM_EXEC, 0, 0);
	one("ipc shmat", I386, 117, 21, -1, 0, 0, 0);
	one("mmap of old", I386, 90, 0, 0, 0, 0, 0);
}

static void scheduling(void)
{
	for (long policy = 0; policy <= 8; policy++)
		everywhere(numbered("sched_setscheduler policy", policy), (struct numbers){144, 156, 144}, 0, policy, 0, 0, 0);
	everywhere("sched_setscheduler policy with reset on fork", (struct numbers){144, 156, 144}, 0, 1 | 0x40000000, 0, 0, 0);
	everywhere("sched_setattr", (struct numbers){314, 351, 314}, 0, 0, 0, 0, 0);
}

static void personalities(void)
{
	static const struct {
		const char *name;
		long value;
	} list[] = {
		{"PER_LINUX", 0},
		{"PER_LINUX32", 8},
		{"the question", 0xffffffff},
		{"READ_IMPLIES_EXEC", 0x0400000},
		{"ADDR_NO_RANDOMIZE", 0x0040000},
		{"PER_SVR4", 1 | 0x4100000},
	};
	for (size_t i = 0; i < LENGTH(list); i++)
		everywhere(join("personality ", list[i].name), (struct numbers){135, 136, 135}, list[i].value, 0, 0, 0, 0);
}

static void control_calls(void)
{
	for (long n = 0; n <= 10; n++)
		everywhere(numbered("syslog", n), (struct numbers){103, 103, 103}, n, 0, 0, 0, 0);
	everywhere("ioctl TIOCSTI", (struct numbers){16, 54, 514}, 0, 0x5412, 0, 0, 0);
	everywhere("prctl PR_SET_NAME", (struct numbers){157, 172, 157}, 15, 0, 0, 0, 0);
	everywhere("reboot", (struct numbers){169, 88, 169}, 0xfee1deadL, 0x28121969, 0x01234567, 0, 0);
	everywhere("keyctl KEYCTL_JOIN_SESSION_KEYRING", (struct numbers){250, 288, 250}, 1, 0, 0, 0, 0);
	everywhere("bpf BPF_PROG_LOAD", (struct numbers){321, 357, 321}, 5, 0, 0, 0, 0);
	everywhere("ptrace PTRACE_ATTACH", (struct numbers){101, 26, 521}, 16, 0, 0, 0, 0);
	everywhere("fcntl F_SETFL", (struct numbers){72, 55, 72}, -1, 4, 0, 0, 0);
}

/* list_calls fills the list and says how many there are. */
size_t list_calls(struct traced *into, size_t size)
{
	list = into;
	room = size;
	numbers();
	families();
	namespaces();
	modes();
	device_nodes();
	mappings();
	scheduling();
	personalities();
	control_calls();
	return count;
}
