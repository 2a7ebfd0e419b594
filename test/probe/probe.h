/*
 * The probe tries what sandbox settings forbid and prints one line for each try:
 *
 *     NAME<TAB>ok          it worked, or came as far as it can without harm
 *     NAME<TAB>EPERM       the errno
 *     NAME<TAB>SIGSYS      the signal that ended the process
 *     NAME<TAB>=VALUE      a state, to be compared as it is
 *     NAME<TAB>-A B        a set of rights: fewer are stricter
 *
 * It judges nothing: the test that runs it under systemd and under berth compares.
 * Names are stable, and no name stands twice in an output.
 *
 * The probe runs as real root beside others on one kernel, so no try may change
 * what is not the probe's own: a file is opened and never written, a clock is
 * set to what no clock can be, and what must have its real arguments is run in
 * namespaces or on memory of its own, or is never executed (see trace.c).
 *
 * It uses no C library, so that the only system calls are those it asks for:
 * under SystemCallFilter= nothing may be called behind its back.
 *
 * Limitations: x86-64 only, with the calls of i386 and x32 from there.
 */
#ifndef PROBE_H
#define PROBE_H

#include <asm/unistd.h>
#include <linux/errno.h>
#include <stddef.h>

/* Constants newer than the oldest headers we build with. */
#define NR_FCHMODAT2 452
#define NR_LAST 470 /* one more than the newest system call known */

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* System calls of the three ABIs; each returns the negated errno. (calls.c) */
long call6(long nr, long a, long b, long c, long d, long e, long f);
long call_i386(long nr, long a, long b, long c, long d, long e, long f);
#define call(nr, ...) CALL_(nr __VA_OPT__(,) __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(nr, a, b, c, d, e, f, ...) \
	call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define AT_CWD (-100)
long fork_process(void);           /* by clone, fork or vfork: what is not filtered */
long open_file(const char *path, long flags, long mode);
long read_file(const char *path, char *buffer, size_t size); /* bytes, ended by 0 */
long random_number(void);
long fork_waiting(long user, int *release); /* a child that ends when *release is closed */

/* Text without a C library. (text.c) */
size_t length(const char *s);
int equal(const char *a, const char *b);
int begins(const char *s, const char *prefix);
const char *find(const char *s, const char *what); /* or NULL */
char *append(char *to, const char *s);             /* returns the new end */
char *append_number(char *to, long n);
char *append_hex(char *to, unsigned long n);
const char *join(const char *a, const char *b);    /* kept for ever */
const char *errno_name(long negated, char *buffer);

/* What is printed. (output.c) */
void put(const char *s);
void put_number(long n);
void put_line(const char *name, const char *value);          /* NAME<TAB>VALUE */
void put_result(const char *name, long result);              /* ok or an errno */
void put_value(const char *name, char kind, const char *value);
void flush(void);

/* A try. Its function returns 0 or more, or the negated errno. */
struct try {
	const char *name;
	long (*run)(const struct try *);
	const char *path;
	long a, b;
	long reached; /* an errno that tells that all checks were passed; 0: none */
	int shares;   /* it leaves its process as it was, but for open files */
};

/* Tries, each in a process that the ones before it did not spoil. (tries.c) */
void add(const struct try *list, size_t count);
void add_try(const char *name, long (*run)(const struct try *), const char *path, long a, long b, long reached);
void add_open(const char *name, long (*run)(const struct try *), const char *path, long a, long b, long reached); /* it shares */
void run_tries(void);

/* Each adds its tries. */
void add_files(void);        /* files.c */
void add_devices(void);      /* devices.c */
void add_tunables(void);     /* tunables.c */
void add_capabilities(void); /* capabilities.c */
void add_credentials(void);  /* credentials.c */
void add_namespaces(void);   /* namespaces.c */
void add_mounts(void);       /* mounts.c */
void add_sockets(void);      /* sockets.c */
void add_memory(void);       /* memory.c */
void add_kernel(void);       /* kernel.c */

void print_state(void);                    /* state.c */
void print_environment(char **environment); /* environment.c */
void print_namespaces(char **host);

/* System calls that are not executed: what the filters say of them. (trace.c) */
enum abi { X86_64, I386, X32 };
struct traced {
	const char *name; /* NULL: the number's */
	enum abi abi;
	long nr;
	long args[6];
};
void trace_calls(void);
size_t list_calls(struct traced *list, size_t room); /* arguments.c */

#endif
