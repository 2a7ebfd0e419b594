// Messages from C, as conn.go has them.

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { SOCKET = 3, MAX_FILES = 16 }; // as in conn.go

// send_message sends a text with descriptors, at most MAX_FILES of them.
static inline int send_message(const char *text, const int *files, size_t n) {
	union {
		char space[CMSG_SPACE(MAX_FILES * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec data = {(void *)text, strlen(text)};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
	if (n > 0) {
		message.msg_control = control.space, message.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET, rights->cmsg_type = SCM_RIGHTS, rights->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(rights), files, n * sizeof(int));
	}
	return sendmsg(SOCKET, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}
