// What enter.c has done before Go starts.

// announce_error is why the launcher did not get its file system contexts: an
// errno, or 0.
extern int announce_error;
