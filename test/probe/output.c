/* What is printed is collected, and written at the end by whatever the filters
 * leave: a pipe takes bytes from vmsplice(2) too. */
#include "probe.h"

struct piece {
	const char *base;
	size_t size;
};

static char text[1 << 20];
static size_t used;

void put(const char *s)
{
	while (*s && used < sizeof(text))
		text[used++] = *s++;
}

void put_number(long n)
{
	char buffer[24];
	append_number(buffer, n);
	put(buffer);
}

void put_line(const char *name, const char *value)
{
	put(name);
	put("\t");
	put(value);
	put("\n");
}

void put_result(const char *name, long result)
{
	char buffer[24];
	put_line(name, result >= 0 ? "ok" : errno_name(result, buffer));
}

/* A value may hold a newline, of an environment variable for instance. */
void put_value(const char *name, char kind, const char *value)
{
	char mark[2] = {kind, 0};
	put(name);
	put("\t");
	put(mark);
	for (; *value; value++) {
		char c[2] = {*value == '\n' ? ' ' : *value, 0};
		put(c);
	}
	put("\n");
}

/* flush writes what was not yet. The text stays: vmsplice(2) gives the pipe its
 * pages, not a copy. */
void flush(void)
{
	static size_t done;
	while (done < used) {
		struct piece rest = {text + done, used - done};
		long n = call(__NR_write, 1, rest.base, rest.size);
		if (n < 0)
			n = call(__NR_writev, 1, &rest, 1);
		if (n < 0)
			n = call(__NR_vmsplice, 1, &rest, 1, 0);
		if (n <= 0)
			call(__NR_exit_group, 3);
		done += n;
	}
}
