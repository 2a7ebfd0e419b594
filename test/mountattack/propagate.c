/* Propagation, tried together with the host: a line on standard input is either
 * the kind of propagation that all mounts shall get, after which a tmpfs is
 * mounted that must not be seen on the host, or "look", which tells whether
 * something is seen that the host has mounted in the meantime. */
#include "mountattack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned long flag;
} kinds[] = {{"shared", MS_SHARED}, {"private", MS_PRIVATE}, {"slave", MS_SLAVE}, {"unbindable", MS_UNBINDABLE}};

static void change(const char *name)
{
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		if (strcmp(kinds[i].name, name) != 0)
			continue;
		long result = sys_mount(NULL, "/", NULL, kinds[i].flag | MS_REC, NULL);
		if (mount("inside", "/srv/rw/sub", "tmpfs", 0, NULL) < 0)
			die("cannot mount a tmpfs on /srv/rw/sub");
		close(open("/srv/rw/sub/inside", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		remember_table();
		printf("%s %s\n", name, errno_name(result));
	}
}

static void look(void)
{
	int seen = 0;
	for (size_t i = 0; i < mount_count; i++)
		if (mounts[i].present && mounts[i].is_directory)
			seen += access(joined(mounts[i].path, "secret"), F_OK) == 0 || access(joined(mounts[i].path, "sub/secret"), F_OK) == 0;
	printf("look %s %s\n", seen ? "SEEN" : "unseen", table_changed() ? "CHANGED" : "same");
	umount2("/srv/rw/sub", MNT_DETACH);
	remember_table();
}

int propagate(void)
{
	char line[64];
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = 0;
		if (strcmp(line, "look") == 0)
			look();
		else
			change(line);
		fflush(stdout);
	}
	return 0;
}
