/* Whether initial mounts are what they were. */
#include "mountrace.h"

struct initial initial[128];
size_t initials;
int nested, unmount_denied, may_rename;

static int mountinfo = -1; /* kept: it shows paths from the root that the program had */

static size_t read_mountinfo(char *text, size_t room)
{
	size_t n = 0;
	ssize_t got;
	if (lseek(mountinfo, 0, SEEK_SET) != 0)
		return 0;
	while (n < room - 1 && (got = read(mountinfo, text + n, room - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	return n;
}

static unsigned parse_flags(const char *options)
{
	unsigned flags = 0;
	char copy[256];
	snprintf(copy, sizeof copy, "%s", options);
	for (char *save, *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		static const char *const names[] = {"ro", "nosuid", "nodev", "noexec"};
		for (size_t i = 0; i < LENGTH(names); i++)
			if (!strcmp(word, names[i]))
				flags |= 1u << i;
	}
	return flags;
}

/* parse reads a line of proc_pid_mountinfo(5). */
static int parse(char *line, struct initial *m)
{
	char options[256], *end = strstr(line, " - ");
	memset(m, 0, sizeof *m);
	if (!end || sscanf(line, "%lu %lu %15s %511s %255s %255s", &m->id, &m->parent, m->device, m->root, m->path, options) != 6)
		return 0;
	snprintf(m->super, sizeof m->super, "%s", end + 3);
	m->flags = parse_flags(options);
	return 1;
}

/* own tells of what this program mounts, or has mounted when it ran before. */
static int own(const char *path)
{
	size_t n = strlen(path);
	return !strncmp(path, "/tmp/", 5) || !strncmp(path, "/vrs/", 5) || (n > 6 && !strcmp(path + n - 6, "-other"));
}

/* clear_own unmounts the last first: what is on top. */
static void clear_own(void)
{
	static char text[1 << 18];
	static char paths[1024][256];
	size_t n = 0;
	char *save;
	struct initial m;
	read_mountinfo(text, sizeof text);
	for (char *line = strtok_r(text, "\n", &save); line && n < LENGTH(paths); line = strtok_r(NULL, "\n", &save))
		if (parse(line, &m) && own(m.path))
			snprintf(paths[n++], sizeof paths[0], "%s", m.path);
	while (n-- > 0)
		umount2(paths[n], MNT_DETACH | UMOUNT_NOFOLLOW);
}

static int within(const char *path, const char *top)
{
	size_t n = strlen(top);
	return !strcmp(top, "/") || (!strncmp(path, top, n) && (path[n] == 0 || path[n] == '/'));
}

void find_initial(void)
{
	static char text[1 << 16];
	char *save;
	mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (mountinfo >= 0)
		clear_own();
	if (mountinfo < 0 || !read_mountinfo(text, sizeof text)) {
		perror("mountrace: cannot read mountinfo");
		exit(1);
	}
	initials = 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct initial *m = &initial[initials];
		struct stat st;
		if (initials == LENGTH(initial) || !parse(line, m) || own(m->path))
			continue;
		if (nested && !strcmp(m->path, "/tmp"))
			continue; /* the program has its own */
		m->fd = open(m->path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
		if (m->fd < 0 || fstat(m->fd, &st))
			continue;
		m->directory = S_ISDIR(st.st_mode);
		m->dev = st.st_dev;
		m->ino = st.st_ino;
		m->fixed = unmount_denied || !strcmp(m->path, "/") ||
			within(m->path, "/proc") || !strcmp(m->path, "/sys") || within(m->path, "/sys/firmware");
		initials++;
	}
}

static int same(const struct initial *a, const struct initial *b)
{
	return !strcmp(a->device, b->device) && !strcmp(a->root, b->root);
}

/* kept_flags are what any copy of a mount must have: the flags of the innermost
 * initial mounts that it can be a copy of. */
static unsigned kept_flags(const struct initial *m)
{
	unsigned flags = 0;
	size_t best = 0;
	for (size_t i = 0; i < initials; i++) {
		size_t n = strlen(initial[i].root);
		if (strcmp(initial[i].device, m->device) || !within(m->root, initial[i].root) || n < best)
			continue;
		flags = n > best ? initial[i].flags : flags & initial[i].flags;
		best = n;
	}
	return flags;
}

/* judge compares one initial mount with what has its ID now; NULL: nothing. */
static const char *judge(const struct initial *was, const struct initial *is)
{
	if (!is || !same(was, is))
		return was->fixed && !nested ? "gone" : NULL;
	if (was->flags & ~is->flags)
		return "flags dropped";
	if (nested)
		return NULL;
	if (!may_rename && strcmp(was->path, is->path))
		return "moved";
	if (strcmp(was->super, is->super) && strncmp(was->super, "devpts ", 7)) /* devpts is the container's */
		return "superblock changed";
	return NULL;
}

/* writable tells whether a read-only mount can be written to, by the mount itself. */
static int writable(const struct initial *m)
{
	struct statfs st;
	if (fstatfs(m->fd, &st) == 0 && (m->flags & ~(unsigned)st.f_flags & LOCKABLE))
		return 1;
	return m->flags & 1 && m->directory && syscall(SYS_faccessat2, m->fd, "", W_OK, AT_EMPTY_PATH) == 0;
}

size_t weakened(char *what, size_t room)
{
	static char text[1 << 18];
	static struct initial found[1024];
	size_t n = 0, bad = 0;
	char *save;
	read_mountinfo(text, sizeof text);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (n < LENGTH(found) && parse(line, &found[n]))
			n++;
	for (size_t i = 0; i < initials; i++) {
		const struct initial *is = NULL;
		for (size_t j = 0; j < n; j++)
			if (found[j].id == initial[i].id)
				is = &found[j];
		const char *why = judge(&initial[i], is);
		if (!why && writable(&initial[i]))
			why = "writable, or without its flags";
		if (why && bad++ == 0)
			snprintf(what, room, "%s: %s", initial[i].path, why);
	}
	for (size_t j = 0; j < n; j++)
		if (kept_flags(&found[j]) & ~found[j].flags && bad++ == 0)
			snprintf(what, room, "a copy at %s, of %s on %s, lacks flags", found[j].path, found[j].root, found[j].device);
	return bad;
}

/* weak_copy tells whether fd is the root of a copy of an initial mount that lacks
 * flags which every initial mount of that root has. */
int weak_copy(int fd)
{
	struct stat st;
	struct statfs fs;
	unsigned flags = LOCKABLE;
	int known = 0;
	if (fstat(fd, &st) || fstatfs(fd, &fs))
		return 0;
	for (size_t i = 0; i < initials; i++)
		if (initial[i].dev == st.st_dev && initial[i].ino == st.st_ino) {
			flags &= initial[i].flags;
			known = 1;
		}
	return known && (flags & ~(unsigned)fs.f_flags) != 0;
}
