/* SPDX-License-Identifier: Apache-2.0
 *
 * link.c - how ioasidd-sim reaches its machine
 */
#include "kernel/sim/link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

/* link_connect() - Connect to the machine
 *
 * By the folder's descriptor: its path may be too long for an address.
 */
int link_connect(int dir, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = -1;

	(void)str_format(address.sun_path, sizeof(address.sun_path),
			 "/proc/self/fd/%d/" CONTROL_SOCKET, dir);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* link_send() - Send a request */
int link_send(int fd, enum control_op op, struct control_request *request)
{
	request->magic = CONTROL_MAGIC;
	request->op = op;

	return fd_send(fd, request, sizeof(*request), NULL, 0);
}

/**
 * wait_readable() - Wait until something comes
 * @fd:		The connection
 * @deadline_ns: CLOCK_MONOTONIC; 0 for none
 *
 * Return: 0; -ETIMEDOUT.
 */
static int wait_readable(int fd, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		uint64_t now = clock_mono_ns(), ms;

		/* Round up: a last millisecond is waited for, not spun. */
		ms = now < deadline_ns ? (deadline_ns - now + 999999) / 1000000
				       : 0;
		if (poll(&p, 1, !deadline_ns ? -1 :
			 ms > INT32_MAX ? INT32_MAX : (int)ms) > 0)
			return 0;
		if (deadline_ns && clock_mono_ns() >= deadline_ns)
			return -ETIMEDOUT;
	}
}

/* link_receive() - Receive an answer */
int link_receive(int fd, uint64_t deadline_ns, struct control_reply *ret,
		 int *ret_fd)
{
	_cleanup_fd_ int got = -1;
	size_t n_fds = 0;
	ssize_t n;
	int r;

	r = wait_readable(fd, deadline_ns);
	if (r < 0)
		return r;
	n = fd_receive(fd, ret, sizeof(*ret), &got, 1, ret_fd ? &n_fds : NULL);
	if (n == 0)
		return -ECONNRESET;
	if (n < 0)
		return (int)n;
	if (n != sizeof(*ret) || ret->magic != CONTROL_MAGIC)
		return -EPROTO;

	if (ret_fd)
		*ret_fd = TAKE_FD(got);
	return 0;
}

/* link_read_memory() - Read what came as a memfd */
int link_read_memory(int fd, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	struct stat st;
	size_t have = 0;

	if (fstat(fd, &st))
		return -errno;
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	while (have < (size_t)st.st_size) {
		ssize_t n = pread(fd, data + have, (size_t)st.st_size - have,
				  (off_t)have);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		have += (size_t)n;
	}
	data[have] = '\0';

	*ret = TAKE_PTR(data);
	*ret_size = have;
	return 0;
}
