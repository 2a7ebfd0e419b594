/* The container's mounts, as its own mount namespace has them. */
#include "mountattack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST (64 << 10)

static int mountinfo = -1;
static char remembered[MOST];

/* Optional fields, propagation that is, are left out: making a mount private and
 * slave again changes numbers there. */
static void read_table(char *table)
{
	static char text[MOST];
	size_t size = 0;
	for (ssize_t n; size < MOST - 1 && (n = pread(mountinfo, text + size, MOST - 1 - size, size)) > 0; size += n)
		;
	text[size] = 0;
	*table = 0;
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		int fields = 0;
		char *end = line;
		for (; *end != 0 && (*end != ' ' || ++fields < 6); end++)
			;
		*end = 0;
		table = stpcpy(stpcpy(table, line), "\n");
	}
}

void remember_table(void)
{
	if (mountinfo < 0 && (mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) < 0)
		die("cannot open /proc/self/mountinfo");
	read_table(remembered);
}

/* table_changed tells whether the mounts are others than those remembered, and
 * remembers the new ones. */
int table_changed(void)
{
	static char now[MOST];
	read_table(now);
	if (strcmp(now, remembered) == 0)
		return 0;
	strcpy(remembered, now);
	return 1;
}
