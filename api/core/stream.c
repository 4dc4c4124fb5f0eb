/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c - the bytes of a connection as they are
 */
#include "core/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"

/**
 * struct plain - A socket as it is
 * @stream:	What its user sees; first
 * @fd:		The socket
 * @source:	Watches it
 */
struct plain {
	struct stream stream;
	int fd;
	struct loop_source *source;
};

/**
 * plain_read() - Read bytes; see struct stream_ops
 * @stream:	The stream
 * @buffer:	Where they go
 * @size:	Room there
 */
static ssize_t plain_read(struct stream *stream, void *buffer, size_t size)
{
	struct plain *plain = (struct plain *)stream;
	ssize_t n = recv(plain->fd, buffer, size, MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

/**
 * plain_write() - Write bytes; see struct stream_ops
 * @stream:	The stream
 * @data:	The bytes
 * @size:	How many
 */
static ssize_t plain_write(struct stream *stream, const void *data, size_t size)
{
	struct plain *plain = (struct plain *)stream;
	ssize_t n = send(plain->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

/**
 * plain_want_write() - Hear of room to write; see struct stream_ops
 * @stream:	The stream
 * @want:	Whether
 */
static void plain_want_write(struct stream *stream, bool want)
{
	struct plain *plain = (struct plain *)stream;

	loop_want(plain->source, want ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/**
 * plain_close() - Close and free; see struct stream_ops
 * @stream:	The stream
 */
static void plain_close(struct stream *stream)
{
	struct plain *plain = (struct plain *)stream;

	loop_unwatch(plain->source);
	(void)fd_close(plain->fd);
	free(plain);
}

static const struct stream_ops plain_ops = {
	.read = plain_read,
	.write = plain_write,
	.want_write = plain_want_write,
	.close = plain_close,
};

/**
 * plain_ready() - Something is the matter with the socket
 * @data:	The stream
 * @events:	Unused: reading and writing say it
 */
static void plain_ready(void *data, uint32_t events)
{
	struct plain *plain = data;

	if (plain->stream.ready)
		plain->stream.ready(plain->stream.data);
}

/* stream_plain_consume() - A socket as it is */
int stream_plain_consume(struct loop *loop, int fd, struct stream **ret)
{
	_cleanup_fd_ int sock = fd;
	struct plain *plain = calloc(1, sizeof(*plain));
	int r;

	if (!plain)
		return -ENOMEM;
	plain->stream.ops = &plain_ops;
	r = loop_watch(loop, sock, EPOLLIN, plain_ready, plain,
		       &plain->source);
	if (r < 0) {
		free(plain);
		return r;
	}
	plain->fd = TAKE_FD(sock);
	*ret = &plain->stream;
	return 0;
}
