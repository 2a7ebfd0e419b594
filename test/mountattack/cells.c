/* Cells: each is a process of its own, whose result comes back in shared memory. */
#include "mountattack.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 10 /* seconds */
#define IDS "0 0 2000\n" /* of a nested user namespace: those of its parent */

struct cell {
	const struct context *context;
	enum abi abi;
	const struct form *form;
	const struct operation *operation;
	struct mount *mount;
};

static struct result {
	int applies;
	long value;
	char step[32], effect[64];
} *result;

static void map(pid_t pid, const char *file)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, IDS, strlen(IDS)) < 0)
		die("cannot map the IDs of a user namespace");
	close(fd);
}

/* in_context returns the status of run in a process with the namespaces of a
 * context, as wait(2) has it, or the negated errno where it can't be made. */
int in_context(const struct context *context, int (*run)(void *), void *argument)
{
	int start[2], status;
	if (pipe2(start, O_CLOEXEC) < 0)
		die("pipe");
	pid_t pid = syscall(SYS_clone, context->clone_flags | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0) {
		status = -errno;
		close(start[0]);
		close(start[1]);
		return status;
	}
	if (pid == 0) {
		char byte;
		close(start[1]);
		if (read(start[0], &byte, 1) < 0)
			_exit(3);
		alarm(PATIENCE);
		_exit(run(argument));
	}
	if (context->clone_flags & CLONE_NEWUSER) {
		map(pid, "uid_map");
		map(pid, "gid_map");
	}
	close(start[0]);
	close(start[1]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	return status;
}

/* undo takes away what a try has left in the scratch directory. */
static void undo(void)
{
	while (umount2("copy", MNT_DETACH) == 0 || umount2("copy-file", MNT_DETACH) == 0 || umount2("new", MNT_DETACH) == 0)
		;
}

static int try(void *argument)
{
	const struct cell *cell = argument;
	struct attempt a = {.mount = cell->mount, .path = cell->mount->path, .dir = AT_FDCWD};
	long entered = cell->context->enter == NULL ? 0 : cell->context->enter(cell->mount, &a.path);
	a.plain = a.path;
	if (entered == 0)
		entered = cell->form->write == NULL ? 0 : cell->form->write(&a);
	if (entered == -ENOTSUP)
		return 0;
	result->applies = 1;
	if (entered < 0) {
		result->value = entered;
		strcpy(result->step, "enter");
		return 0;
	}
	abi = cell->abi;
	result->value = cell->operation->run(&a, cell->operation);
	abi = X86_64;
	if (a.step != NULL && result->value < 0)
		strncpy(result->step, a.step, sizeof(result->step) - 1);
	judge(&a, cell->operation, result->effect, sizeof(result->effect));
	if (cell->context->is_own)
		undo();
	return 0;
}

/* applies tells whether an operation makes sense on a mount. */
static int applies(const struct cell *cell)
{
	const struct mount *m = cell->mount;
	int kind = cell->operation->kind;
	return !(kind & DROPS && m->flags == 0) && !(kind & DROPS_ONE && (m->flags & cell->operation->flags) == 0) &&
	       !(kind & DIRECTORY && !m->is_directory) && !(kind & SUB && m->sub == NULL) &&
	       !(kind & WRITABLE && m->flags & 1) && !(kind & FILES && !m->has_files) &&
	       !(kind & NEW_VIEW && strcmp(m->name, "proc") != 0 && strcmp(m->name, "sys") != 0) &&
	       !(kind & ONLY_64 && cell->abi != X86_64) && !(kind & ONLY_32 && cell->abi != I386) &&
	       !(cell->form->write != NULL && !(kind & FORMS)) && !(cell->form->at && !(kind & AT));
}

static void print(const struct cell *cell, int status)
{
	if (status < 0)
		printf("%s - - enter - %s same\n", cell->context->name, errno_name(status));
	if (status < 0 || (status == 0 && !result->applies))
		return;
	printf("%s %s %s %s %s ", cell->context->name, abi_names[cell->abi], cell->form->name, cell->operation->name, cell->mount->name);
	if (WIFSIGNALED(status))
		printf("SIG%s killed\n", sigabbrev_np(WTERMSIG(status)));
	else if (status != 0)
		printf("STATUS%d failed\n", WEXITSTATUS(status));
	else
		printf("%s%s%s %s\n", errno_name(result->value), *result->step ? "@" : "", result->step, result->effect);
}

void run_cell(const struct context *context, enum abi which, const struct form *form, const struct operation *operation, struct mount *m)
{
	struct cell cell = {context, which, form, operation, m};
	if (!m->present || !applies(&cell))
		return;
	if (result == NULL)
		result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(result, 0, sizeof(*result));
	strcpy(result->effect, "same");
	int status = in_context(context, try, &cell);
	if (table_changed() && (!context->is_own || strcmp(result->effect, "same") == 0))
		strcpy(result->effect, "CHANGED");
	print(&cell, status);
}
