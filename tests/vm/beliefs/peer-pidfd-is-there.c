/* SPDX-License-Identifier: Apache-2.0
 *
 * SO_PEERPIDFD gives a pidfd of the process at the other end
 *
 * So a peer is held on to without a moment in which its pid could be recycled.
 */
#include "belief.h"

#include <sys/socket.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int main(void)
{
	int ends[2], pidfd = -1;
	socklen_t size = sizeof(pidfd);
	char path[64], text[4096];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		broken("socketpair: %s", strerror(errno));
	believe("SO_PEERPIDFD",
		getsockopt(ends[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size)
		? -errno : 0, 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	need("read fdinfo", try_read(path, text, sizeof(text)));
	if (!(fcntl(pidfd, F_GETFD) & FD_CLOEXEC))
		changed("the pidfd is not close-on-exec");

	return 0;
}
