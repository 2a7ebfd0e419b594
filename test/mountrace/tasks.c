/* Callers of other kinds than a process with one thread. */
#include "mountrace.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

static char wrong[256];

static void expect(const char *what, long result, int error)
{
	int got = result < 0 ? errno : 0;
	if (got != error && !wrong[0])
		snprintf(wrong, sizeof wrong, "%s: errno %d, want %d", what, got, error);
}

/* calls_of_own makes the calls that any root may; it returns the first errno. */
static int calls_of_own(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		return errno;
	if (mount("own", path, "tmpfs", 0, NULL) || umount2(path, 0))
		return errno;
	if (mount("own", path, "proc", 0, NULL) || umount2(path, MNT_DETACH)) /* its masks are on it */
		return errno;
	return umount2(path, 0) == 0 ? 1000 : errno == EINVAL ? 0 : errno;
}

static int exit_status(pid_t pid)
{
	int status = pid < 0 ? -1 : pid_after(pid, 10);
	return status == -1 ? 1001 : WIFEXITED(status) ? WEXITSTATUS(status) : 1002;
}

/* A child that borrows its parent's memory, and the parent's time. */
static void with_vfork(void)
{
	pid_t pid = vfork();
	if (pid == 0)
		_exit(calls_of_own("/tmp/vfork"));
	errno = exit_status(pid);
	expect("vfork", errno ? -1 : 0, 0);
}

static int in_clone(void *path) { return calls_of_own(path); }

static void with_clones(void)
{
	static char stack[8][65536] __attribute__((aligned(16)));
	static const int mixes[] = {
		0, CLONE_FS, CLONE_FILES, CLONE_FS | CLONE_FILES, CLONE_VM, CLONE_VM | CLONE_FS,
		CLONE_VM | CLONE_FILES, CLONE_VM | CLONE_FS | CLONE_FILES,
	};
	for (size_t i = 0; i < LENGTH(mixes); i++) {
		char path[64], what[64];
		snprintf(path, sizeof path, "/tmp/clone%zu", i);
		snprintf(what, sizeof what, "clone with %#x", (unsigned)mixes[i]);
		errno = exit_status(clone(in_clone, stack[i] + sizeof stack[i], mixes[i] | SIGCHLD, path));
		expect(what, errno ? -1 : 0, 0);
	}
}

static void *in_thread(void *path) { return (void *)(long)calls_of_own(path); }

static void with_threads(void)
{
	pthread_t threads[16];
	static char paths[16][32];
	for (size_t i = 0; i < LENGTH(threads); i++) {
		snprintf(paths[i], sizeof paths[i], "/tmp/thread%zu", i);
		pthread_create(&threads[i], NULL, in_thread, paths[i]);
	}
	for (size_t i = 0; i < LENGTH(threads); i++) {
		void *result;
		pthread_join(threads[i], &result);
		errno = (int)(long)result;
		expect("a thread", errno ? -1 : 0, 0);
	}
}

/* In namespaces of its own: the guard has to find the caller in its own. */
static void in_namespaces(const char *what, int flags)
{
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(flags))
			_exit(99);
		pid_t inner = fork();
		if (inner == 0)
			_exit(calls_of_own("/tmp/namespaces"));
		_exit(exit_status(inner) & 0xff);
	}
	errno = exit_status(pid);
	expect(what, errno ? -1 : 0, 0);
}

/* The filters of a caller's own. */
static int set_filter(unsigned flags, int number, unsigned action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {LENGTH(code), code};
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static int filters(void)
{
	if (set_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getppid, SECCOMP_RET_USER_NOTIF) >= 0 || errno != EBUSY)
		return 1;
	if (calls_of_own("/tmp/filters"))
		return 2;
	/* Without a listener of its own this is ENOSYS, and not the guard's to answer. */
	if (set_filter(0, SYS_umount2, SECCOMP_RET_ERRNO | EXDEV) || umount2("/proc", 0) == 0 || errno != EXDEV)
		return 3;
	if (mount("own", "/tmp/filters", "tmpfs", 0, NULL))
		return 4;
	return 0;
}

static void with_filters(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(filters());
	errno = exit_status(pid);
	expect("filters of its own (1: a listener, 3: EXDEV)", errno ? -1 : 0, 0);
	while (umount2("/tmp/filters", 0) == 0) {
	}
}

/* The first thread has ended, and with it what /proc shows of the process. */
static void *last_thread(void *unused)
{
	usleep(20000);
	_exit(unused ? 0 : calls_of_own("/tmp/last"));
}

static void with_dead_leader(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t thread;
		pthread_create(&thread, NULL, last_thread, NULL);
		pthread_exit(NULL);
	}
	errno = exit_status(pid);
	expect("a thread whose process's first has ended", errno ? -1 : 0, 0);
}

/* One that nobody may look into. */
static void undumpable(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0);
		_exit(calls_of_own("/tmp/undumpable"));
	}
	errno = exit_status(pid);
	expect("a process that can't be dumped", errno ? -1 : 0, 0);
}

static void tasks(const char *name)
{
	with_vfork();
	with_clones();
	with_threads();
	in_namespaces("a PID namespace", CLONE_NEWPID);
	in_namespaces("a PID and a mount namespace", CLONE_NEWPID | CLONE_NEWNS);
	in_namespaces("a network and a mount namespace", CLONE_NEWNET | CLONE_NEWNS);
	with_filters();
	with_dead_leader();
	undumpable();
	verdict(name, wrong[0] ? wrong : NULL);
	_exit(wrong[0] != 0);
}

/* As many calls of each kind as the test that asks for them expects to be counted. */
static void counted(const char *name)
{
	make_directories(NEW_FS);
	for (int i = 0; i < 40; i++)
		umount2("/proc", MNT_DETACH);
	for (int i = 0; i < 30; i++)
		mount("own", NEW_FS, "tmpfs", 0, NULL);
	for (int i = 0; i < 30; i++)
		umount2(NEW_FS, MNT_DETACH);
	for (int i = 0; i < 5; i++)
		mount("own", NEW_FS, "proc", 0, NULL);
	for (int i = 0; i < 5; i++)
		umount2(NEW_FS, MNT_DETACH);
	verdict(name, NULL);
}

/* Whoever removes a directory takes away what is mounted on it in other mount
 * namespaces: rmdir(2) is allowed where nothing is mounted on it, and the kernel asks
 * no lock then. That shows nothing of what was hidden: no file system comes without
 * its masks. */
static void removed(const char *name)
{
	char seen[256];
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("own", "/tmp", "tmpfs", 0, NULL))
			_exit(1);
		make_directories("/tmp/old");
		if (syscall(SYS_pivot_root, "/tmp", "/tmp/old"))
			_exit(2);
		int root = open("/old", O_PATH | O_CLOEXEC);
		if (umount2("/old", MNT_DETACH))
			_exit(3);
		_exit(unlinkat(root, "proc", AT_REMOVEDIR) || unlinkat(root, "sys", AT_REMOVEDIR) ? 4 : 0);
	}
	errno = exit_status(pid);
	expect("removing /proc and /sys elsewhere", errno ? -1 : 0, 0);
	if (!weakened(seen, sizeof seen))
		snprintf(wrong, sizeof wrong, "nothing was removed: this kernel asks for locks, and the threat model is wrong");
	static const char *const types[] = {"proc", "sysfs"};
	make_directories(NEW_FS);
	for (size_t i = 0; i < LENGTH(types); i++) {
		int done = mount("own", NEW_FS, types[i], 0, NULL);
		if (done == 0 && reveals(NEW_FS))
			snprintf(wrong, sizeof wrong, "a new %s shows what was hidden", types[i]);
		expect("a new mount after that", done, 0);
		umount2(NEW_FS, MNT_DETACH);
	}
	verdict(name, wrong[0] ? wrong : NULL);
	_exit(wrong[0] != 0);
}

const struct attack removal_attacks[] = {{"removed", removed}, {NULL, NULL}};
const struct attack count_attacks[] = {{"counted", counted}, {NULL, NULL}};
const struct attack task_attacks[] = {{"tasks", tasks}, {NULL, NULL}};
