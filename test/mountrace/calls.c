/* System calls that the C library has no functions for, or only newer ones. */
#include "mountrace.h"

int open_tree(int dir, const char *path, unsigned flags)
{
	return (int)syscall(428, dir, path, flags);
}

int move_mount_(int from, const char *path, int to, const char *target, unsigned flags)
{
	return (int)syscall(429, from, path, to, target, flags);
}

int fs_open(const char *type)
{
	return (int)syscall(430, type, 1);
}

int fs_config(int fd, unsigned command, const char *key, const void *value, int aux)
{
	return (int)syscall(431, fd, command, key, value, aux);
}

int fs_mount(int fd, unsigned attributes)
{
	return (int)syscall(432, fd, 1, attributes);
}

int fs_pick(int dir, const char *path, unsigned flags)
{
	return (int)syscall(433, dir, path, flags | 1);
}

int set_attr(int dir, const char *path, unsigned flags, void *attr, size_t size)
{
	return (int)syscall(442, dir, path, flags, attr, size);
}

int open_tree_attr(int dir, const char *path, unsigned flags, void *attr, size_t size)
{
	return (int)syscall(NR_OPEN_TREE_ATTR, dir, path, flags, attr, size);
}

int exchange(const char *a, const char *b)
{
	return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

/* call_i386 makes a system call of 32-bit code: pointers must be below 4 GiB, as
 * those of this program's own variables are. */
long call_i386(long nr, const void *a, long b, long c, long d, long e)
{
	long result;
	__asm__ volatile("int $0x80"
		: "=a"(result)
		: "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
		: "memory", "r8", "r9", "r10", "r11");
	if ((int)result < 0) {
		errno = -(int)result;
		return -1;
	}
	return result;
}
