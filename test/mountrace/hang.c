/* A file system that never answers, as any root can mount one: whoever looks for a
 * path in it waits, and whoever reads memory that is one of its files. Others must
 * not wait with them. It takes /dev/fuse. */
#include "mountrace.h"

#include <linux/fuse.h>
#include <sys/mman.h>

#define HANG "/tmp/hang"
#define WAITING 20
#define PATIENCE 2.0 /* seconds for a call that takes microseconds */

static int device = -1; /* whoever keeps it open keeps the others waiting */
static pid_t server;

static pid_t fork_without_device(void)
{
	pid_t pid = fork();
	if (pid == 0)
		close(device);
	return pid;
}

/* end_waiting has whoever still waits get an error. */
static void end_waiting(void)
{
	if (server > 0)
		kill(server, SIGKILL);
	close(device);
}

static int mount_fuse(void)
{
	char options[128];
	make_directories(HANG);
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -1;
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
	return mount("hang", HANG, "fuse", 0, options);
}

static void answer(uint64_t unique, const void *body, size_t n)
{
	struct {
		struct fuse_out_header header;
		char body[256];
	} out = {.header = {.len = (uint32_t)(sizeof out.header + n), .unique = unique}};
	memcpy(out.body, body, n);
	if (write(device, &out, out.header.len) < 0)
		perror("mountrace: fuse");
}

/* serve answers what opening a file takes, and never a read. */
static void serve(void)
{
	static char request[1 << 17];
	const struct fuse_attr file = {.ino = 2, .size = 1 << 20, .mode = S_IFREG | 0644, .nlink = 1};
	const struct fuse_attr top = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2};
	while (read(device, request, sizeof request) > 0) {
		const struct fuse_in_header *in = (const void *)request;
		struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
		struct fuse_entry_out entry = {.nodeid = 2, .entry_valid = 1000, .attr_valid = 1000, .attr = file};
		struct fuse_attr_out attr = {.attr_valid = 1000, .attr = in->nodeid == 1 ? top : file};
		struct fuse_open_out opened = {.fh = 1};
		switch (in->opcode) {
		case FUSE_INIT:
			answer(in->unique, &init, sizeof init);
			break;
		case FUSE_LOOKUP:
			answer(in->unique, &entry, sizeof entry);
			break;
		case FUSE_GETATTR:
			answer(in->unique, &attr, sizeof attr);
			break;
		case FUSE_OPEN:
			answer(in->unique, &opened, sizeof opened);
			break;
		case FUSE_FLUSH: /* when a process ends */
			answer(in->unique, NULL, 0);
			break;
		}
	}
}

/* slowest makes calls that need nothing of the hanging file system, and returns how
 * long the longest took. */
static double slowest(void)
{
	double worst = 0;
	make_directories(NEW_FS);
	for (int i = 0; i < 30; i++) {
		double began = now();
		switch (i % 3) {
		case 0:
			umount2("/proc", MNT_DETACH | UMOUNT_NOFOLLOW);
			break;
		case 1:
			mount("own", NEW_FS, "tmpfs", 0, NULL);
			break;
		case 2:
			umount2(NEW_FS, 0);
			mount("own", NEW_FS, "proc", 0, NULL);
			umount2(NEW_FS, MNT_DETACH);
			break;
		}
		if (now() - began > worst)
			worst = now() - began;
	}
	return worst;
}

static double slowest_in_child(void)
{
	int results[2];
	double worst = -1;
	if (pipe(results))
		return -1;
	pid_t pid = fork_without_device();
	if (pid == 0) {
		worst = slowest();
		if (write(results[1], &worst, sizeof worst) < 0)
			_exit(1);
		_exit(0);
	}
	close(results[1]);
	if (pid_after(pid, 5) == 0 && read(results[0], &worst, sizeof worst) < 0)
		worst = -1;
	close(results[0]);
	return worst;
}

static void wait_on_path(int i)
{
	switch (i % 4) {
	case 0:
		umount2(HANG "/a/b", 0);
		break;
	case 1:
		mount("own", HANG "/a", "proc", 0, NULL);
		break;
	case 2:
		mount(HANG "/a", NEW_FS, NULL, MS_MOVE, NULL);
		break;
	default:
		mount(NULL, HANG "/a", NULL, MS_REMOUNT | MS_BIND, NULL);
	}
}

static const char *hanging_string;

static void wait_on_memory(int i)
{
	if (i % 2)
		umount2(hanging_string, 0);
	else
		mount("own", NEW_FS, hanging_string, 0, NULL);
}

/* judge_others starts callers that have to wait, and times others meanwhile. */
static void judge_others(const char *name, void (*hang)(int))
{
	pid_t pids[WAITING];
	char text[128];
	int stuck = 0;
	for (int i = 0; i < WAITING; i++)
		if ((pids[i] = fork_without_device()) == 0) {
			hang(i);
			_exit(0);
		}
	usleep(200000);
	double took = slowest_in_child();
	for (int i = 0; i < WAITING; i++)
		kill(pids[i], SIGKILL);
	end_waiting();
	for (int i = 0; i < WAITING; i++)
		stuck += pid_after(pids[i], 5) == -1;
	umount2(HANG, MNT_DETACH);
	double after = slowest_in_child();
	if (took >= 0 && took < PATIENCE && after >= 0 && after < PATIENCE && stuck == 0) {
		printf("%s\tok\ttook %.1f ms at most beside %d that wait, %.1f ms after them\n", name, took * 1e3, WAITING, after * 1e3);
		fflush(stdout);
		_exit(0);
	}
	snprintf(text, sizeof text, "beside %d that wait: %.1f s; after them: %.1f s (-1: not even in 5 s); %d could not be killed", WAITING, took, after, stuck);
	verdict(name, text);
	_exit(1);
}

static void path(const char *name)
{
	if (mount_fuse()) {
		skip(name, "no FUSE here");
		return;
	}
	judge_others(name, wait_on_path);
}

/* map_hanging makes hanging_string what can't be read in any time, and returns
 * whether that was possible. */
static int map_hanging(const char *name)
{
	if (mount_fuse()) {
		skip(name, "no FUSE here");
		return 0;
	}
	server = fork();
	if (server == 0) {
		alarm(20); /* nothing else could end those that wait */
		serve();
		_exit(0);
	}
	close(device);
	device = -1;
	int fd = open(HANG "/file", O_RDONLY | O_CLOEXEC); /* kept: to close it waits as well */
	hanging_string = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd < 0 || hanging_string == MAP_FAILED) {
		end_waiting();
		verdict(name, "cannot map a file of FUSE");
		_exit(1);
	}
	return 1;
}

static void memory(const char *name)
{
	if (map_hanging(name))
		judge_others(name, wait_on_memory);
}

/* Callers for somebody else to look at. */
static void stay(const char *name)
{
	if (!map_hanging(name))
		return;
	for (int i = 0; i < 50; i++)
		if (fork_without_device() == 0) {
			wait_on_memory(i);
			_exit(0);
		}
	usleep(200000);
	verdict(name, NULL);
	for (;;)
		pause();
}

const struct attack hang_attacks[] = {{"hanging-path", path}, {"hanging-memory", memory}, {NULL, NULL}};
const struct attack stay_attacks[] = {{"stay", stay}, {NULL, NULL}};
