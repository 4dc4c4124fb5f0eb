/* SPDX-License-Identifier: Apache-2.0
 *
 * fake-stream.c - a socket as a stream, until there is a real one
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "core/stream.h"

struct fake {
	struct stream stream;
	struct loop_source *source;
	int fd;
};

static ssize_t fake_read(struct stream *stream, void *buffer, size_t size)
{
	ssize_t n = recv(((struct fake *)stream)->fd, buffer, size, 0);

	return n < 0 ? -errno : n;
}

static ssize_t fake_write(struct stream *stream, const void *data, size_t size)
{
	ssize_t n = send(((struct fake *)stream)->fd, data, size,
			 MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

static void fake_want(struct stream *stream, bool want)
{
	loop_want(((struct fake *)stream)->source,
		  want ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void fake_close(struct stream *stream)
{
	struct fake *fake = (struct fake *)stream;

	loop_unwatch(fake->source);
	(void)fd_close(fake->fd);
	free(fake);
}

static void fake_ready(void *data, uint32_t events)
{
	struct fake *fake = data;

	fake->stream.ready(fake->stream.data);
}

int stream_plain_consume(struct loop *loop, int fd, struct stream **ret)
{
	static const struct stream_ops ops = { fake_read, fake_write, fake_want,
					       fake_close };
	struct fake *fake = calloc(1, sizeof(*fake));

	if (!fake)
		exit(1);
	fake->stream.ops = &ops;
	fake->fd = fd;
	*ret = &fake->stream;
	return loop_watch(loop, fd, EPOLLIN, fake_ready, fake, &fake->source);
}
