/* SPDX-License-Identifier: Apache-2.0
 *
 * notify.c - what the service manager is told, by sd_notify(3)'s protocol
 */
#include "base/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define SEND_TIMEOUT_MS 1000

/**
 * manager_address() - Where the manager listens
 * @name:	$NOTIFY_SOCKET
 * @ret:	Its address
 *
 * A path may fill sun_path without a NUL; an abstract name has its length.
 *
 * Return: length of the address; 0 if it is none.
 */
static socklen_t manager_address(const char *name, struct sockaddr_un *ret)
{
	size_t n = strlen(name);

	if (n < 2 || n > sizeof(ret->sun_path) ||
	    (name[0] != '/' && name[0] != '@'))
		return 0;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, name, n);
	if (name[0] == '@')
		ret->sun_path[0] = '\0';

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

/* notify_send() - Tell the service manager */
int notify_send(const char *state)
{
	return notify_send_fd(state, -1);
}

/* notify_send_fd() - Tell the service manager, and hand it a descriptor */
int notify_send_fd(const char *state, int fd)
{
	const char *name = getenv("NOTIFY_SOCKET");
	_cleanup_fd_ int sock = -1;
	struct sockaddr_un address;
	struct pollfd writable;
	socklen_t size;
	int r;

	if (!name || !*name)
		return 0;
	size = manager_address(name, &address);
	if (!size)
		return -EINVAL;

	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (connect(sock, (struct sockaddr *)&address, size))
		return -errno;

	r = fd_send(sock, state, strlen(state), &fd, fd >= 0);
	if (r == -EAGAIN) {
		writable = (struct pollfd){ .fd = sock, .events = POLLOUT };
		(void)poll(&writable, 1, SEND_TIMEOUT_MS); /* the send tells */
		r = fd_send(sock, state, strlen(state), &fd, fd >= 0);
	}

	return r < 0 ? r : 1;
}

/**
 * notify_barrier() - Wait until the manager has dealt with all it was told
 *
 * The manager closes the write end of a pipe when it comes to the message; we
 * must not hold one ourselves by then.
 */
int notify_barrier(int timeout_ms)
{
	_cleanup_fd_ int read_end = -1, write_end = -1;
	struct pollfd closed;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC))
		return -errno;
	read_end = p[0];
	write_end = p[1];

	r = notify_send_fd("BARRIER=1", write_end);
	if (r <= 0)
		return r;
	write_end = fd_close(write_end);

	closed = (struct pollfd){ .fd = read_end };
	do {
		r = poll(&closed, 1, timeout_ms);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;

	return r ? 1 : -ETIMEDOUT;
}
