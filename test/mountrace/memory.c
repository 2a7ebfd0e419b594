/* Arguments in memory that is not there, not long, or not long enough. */
#include "mountrace.h"

#include <linux/mount.h>
#include <sys/mman.h>

static char wrong[256];

static void expect(const char *what, long result, int error)
{
	int got = result < 0 ? errno : 0;
	if (got != error && !wrong[0])
		snprintf(wrong, sizeof wrong, "%s: errno %d, want %d", what, got, error);
}

/* edge is memory that ends after a string: what is behind can't be read. */
static char *edge(const char *text, size_t n)
{
	size_t page = 4096, pages = (n + page - 1) / page;
	char *start = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(start + pages * page, page, PROT_NONE);
	return memcpy(start + pages * page - n, text, n);
}

static const char *long_path(size_t n, const char *end)
{
	static char text[8192];
	memset(text, '/', sizeof text);
	memcpy(text, "/tmp", 4);
	snprintf(text + n - strlen(end), strlen(end) + 1, "%s", end);
	return text;
}

static void paths(const char *name)
{
	make_directories("/tmp/own");
	expect("a path of 4095 bytes", mount("own", long_path(4095, "own"), "tmpfs", 0, NULL), 0);
	expect("its unmount", umount2(long_path(4095, "/own"), 0), 0);
	expect("a path of 4096 bytes", mount("own", long_path(4096, "/own"), "tmpfs", 0, NULL), ENAMETOOLONG);
	expect("unmount of a path of 4096 bytes", umount2(long_path(4096, "/own"), 0), ENAMETOOLONG);
	expect("4096 bytes without an end", umount2(edge(long_path(4096, "/own"), 4096), 0), ENAMETOOLONG);
	expect("a path up to the end of memory", mount("own", edge("/tmp/own", 9), "tmpfs", 0, NULL), 0);
	expect("its unmount", umount2(edge("/tmp/own", 9), 0), 0);
	expect("a path that goes on where memory doesn't", umount2(edge("/tmp/own", 8), 0), EFAULT);
	expect("NULL", umount2(NULL, 0), EFAULT);
	expect("a path in no memory", umount2((char *)-4096, 0), EFAULT);
	expect("the kernel's memory", umount2((char *)0xffffffff81000000, 0), EFAULT);
	expect("an empty path", umount2("", 0), ENOENT);
	expect("a type in no memory", mount("own", "/tmp/own", (char *)8, 0, NULL), EFAULT);
	expect("a source in no memory", mount((char *)8, "/tmp/own", "tmpfs", 0, NULL), EFAULT);
	expect("a NULL type", mount("own", "/tmp/own", NULL, 0, NULL), EINVAL);
	expect("a type without an end", mount("own", "/tmp/own", edge(long_path(5000, "x"), 5000), 0, NULL), EINVAL);
	expect("move_mount of NULL", move_mount_(AT_FDCWD, NULL, AT_FDCWD, "/tmp/own", 0), EFAULT);
	expect("no attributes", set_attr(AT_FDCWD, "/tmp", 0, NULL, 32), EFAULT);
	expect("short attributes", set_attr(AT_FDCWD, "/tmp", 0, edge("12345678", 8), 8), EINVAL);
	expect("attributes that end too early", set_attr(AT_FDCWD, "/tmp", 0, edge("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), 32), EFAULT);
	expect("attributes of the future", set_attr(AT_FDCWD, "/tmp", 0, edge(long_path(64, "x"), 64), 64), E2BIG);
	expect("attributes of more than a page", set_attr(AT_FDCWD, "/tmp", 0, edge(long_path(5000, "x"), 5000), 5000), E2BIG);
	verdict(name, wrong[0] ? wrong : NULL);
	_exit(wrong[0] != 0);
}

/* Memory that another thread takes away and gives back. */

static char *page;

static void *take_away(void *unused)
{
	while (!stopped) {
		munmap(page, 4096);
		mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		memcpy(page, "/tmp/own", 9);
		for (volatile int i = rand() % 2000; i > 0; i--) {
		}
	}
	return unused;
}

static void unmapped(const char *name)
{
	pthread_t thread;
	int calls = 0, faults = 0;
	make_directories("/tmp/own");
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_create(&thread, NULL, take_away, NULL);
	for (double end = now() + seconds; now() < end; calls++) {
		int result = calls % 2 ? umount2(page, 0) : mount("own", page, "tmpfs", 0, NULL);
		if (result == 0)
			continue;
		faults += errno == EFAULT;
		if (errno != EFAULT && errno != EINVAL && errno != ENOENT) { /* EINVAL: nothing is mounted there */
			snprintf(wrong, sizeof wrong, "errno %d", errno);
			break;
		}
	}
	stopped = 1;
	pthread_join(thread, NULL);
	while (umount2("/tmp/own", 0) == 0) {
	}
	if (wrong[0]) {
		verdict(name, wrong);
		_exit(1);
	}
	printf("%s\tok\t%d calls, %d faults\n", name, calls, faults);
}

const struct attack memory_attacks[] = {{"memory", paths}, {"memory-unmapped", unmapped}, {NULL, NULL}};
