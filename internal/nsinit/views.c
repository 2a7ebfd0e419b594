// A process that shares the table of descriptors leaves what it has opened there.
// It does nothing but system calls: it is a copy of a process with many threads.

#define _GNU_SOURCE
#include "views.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct answer {
	int fd, error;
};

static int open_context(const void *fstype) { return syscall(SYS_fsopen, fstype, 1 /* FSOPEN_CLOEXEC */); }

static int unshare_mounts(const void *user) {
	if (setns(*(const int *)user, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0)
		return -1;
	return open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
}

static int in_child(int (*open)(const void *), const void *argument) {
	struct answer *answer = mmap(NULL, sizeof *answer, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (answer == MAP_FAILED)
		return -1;
	answer->fd = -1, answer->error = ECHILD;
	pid_t pid = syscall(SYS_clone, CLONE_FILES, 0, 0, 0, 0); // its end is told to nobody: no exit signal
	if (pid == 0) {
		answer->fd = open(argument);
		answer->error = errno;
		_exit(0);
	}
	int fd = -1, error = errno;
	if (pid > 0) {
		while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
			;
		fd = answer->fd, error = answer->error;
	}
	munmap(answer, sizeof *answer);
	errno = error;
	return fd;
}

int open_in(const char *fstype) { return in_child(open_context, fstype); }

int copy_mounts(int user) { return in_child(unshare_mounts, &user); }
