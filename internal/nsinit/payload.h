// What a process does between its fork and its exec, when nothing of Go may run
// in it any more.

#include <linux/filter.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct limit {
	int resource;
	struct rlimit value;
};

// The steps, for messages. payload.go names them.
enum step { STEP_NONE, SESSION, TERMINAL, LIMIT, USER, KEYRING, CAPABILITIES, SCHEDULER, TRAP, FILTER, EXEC };

struct payload {
	const char *path;
	char **argv, **envp;
	int terminal; // -1: none
	int hold;     // stop at the exec, as a tracee of the parent
	int ignore_sigpipe;

	struct limit *limits;
	size_t nlimits;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t ngroups;
	int keyring; // 0: a new one, 1: and the user's in it
	uint64_t ambient;
	uint32_t securebits;
	int no_new_privs;
	int reset_on_fork;

	struct sock_fprog *filters;
	unsigned *filter_flags;
	size_t nfilters;
	struct sock_fprog *trap; // NULL: none
	unsigned trap_flags;

	// What went wrong, in the order in which it is written.
	int step;
	volatile int error; // errno
};

// payload_spawn forks and executes. It returns the PID once the exec has
// succeeded, else -1 with step and error.
pid_t payload_spawn(struct payload *p);

// payload_become executes in this process. Where it returns, step and error say
// why; where filters were set already it doesn't return, since Go can't run
// under them: another thread has to look at error.
void payload_become(struct payload *p);
