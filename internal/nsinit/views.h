// What only a new process can do in namespaces of others.

// open_in opens a context of a file system in the PID namespace that the calling
// thread's children get. It returns a descriptor, or -1 and errno.
int open_in(const char *fstype);

// copy_mounts copies the calling thread's mount namespace for a user namespace,
// which locks what is mounted. It returns a descriptor of the copy, or -1 and errno.
int copy_mounts(int user);
