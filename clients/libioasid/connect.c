/* SPDX-License-Identifier: Apache-2.0
 *
 * connect.c - reach the daemon, and part from it
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/str.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"

/* ioasid_version() - See ioasid.h. */
const char *ioasid_version(void)
{
	return IOASIDD_VERSION;
}

/**
 * unreachable() - Say that the daemon cannot be reached
 * @err:	May be NULL
 * @errnum:	errno, positive
 * @path:	Its socket
 *
 * Return: -@errnum.
 */
static int unreachable(struct ioasid_error *err, int errnum, const char *path)
{
	(void)fail_set(err, -errnum, IOASID_ERROR_UNREACHABLE,
		       "cannot reach ioasidd at %s: %m", path);
	if (errnum == ENOENT || errnum == ECONNREFUSED)
		fail_remedy(err, "start it (systemctl start ioasidd), or name "
				 "its socket");
	return -errnum;
}

/**
 * connect_to() - Connect, within the time given
 * @sock:	A socket, blocking
 * @path:	Where to
 * @timeout_ms:	-1 for no limit
 *
 * A connect(2) to a UNIX socket waits only while the listener's queue is full,
 * and its limit is the one for sending.
 *
 * Return: 0 or -errno.
 */
static int connect_to(int sock, const char *path, int timeout_ms)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval tv;

	if (!str_copy(addr.sun_path, sizeof(addr.sun_path), path))
		return -ENAMETOOLONG;
	if (timeout_ms >= 0) {
		/* 0 would mean no limit to the kernel. */
		tv.tv_sec = timeout_ms / 1000;
		tv.tv_usec = timeout_ms % 1000 * 1000 + 1;
		if (setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv,
			       sizeof(tv)) < 0)
			return -errno;
	}
	while (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (errno == EAGAIN)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* ioasid_connect() - See ioasid.h. */
int ioasid_connect(const char *path, int timeout_ms, struct ioasid **ret,
		   struct ioasid_error *err)
{
	_cleanup_fd_ int sock = -1;
	int r;

	if (!path)
		path = IOASID_DEFAULT_SOCKET;
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fail_set(err, -errno, IOASID_ERROR_UNREACHABLE,
				"making a socket: %m");
	r = connect_to(sock, path, timeout_ms);
	if (r == -ETIMEDOUT)
		return fail_set(err, r, IOASID_ERROR_TIMEOUT,
				"ioasidd at %s did not answer in time", path);
	if (r < 0)
		return unreachable(err, -r, path);

	return channel_start(TAKE_FD(sock), timeout_ms, ret, err);
}

/* ioasid_disconnect() - See ioasid.h. */
struct ioasid *ioasid_disconnect(struct ioasid *conn)
{
	if (conn) {
		(void)fd_close(conn->fd);
		free(conn->buf);
		free(conn);
	}
	return NULL;
}

/* ioasid_hello() - See ioasid.h. */
const struct ioasid_hello *ioasid_hello(const struct ioasid *conn)
{
	return &conn->hello;
}

/* ioasid_set_timeout() - See ioasid.h. */
void ioasid_set_timeout(struct ioasid *conn, int timeout_ms)
{
	conn->timeout_ms = timeout_ms < 0 ? -1 : timeout_ms;
}
