/* Memory that is written and then executed. */
#include "probe.h"

#include <linux/mman.h>

#define SIZE 4096
#define SHM_EXEC 0100000
#define IPC_CREAT_ 01000

static long map(long protection, long flags, long fd)
{
	return call(__NR_mmap, 0, SIZE, protection, flags, fd, 0);
}

static int failed(long address)
{
	return (unsigned long)address > -4096UL;
}

/* map_as maps memory, and gives it another protection unless that is negative. */
static long map_as(const struct try *t)
{
	long address = map(t->a, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (failed(address) || t->b < 0)
		return failed(address) ? address : 0;
	return call(__NR_mprotect, address, SIZE, t->b);
}

static long map_with_key(const struct try *t)
{
	long address = map(t->a, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	return failed(address) ? address : call(__NR_pkey_mprotect, address, SIZE, t->b, -1);
}

static long attach(const struct try *t)
{
	long id = call(__NR_shmget, 0, SIZE, IPC_CREAT_ | 0700);
	if (id < 0)
		return id;
	long address = call(__NR_shmat, id, 0, t->a);
	call(__NR_shmctl, id, 0 /* IPC_RMID */, 0);
	return failed(address) ? address : 0;
}

/* A file of memory, mapped twice: written here and executed there. */
static long map_twice(const struct try *t)
{
	(void)t;
	long fd = call(__NR_memfd_create, "probe", 0);
	if (fd < 0)
		return fd;
	call(__NR_ftruncate, fd, SIZE);
	long first = map(PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	if (failed(first))
		return first;
	long second = map(PROT_READ | PROT_EXEC, MAP_SHARED, fd);
	return failed(second) ? second : 0;
}

/* The same by the old interrupt, where the address must be low: it is not used. */
static long map_from_i386(const struct try *t)
{
	long address = call_i386(192, 0, SIZE, t->a, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return address < 0 && address > -4096 ? address : 0;
}

static long write_own_code(const struct try *t)
{
	long page = (long)errno_name & -SIZE;
	return call(__NR_mprotect, page, SIZE, t->a);
}

void add_memory(void)
{
	const struct try list[] = {
		{"map read, write, execute", map_as, NULL, 7, -1, 0},
		{"map write, execute", map_as, NULL, 6, -1, 0},
		{"map execute", map_as, NULL, 5, -1, 0},
		{"map write, then execute", map_as, NULL, 3, 5, 0},
		{"map read, then execute", map_as, NULL, 1, 5, 0},
		{"map execute, then write", map_as, NULL, 5, 3, 0},
		{"map execute, then write and execute", map_as, NULL, 5, 7, 0},
		{"map execute, then read", map_as, NULL, 5, 1, 0},
		{"map write, then execute with a key", map_with_key, NULL, 3, 5, 0},
		{"attach shared memory", attach, NULL, 0, 0, 0},
		{"attach shared memory to execute", attach, NULL, SHM_EXEC, 0, 0},
		{"map a file to write and to execute", map_twice, NULL, 0, 0, 0},
		{"make own code writable", write_own_code, NULL, 7, 0, 0},
		{"i386: map read, write, execute", map_from_i386, NULL, 7, 0, 0},
		{"i386: map read, write", map_from_i386, NULL, 3, 0, 0},
	};
	add(list, LENGTH(list));
}
