/* What is tried in which order, and what every part uses. */
#include "mountattack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static const struct operations *const families[] = {&remounts, &copies, &trees, &pivots, &others, &unmounts};

void die(const char *what)
{
	fprintf(stderr, "mountattack: %s: %s\n", what, strerror(errno));
	exit(3);
}

const char *errno_name(long negated)
{
	return negated >= 0 ? "ok" : strerrorname_np(-negated);
}

/* copy_of: a directory is mounted on a directory, all else on a file. */
const char *copy_of(const struct mount *m)
{
	return m->is_directory ? "copy" : "copy-file";
}

/* top_of: "/" is the root directory, also where something is mounted on it. */
const char *top_of(const char *path)
{
	return strcmp(path, "/") == 0 ? "/.." : path;
}

const char *joined(const char *dir, const char *name)
{
	static char path[512];
	int slash = *dir == 0 || dir[strlen(dir) - 1] != '/';
	snprintf(path, sizeof(path), "%s%s%s", dir, slash ? "/" : "", *name == '/' ? name + 1 : name);
	return path;
}

static int has[ABIS];

/* prepare makes the scratch directory: a tmpfs, where one can be mounted. */
static void prepare(void)
{
	mkdir(SCRATCH, 0755);
	mount("tmpfs", SCRATCH, "tmpfs", 0, NULL);
	if (chdir(SCRATCH) < 0)
		die("cannot change to " SCRATCH);
	static const char *const directories[] = {"copy", "new", "upper", "work"};
	for (size_t i = 0; i < LENGTH(directories); i++)
		mkdir(directories[i], 0755);
	close(open("copy-file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	/* What is made shared here must not spread to other places of ours. */
	mount(NULL, SCRATCH, NULL, MS_PRIVATE, NULL);
	for (enum abi which = 0; which < ABIS; which++)
		has[which] = kernel_has(which);
	survey_mounts();
	remember_table();
}

/* is_safe tells whether a try that works can be followed by others. */
static int is_safe(const struct context *context, const struct operation *o, const struct mount *m, int is_form)
{
	return !context->is_own || !(o->kind & SPOILS) || (is_form && m->fixed);
}

static void cells(const struct context *context, const struct form *form, enum abi which)
{
	for (size_t f = 0; f < LENGTH(families); f++)
		for (size_t i = 0; i < families[f]->count; i++)
			for (size_t m = 0; m < mount_count; m++)
				if (is_safe(context, &families[f]->list[i], &mounts[m], form != forms))
					run_cell(context, which, form, &families[f]->list[i], &mounts[m]);
}

static void every_abi(const struct context *context, const struct form *form)
{
	for (enum abi which = 0; which < ABIS; which++)
		if (has[which])
			cells(context, form, which);
}

static void matrix(const struct context *context)
{
	print_controls(context);
	every_abi(context, &forms[0]);
}

static void other_forms(const struct context *context)
{
	for (size_t i = 1; i < form_count; i++)
		every_abi(context, &forms[i]);
}

/* for_contexts calls run with each context named, or all. */
static void for_contexts(char **names, void (*run)(const struct context *))
{
	if (*names == NULL)
		for (size_t i = 0; i < context_count; i++)
			run(&contexts[i]);
	for (; *names != NULL; names++)
		run(find_context(*names));
}

static void spoil(enum abi which, char **names)
{
	for (; *names != NULL; names++)
		for (size_t f = 0; f < LENGTH(families); f++)
			for (size_t i = 0; i < families[f]->count; i++)
				for (size_t m = 0; m < mount_count && strcmp(families[f]->list[i].name, *names) == 0; m++)
					run_cell(&contexts[0], which, &forms[0], &families[f]->list[i], &mounts[m]);
}

int main(int count, char **arguments)
{
	const char *mode = count > 1 ? arguments[1] : "";
	if (strcmp(mode, "euid") == 0)
		return report_euid();
	prepare();
	if (strcmp(mode, "matrix") == 0)
		for_contexts(arguments + 2, matrix);
	else if (strcmp(mode, "forms") == 0)
		for_contexts(arguments + 2, other_forms);
	else if (strcmp(mode, "spoil") == 0 && count > 3)
		spoil(strcmp(arguments[2], abi_names[I386]) == 0 ? I386 : X86_64, arguments + 3);
	else if (strcmp(mode, "propagate") == 0)
		return propagate();
	else {
		fprintf(stderr, "usage: mountattack matrix [CONTEXT…] | forms [CONTEXT…] | spoil ABI OPERATION… | propagate\n");
		return 2;
	}
	puts("end");
	return fflush(stdout) == 0 ? 0 : 3;
}
