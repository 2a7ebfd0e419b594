/* What the process was given: its environment, and which of its namespaces are
 * the host's. */
#include "probe.h"

#include <linux/fcntl.h>

static void print_variables(char **environment)
{
	for (; *environment; environment++) {
		char name[256], *end = name;
		const char *at = *environment;
		while (*at && *at != '=' && end < name + sizeof(name) - 1)
			*end++ = *at++;
		*end = 0;
		put_value(join("environment ", name), '=', *at ? at + 1 : at);
	}
}

/* print_credentials prints all files that the manager passed. */
static void print_credentials(const char *directory)
{
	static char entries[4096], content[4096];
	long fd = open_file(directory, O_RDONLY | O_DIRECTORY, 0), n;
	if (fd < 0) {
		put_result("credentials", fd);
		return;
	}
	while ((n = call(__NR_getdents64, fd, entries, sizeof(entries))) > 0) {
		for (char *entry = entries; entry < entries + n; entry += *(unsigned short *)(entry + 16)) {
			const char *name = entry + 19;
			if (name[0] == '.')
				continue;
			read_file(join(join(directory, "/"), name), content, sizeof(content));
			put_value(join("credential ", name), '=', content);
		}
	}
	call(__NR_close, fd);
}

void print_environment(char **environment)
{
	print_variables(environment);
	for (; *environment; environment++)
		if (begins(*environment, "CREDENTIALS_DIRECTORY="))
			print_credentials(*environment + length("CREDENTIALS_DIRECTORY="));
}

/* print_namespaces compares with the links of /proc/1/ns on the host. */
void print_namespaces(char **host)
{
	for (; *host; host++) {
		char kind[32], link[64], *end = kind;
		const char *at = *host;
		while (*at && *at != ':' && end < kind + sizeof(kind) - 1)
			*end++ = *at++;
		*end = 0;
		if (!*at)
			continue;
		long n = call(__NR_readlink, join("/proc/self/ns/", kind), link, sizeof(link) - 1);
		if (n < 0) {
			put_result(join("namespace ", kind), n);
			continue;
		}
		link[n] = 0;
		put_value(join("namespace ", kind), '=', equal(link, *host) ? "the host's" : "its own");
	}
}
