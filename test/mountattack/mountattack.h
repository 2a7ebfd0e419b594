/*
 * Mountattack runs as root of a container and tries to weaken the mounts that
 * the container was started with. Each try is a cell of a matrix:
 *
 *     how the process is placed (context) x which system calls it uses (abi)
 *     x how it writes the path (form) x what it tries (operation) x on which mount
 *
 * and a process of its own, so that a success can't spoil the next. One line each:
 *
 *     CONTEXT ABI FORM OPERATION MOUNT ERRNO EFFECT
 *     nested-user 32 plain remount-rw ro EPERM same
 *     as-is 64 plain bind-remount proc EINVAL@bind same
 *
 * ERRNO is "ok" or that of the call that ended the try, with the call's name where
 * more were to come. EFFECT is looked up, not derived from the errno:
 *
 *     same            the mount is there as before
 *     copy            so is a copy of it, which is as strict
 *     stricter        it has more of ro, nosuid, nodev, noexec than before
 *     gone            the path no longer leads to it
 *     moved           it is somewhere else
 *     CHANGED         the container's mounts are others, although a process with
 *                     mounts of its own did it
 *     layer:WHAT      the same as below, but with a file that an overlay shows of it:
 *                     like a copy of that file
 *     WEAKENED:WHAT   what it kept from happening can be done: a file could be
 *                     written, a flag is off, a masked file could be read, …
 *
 * It judges no errno: the test that runs it knows which one is right.
 *
 *     mountattack matrix [CONTEXT…]           every cell but those that spoil
 *     mountattack forms [CONTEXT…]            some operations with every form of path
 *     mountattack spoil ABI OPERATION…        those that it leaves out, as is: what
 *                                             they unmount is gone for ever
 *     mountattack propagate                   see propagate.c
 *
 * Limitations: x86-64 only. What is read, written and executed to find out about
 * effects are files that the test has put there, see mounts.c.
 */
#ifndef MOUNTATTACK_H
#define MOUNTATTACK_H

#include <sys/stat.h>
#include <sys/types.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* What a mount can be locked in, as statfs(2) has it. */
#define LOCKABLE (1 | 2 | 4 | 8) /* ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC */

/* SCRATCH is the working directory of every try, a tmpfs of ours where copies go. */
#define SCRATCH "/run/mountattack"

/* System calls by the ABI that the process has chosen; each returns the negated
 * errno. Pointers are to static memory, which is below 4 GiB. (abi.c) */
enum abi { X86_64, I386, X32, ABIS };
extern enum abi abi;
extern const char *const abi_names[ABIS];
int kernel_has(enum abi);
long sys_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);
long sys_umount(const char *path, unsigned long flags);
long sys_umount_old(const char *path); /* i386's umount */
long sys_pivot_root(const char *root, const char *old);
long sys_open_tree(int dir, const char *path, unsigned flags);
long sys_open_tree_attr(int dir, const char *path, unsigned flags, const void *attr, unsigned long size);
long sys_move_mount(int from, const char *path, int to, const char *to_path, unsigned flags);
long sys_fsopen(const char *type);
long sys_fspick(int dir, const char *path, unsigned flags);
long sys_fsconfig(long fd, unsigned command, const char *key, const char *value);
long sys_fsmount(long fd);
long sys_mount_setattr(long dir, const char *path, unsigned flags, const void *attr, unsigned long size);

/* A mount under attack. (mounts.c) */
struct mount {
	const char *name, *path;
	const char *sub;     /* a directory in it, or NULL */
	const char *write;   /* a file in it that root could write but for "ro"; "" makes one */
	const char *hidden;  /* a file in it that is masked, or "" for the mount itself */
	int has_files;       /* program, setuid and device are in it and in sub */
	int fixed;           /* it can't be unmounted, with any setting */

	int present;
	int is_directory;
	unsigned long flags; /* of LOCKABLE */
	struct stat top, below; /* of the mount and of sub */
};
extern struct mount mounts[];
extern const size_t mount_count;
void survey_mounts(void);

/* How a process is placed. (contexts.c) */
struct context {
	const char *name;
	int clone_flags;
	int is_own; /* its mounts are the container's own */
	long (*enter)(const struct mount *, const char **path); /* NULL: nothing to do */
};
extern const struct context contexts[];
extern const size_t context_count;
const struct context *find_context(const char *name);

/* A try. */
struct attempt {
	const struct mount *mount;
	const char *path;  /* of the mount, as the context and the form want it */
	int dir;           /* what path is relative to */
	unsigned empty;    /* AT_EMPTY_PATH where path is "" */
	const char *plain; /* of the mount, as the context wants it */
	const char *step;  /* the call, while it is not the last one */
};

/* STEP ends an operation whose call fails, and names it. */
#define STEP(attempt, name, call) \
	do { \
		(attempt)->step = (name); \
		long result_ = (call); \
		if (result_ < 0) \
			return result_; \
		(attempt)->step = NULL; \
	} while (0)

enum {
	DROPS = 1,      /* takes flags away: only for mounts that have some */
	DROPS_ONE = 4096, /* takes away those of the operation's flags */
	SPOILS = 2,     /* may succeed, and can't be undone */
	DIRECTORY = 4,  /* only for directories */
	SUB = 8,        /* only for mounts with a sub */
	WRITABLE = 16,  /* only for mounts that are not read-only */
	FILES = 32,     /* only for mounts with files of ours */
	NEW_VIEW = 64,  /* makes another procfs or sysfs: only for those */
	LAYER = 128,    /* makes an overlay, which may be written */
	ONLY_64 = 256,
	ONLY_32 = 512,
	FORMS = 1024,   /* is tried with every form of path */
	AT = 2048,      /* takes dir and AT_EMPTY_PATH */
};

struct operation {
	const char *name;
	long (*run)(struct attempt *, const struct operation *);
	int kind;
	unsigned long flags; /* the operation's own */
};
struct operations {
	const struct operation *list;
	size_t count;
};
extern const struct operations remounts, copies, unmounts, trees, pivots, others; /* a file each */

/* The forms of a path. (forms.c) */
struct form {
	const char *name;
	long (*write)(struct attempt *); /* -ENOTSUP: not for this one */
	int at;                          /* only for operations that are AT */
};
extern const struct form forms[];
extern const size_t form_count;

/* What came of it. (effect.c) */
void judge(const struct attempt *, const struct operation *, char *effect, size_t size);
void print_controls(const struct context *); /* that what judge looks for can be seen at all */
int can_see(int dir, const char *name);
int report_euid(void);

/* The container's mounts. (table.c) */
void remember_table(void);
int table_changed(void);

/* Cells. (cells.c) */
void run_cell(const struct context *, enum abi, const struct form *, const struct operation *, struct mount *);
int in_context(const struct context *, int (*run)(void *), void *); /* status of run in a process placed so */

int propagate(void); /* propagate.c */

const char *copy_of(const struct mount *); /* where a copy of it goes */
const char *top_of(const char *path); /* of what is mounted last on what a path leads to */
const char *errno_name(long negated);
const char *joined(const char *dir, const char *name); /* static memory, one at a time per process */
void die(const char *what);

#endif
