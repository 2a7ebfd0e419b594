/* System calls of three ABIs. A 64-bit program reaches the 32-bit ones by the old
 * interrupt, and x32's, where the kernel has them, by a bit in the number. */
#include "mountattack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define X32_BIT 0x40000000

enum abi abi;
const char *const abi_names[ABIS] = {"64", "32", "x32"};

/* The numbers of arch/x86/entry/syscalls/syscall_{64,32}.tbl. */
static const struct number {
	long x86_64, i386;
} MOUNT = {165, 21}, UMOUNT2 = {166, 52}, UMOUNT = {-1, 22}, PIVOT_ROOT = {155, 217}, OPEN_TREE = {428, 428},
  MOVE_MOUNT = {429, 429}, FSOPEN = {430, 430}, FSCONFIG = {431, 431}, FSMOUNT = {432, 432}, FSPICK = {433, 433},
  MOUNT_SETATTR = {442, 442}, OPEN_TREE_ATTR = {467, 467}, GETPID = {39, 20};

static long call_i386(long nr, long a, long b, long c, long d, long e)
{
	long result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "r8", "r9", "r10", "r11", "memory", "cc");
	return (int)result;
}

/* low takes an argument's lower half, and makes sure that it is all of it. */
static long low(long argument)
{
	if (argument != (int)argument && argument != (long)(unsigned)argument) {
		fprintf(stderr, "mountattack: argument above 4 GiB: %#lx\n", argument);
		exit(3);
	}
	return (unsigned)argument;
}

static long call(struct number nr, long a, long b, long c, long d, long e)
{
	if (abi == I386)
		return call_i386(nr.i386, low(a), low(b), low(c), low(d), low(e));
	if (nr.x86_64 < 0)
		return -ENOSYS;
	long result = syscall(nr.x86_64 | (abi == X32 ? X32_BIT : 0), a, b, c, d, e);
	return result < 0 ? -errno : result;
}

/* kernel_has tells whether the process may make system calls of an ABI at all: a
 * filter kills for it. */
int kernel_has(enum abi which)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		abi = which;
		_exit(call(GETPID, 0, 0, 0, 0, 0) == getpid() ? 0 : 1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

long sys_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
	return call(MOUNT, (long)source, (long)target, (long)type, flags, (long)data);
}

long sys_umount(const char *path, unsigned long flags)
{
	return call(UMOUNT2, (long)path, flags, 0, 0, 0);
}

long sys_umount_old(const char *path)
{
	return call(UMOUNT, (long)path, 0, 0, 0, 0);
}

long sys_pivot_root(const char *root, const char *old)
{
	return call(PIVOT_ROOT, (long)root, (long)old, 0, 0, 0);
}

long sys_open_tree(int dir, const char *path, unsigned flags)
{
	return call(OPEN_TREE, dir, (long)path, flags, 0, 0);
}

long sys_open_tree_attr(int dir, const char *path, unsigned flags, const void *attr, unsigned long size)
{
	return call(OPEN_TREE_ATTR, dir, (long)path, flags, (long)attr, size);
}

long sys_move_mount(int from, const char *path, int to, const char *to_path, unsigned flags)
{
	return call(MOVE_MOUNT, from, (long)path, to, (long)to_path, flags);
}

long sys_fsopen(const char *type)
{
	return call(FSOPEN, (long)type, 0, 0, 0, 0);
}

long sys_fspick(int dir, const char *path, unsigned flags)
{
	return call(FSPICK, dir, (long)path, flags, 0, 0);
}

long sys_fsconfig(long fd, unsigned command, const char *key, const char *value)
{
	return call(FSCONFIG, fd, command, (long)key, (long)value, 0);
}

long sys_fsmount(long fd)
{
	return call(FSMOUNT, fd, 0, 0, 0, 0);
}

long sys_mount_setattr(long dir, const char *path, unsigned flags, const void *attr, unsigned long size)
{
	return call(MOUNT_SETATTR, dir, (long)path, flags, (long)attr, size);
}
