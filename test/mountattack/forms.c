/* The ways to write a path. Each is in static memory, below 4 GiB. */
#include "mountattack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LONGEST 4095 /* PATH_MAX less the 0 at the end */
#define PAGE 4096

static char text[2 * PAGE];

static long relative(struct attempt *a)
{
	snprintf(text, sizeof(text), "new/../../../run/../%s/.", a->path + 1);
	if (!a->mount->is_directory)
		text[strlen(text) - 2] = 0;
	a->path = text;
	return 0;
}

static long by_symlink(struct attempt *a)
{
	unlink("link");
	if (symlink(a->path, "link") < 0)
		return -errno;
	a->path = "link";
	return 0;
}

static long open_path(struct attempt *a)
{
	int fd = open(a->path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static long by_magic_link(struct attempt *a)
{
	long fd = open_path(a);
	if (fd < 0)
		return fd;
	snprintf(text, sizeof(text), "/proc/self/fd/%ld", fd);
	a->path = text;
	return 0;
}

static long by_root_link(struct attempt *a)
{
	snprintf(text, sizeof(text), "/proc/thread-self/root%s", a->path);
	a->path = text;
	return 0;
}

/* by_descriptor has no path at all. */
static long by_descriptor(struct attempt *a)
{
	long fd = open_path(a);
	if (fd < 0)
		return fd;
	a->dir = fd;
	a->path = "";
	a->empty = AT_EMPTY_PATH;
	return 0;
}

/* beside a directory of another's: the path is relative to a descriptor. */
static long by_directory(struct attempt *a)
{
	int fd = open("/proc", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	a->dir = fd;
	snprintf(text, sizeof(text), "..%s", a->path);
	a->path = text;
	return 0;
}

static void lengthen(struct attempt *a, size_t size)
{
	size_t path = strlen(a->path);
	memset(text, '/', size - path);
	strcpy(text + size - path, a->path);
	a->path = text;
}

static long longest(struct attempt *a)
{
	lengthen(a, LONGEST);
	return 0;
}

static long too_long(struct attempt *a)
{
	lengthen(a, LONGEST + 1);
	return 0;
}

/* at_page_end puts the path at the end of a page that nothing comes after. */
static long at_page_end(struct attempt *a)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (pages == MAP_FAILED || munmap(pages + PAGE, PAGE) < 0)
		return -errno;
	a->path = strcpy(pages + PAGE - strlen(a->path) - 1, a->path);
	return 0;
}

/* over_page_end is one whose end is not there. */
static long over_page_end(struct attempt *a)
{
	long result = at_page_end(a);
	if (result == 0) {
		size_t size = strlen(a->path);
		a->path = memmove((char *)a->path + 1, a->path, size);
	}
	return result;
}

static long unreadable(struct attempt *a)
{
	a->path = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	return a->path == MAP_FAILED ? -errno : 0;
}

static long at_nothing(struct attempt *a)
{
	a->path = (const char *)1;
	return 0;
}

static long nonsense(struct attempt *a)
{
	a->dir = 12345;
	a->path = "";
	a->empty = AT_EMPTY_PATH;
	return 0;
}

const struct form forms[] = {
	{"plain", NULL, 0},
	{"relative", relative, 0},
	{"symlink", by_symlink, 0},
	{"magic-link", by_magic_link, 0},
	{"root-link", by_root_link, 0},
	{"descriptor", by_descriptor, 1},
	{"directory", by_directory, 1},
	{"longest", longest, 0},
	{"too-long", too_long, 0},
	{"page-end", at_page_end, 0},
	{"over-page-end", over_page_end, 0},
	{"unreadable", unreadable, 0},
	{"nothing", at_nothing, 0},
	{"no-descriptor", nonsense, 1},
};
const size_t form_count = LENGTH(forms);
