/* The file-descriptor calls: mount_setattr, open_tree, open_tree_attr, fspick. */
#include "mountattack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

#define PAGE 4096

/* What clears all flags; and a structure of the future, with more at its end. */
static struct mount_attr all = {.attr_clr = LOCKABLE}; /* MOUNT_ATTR_* has the same bits */
static union {
	struct mount_attr attr;
	char bytes[2 * PAGE];
} large = {.attr = {.attr_clr = LOCKABLE}};

static long setattr(struct attempt *a, const struct operation *o)
{
	return sys_mount_setattr(a->dir, a->path, o->flags | a->empty, &all, sizeof(all));
}

static long setattr_descriptor(struct attempt *a, const struct operation *o)
{
	int fd = open(a->path, O_PATH | O_CLOEXEC);
	return sys_mount_setattr(fd, "", AT_EMPTY_PATH | o->flags, &all, sizeof(all));
}

/* setattr_high has a descriptor whose upper half is not zero. */
static long setattr_high(struct attempt *a, const struct operation *o)
{
	(void)o;
	long fd = open(a->path, O_PATH | O_CLOEXEC);
	return sys_mount_setattr(1L << 32 | fd, "", AT_EMPTY_PATH, &all, sizeof(all));
}

/* setattr_sized gives another size; one byte beyond the structure is not zero
 * where the size has a bit of its own for that. */
#define NOT_ZERO (1UL << 20)

static long setattr_sized(struct attempt *a, const struct operation *o)
{
	if (o->flags & NOT_ZERO)
		large.bytes[sizeof(struct mount_attr)] = 1;
	return sys_mount_setattr(a->dir, a->path, 0, &large, o->flags & ~NOT_ZERO);
}

static long setattr_unreadable(struct attempt *a, const struct operation *o)
{
	(void)o;
	return sys_mount_setattr(a->dir, a->path, 0, (void *)8, sizeof(all));
}

/* setattr_swap sets one flag while it clears the others. */
static long setattr_swap(struct attempt *a, const struct operation *o)
{
	static struct mount_attr attr;
	(void)o;
	attr.attr_set = a->mount->flags & 1 ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_RDONLY;
	attr.attr_clr = LOCKABLE & ~attr.attr_set;
	return sys_mount_setattr(a->dir, a->path, 0, &attr, sizeof(attr));
}

/* setattr_propagating changes propagation in the same call. */
static long setattr_propagating(struct attempt *a, const struct operation *o)
{
	static struct mount_attr attr = {.attr_clr = LOCKABLE, .propagation = MS_PRIVATE};
	return sys_mount_setattr(a->dir, a->path, o->flags, &attr, sizeof(attr));
}

/* attach puts a detached tree where its effect is looked at. */
static long attach(struct attempt *a, long tree)
{
	return sys_move_mount(tree, "", AT_FDCWD, copy_of(a->mount), MOVE_MOUNT_F_EMPTY_PATH);
}

static long clone_and_setattr(struct attempt *a, const struct operation *o)
{
	long tree = sys_open_tree(a->dir, a->path, OPEN_TREE_CLONE | o->flags | a->empty);
	STEP(a, "open_tree", tree);
	long result = sys_mount_setattr(tree, "", AT_EMPTY_PATH | (o->flags & AT_RECURSIVE), &all, sizeof(all));
	attach(a, tree); /* to see what it is like */
	return result;
}

static long clone_sub(struct attempt *a, const struct operation *o)
{
	const char *sub = joined(a->path, a->mount->sub);
	long tree = sys_open_tree(AT_FDCWD, sub, OPEN_TREE_CLONE | o->flags);
	STEP(a, "open_tree", tree);
	long result = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &all, sizeof(all));
	attach(a, tree);
	return result;
}

/* clone_and_attach changes nothing. */
static long clone_and_attach(struct attempt *a, const struct operation *o)
{
	long tree = sys_open_tree(a->dir, a->path, OPEN_TREE_CLONE | o->flags | a->empty);
	STEP(a, "open_tree", tree);
	return attach(a, tree);
}

/* attach_and_setattr changes it when it is no longer detached. */
static long attach_and_setattr(struct attempt *a, const struct operation *o)
{
	STEP(a, "attach", clone_and_attach(a, o));
	return sys_mount_setattr(AT_FDCWD, copy_of(a->mount), 0, &all, sizeof(all));
}

static long tree_attr(struct attempt *a, const struct operation *o)
{
	long tree = sys_open_tree_attr(a->dir, a->path, o->flags | a->empty, &all, sizeof(all));
	if (tree >= 0 && o->flags & OPEN_TREE_CLONE)
		attach(a, tree);
	return tree;
}

static long pick_and_reconfigure(struct attempt *a, const struct operation *o)
{
	(void)o;
	long context = sys_fspick(a->dir, a->path, a->empty ? FSPICK_EMPTY_PATH : 0);
	STEP(a, "fspick", context);
	STEP(a, "fsconfig", sys_fsconfig(context, FSCONFIG_SET_FLAG, "rw", NULL));
	return sys_fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL);
}

static const struct operation list[] = {
	{"setattr", setattr, DROPS | FORMS | AT, 0},
	{"setattr-rec", setattr, DROPS, AT_RECURSIVE},
	{"setattr-no-automount", setattr, DROPS, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW},
	{"setattr-descriptor", setattr_descriptor, DROPS, 0},
	{"setattr-descriptor-rec", setattr_descriptor, DROPS, AT_RECURSIVE},
	{"setattr-high", setattr_high, DROPS | ONLY_64, 0},
	{"setattr-size-31", setattr_sized, DROPS, 31},
	{"setattr-size-64", setattr_sized, DROPS, 64},
	{"setattr-size-page", setattr_sized, DROPS, PAGE},
	{"setattr-size-too-large", setattr_sized, DROPS, PAGE + 1},
	{"setattr-size-not-zero", setattr_sized, DROPS, 64 | NOT_ZERO},
	{"setattr-unreadable", setattr_unreadable, DROPS, 0},
	{"setattr-unknown-flag", setattr, DROPS, 1U << 30},
	{"setattr-swap", setattr_swap, DROPS, 0},
	{"setattr-propagating", setattr_propagating, DROPS, 0},
	{"clone", clone_and_attach, 0, 0},
	{"clone-rec", clone_and_attach, 0, AT_RECURSIVE},
	{"clone-setattr", clone_and_setattr, DROPS | FORMS | AT, 0},
	{"clone-rec-setattr", clone_and_setattr, DROPS, AT_RECURSIVE},
	{"clone-sub-setattr", clone_sub, DROPS | SUB, 0},
	{"clone-sub-rec-setattr", clone_sub, DROPS | SUB, AT_RECURSIVE},
	{"clone-attach-setattr", attach_and_setattr, DROPS, AT_RECURSIVE},
	{"open_tree_attr-clone", tree_attr, DROPS | FORMS | AT, OPEN_TREE_CLONE},
	{"open_tree_attr-clone-rec", tree_attr, DROPS, OPEN_TREE_CLONE | AT_RECURSIVE},
	{"open_tree_attr", tree_attr, DROPS, 0},
	{"fspick", pick_and_reconfigure, FORMS | AT, 0},
};
const struct operations trees = {list, LENGTH(list)};
