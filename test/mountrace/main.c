/* The arguments:
 *
 *     mountrace [-s SECONDS] [-d] [-n | -u] [NAME…]
 *
 * -s is how long each race lasts, 1 when not given; that is for all operations of
 * one way to make a path lead elsewhere, such as "string". With -d no initial mount may
 * be unmounted. With -n the attacks come from a mount namespace of their own, with
 * -u from a user namespace as well. NAME is an attack, one way with
 * all operations ("string") or with one ("string umount"); without any all are tried.
 */
#include "mountrace.h"

static const struct attack *const lists[] = {
	argument_attacks, descriptor_attacks, register_attacks, crowd_attacks, memory_attacks, task_attacks, hang_attacks,
	/* only when they are named */
	count_attacks, stay_attacks, removal_attacks,
};
#define ALWAYS 7

static void run_named(const char *only)
{
	run_ways(only);
	for (size_t i = 0; i < (only ? LENGTH(lists) : ALWAYS); i++)
		for (const struct attack *a = lists[i]; a->name; a++)
			if (!only || !strcmp(only, a->name))
				in_child(a->name, a->run);
}

int main(int argc, char **argv)
{
	int option;
	while ((option = getopt(argc, argv, "s:dnu")) != -1)
		switch (option) {
		case 's':
			seconds = atof(optarg);
			break;
		case 'd':
			unmount_denied = 1;
			break;
		case 'n':
			namespaces = CLONE_NEWNS;
			break;
		case 'u':
			namespaces = CLONE_NEWNS | CLONE_NEWUSER;
			break;
		default:
			return 2;
		}
	umask(0);
	find_initial();
	if (optind == argc)
		run_named(NULL);
	for (; optind < argc; optind++)
		run_named(argv[optind]);
	puts("end\tok\t");
	return 0;
}
