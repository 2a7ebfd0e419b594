/*
 * mountrace attacks the initial mounts of the container it runs in, for a time,
 * from several threads or processes at once, and prints one line for each attack:
 *
 *     NAME<TAB>attempts=N worked=N refused=N weakened=N<TAB>WHAT, where weakened
 *     NAME<TAB>skipped<TAB>WHY
 *     NAME<TAB>ok | wrong<TAB>WHAT            of those that look at answers
 *
 * An attempt is one call whose arguments lead to a mount of the program's own or
 * to an initial one, whichever the other threads have made of them by the time
 * that somebody looks. What worked and what was refused tells whether the race was
 * one at all. Whether an initial mount was weakened is never told by errno, only by
 * what is there afterwards: mountinfo, statfs(2), the identity of what a path leads
 * to.
 *
 * Limitations: x86-64 only. An attack that succeeds ends the program, since the
 * ones after it have nothing left to attack.
 */
#ifndef MOUNTRACE_H
#define MOUNTRACE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define NR_OPEN_TREE_ATTR 467 /* newer than the headers */
#define LOCKABLE 0xf          /* ro, nosuid, nodev, noexec: ST_*, MS_* and MOUNT_ATTR_* have the same bits */
#define ROOM 1100             /* a path with its prefix and more */
#define SLOT 900              /* a descriptor that is replaced */
#define NEW_FS "/tmp/fs"      /* where file systems are mounted */

/* A mount as the program found it. (judge.c) */
struct initial {
	unsigned long id, parent;
	char device[16], root[512], path[256], super[512];
	unsigned flags; /* of LOCKABLE */
	int fd;         /* O_PATH: its root */
	int directory;
	int fixed;      /* it must not be unmounted */
	dev_t dev;
	ino_t ino;
};
extern struct initial initial[128];
extern size_t initials;
extern int nested;       /* in a mount namespace of the program's own: flags are all that has to stay */
extern int unmount_denied;
extern int may_rename;   /* a directory above mounts is renamed now: paths say nothing */
void find_initial(void);
size_t weakened(char *what, size_t room); /* how many are, and one of them in words */
int weak_copy(int fd);                    /* of a mount that is not in the namespace */

/* The system calls that the C library lacks; -1 and errno. (calls.c) */
int open_tree(int dir, const char *path, unsigned flags);
int move_mount_(int from, const char *path, int to, const char *target, unsigned flags);
int set_attr(int dir, const char *path, unsigned flags, void *attr, size_t size);
int open_tree_attr(int dir, const char *path, unsigned flags, void *attr, size_t size);
int fs_open(const char *type);
int fs_config(int fd, unsigned command, const char *key, const void *value, int aux);
int fs_mount(int fd, unsigned attributes);
int fs_pick(int dir, const char *path, unsigned flags);
int exchange(const char *a, const char *b);
long call_i386(long nr, const void *a, long b, long c, long d, long e);
struct attr {
	uint64_t set, clear, propagation, user;
};

/* What is tried on a path, again and again. (operations.c) */
struct operation {
	const char *name;
	void (*run)(int dir, const char *path, unsigned n);
	int only_fixed; /* a mount that may go would be gone */
};
extern const struct operation operations[];
extern const size_t operation_count;
#define MOVED "/tmp/to" /* where mounts are moved and bound to */

/* Mounts of the program's own, with the paths of initial ones below /tmp/mm. (mirror.c) */
#define MIRROR "/tmp/mm"
void ensure_mirror(const struct initial *target);
void clear_moved(void);
void make_directories(const char *path); /* the last element as well */
void make_file(const char *path);
int is_mounted(const char *path);

/* A mount of procfs or sysfs that shows what the container's own hides. (arguments.c) */
int reveals(const char *at);

/* Who makes a path lead elsewhere meanwhile. (ways.c) */
struct way {
	const char *name;
	int (*suits)(const struct initial *);
	void (*begin)(void);
	void (*disturb)(void);
	void (*home)(void); /* back to where paths lead to the mirror */
	void (*end)(void);
	const char *(*path)(const struct initial *, int *dir);
};
extern const struct way ways[];
extern const size_t way_count;
extern const struct initial *current; /* the target of this attempt */

/* One race: attack and disturb run in threads of one process. (race.c) */
struct race {
	void (*attack)(unsigned n); /* an attempt; counts itself */
	void (*disturb)(void);      /* NULL: another process does */
	void (*home)(void);
	void (*end)(void);          /* NULL: nothing to do */
};
extern double seconds;
extern int namespaces;           /* CLONE_NEW* for each attack */
extern atomic_int stopped;
void count(long result);          /* of one attempt */
void report_weak(const char *what);
void run_race(const char *name, const struct race *);
void quiet(void);                 /* the disturber waits, at home */
void resume(void);
void skip(const char *name, const char *why);
void verdict(const char *name, const char *wrong); /* NULL: ok */
void in_child(const char *name, void (*run)(const char *name));
double now(void);
int pid_after(pid_t, double patience); /* its wait status, or -1 when it hangs, and is killed */

/* Whole attacks, by name. */
struct attack {
	const char *name;
	void (*run)(const char *name);
};
extern const struct attack argument_attacks[], descriptor_attacks[], register_attacks[], crowd_attacks[],
	memory_attacks[], task_attacks[], hang_attacks[],
	stay_attacks[], count_attacks[], removal_attacks[]; /* each ends with a NULL name */
void run_ways(const char *only);

#endif
