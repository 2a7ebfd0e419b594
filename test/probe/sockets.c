/* Sockets of every address family, for real: traced ones are in arguments.c. */
#include "probe.h"

static long open_socket(const struct try *t)
{
	return call(__NR_socket, t->a, t->b, 0);
}

static long socket_pair(const struct try *t)
{
	int ends[2];
	return call(__NR_socketpair, t->a, t->b, 0, ends);
}

void add_sockets(void)
{
	static const char *const types[] = {"stream", "datagram", "raw"};
	for (long family = 0; family <= 46; family++) {
		for (long type = 1; type <= 3; type++) {
			char name[64];
			append_number(append(append(name, types[type - 1]), " socket of family "), family);
			add_open(join(name, ""), open_socket, NULL, family, type, 0);
		}
	}
	add_try("pair of unix sockets", socket_pair, NULL, 1, 1, 0);
	add_open("sequential unix socket", open_socket, NULL, 1, 5, 0);
	add_open("netlink socket", open_socket, NULL, 16, 3, 0);
}
