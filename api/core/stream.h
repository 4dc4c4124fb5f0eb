/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h - the bytes of a connection, plain or through TLS
 *
 * What speaks HTTP/2 reads and writes one of these and does not know which it
 * is. Nothing blocks. All of it runs on the loop's thread.
 */
#ifndef API_CORE_STREAM_H
#define API_CORE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"

struct stream;

/**
 * struct stream_ops - How a stream does it
 * @read:	Up to @size bytes: how many; 0 at the end; -EAGAIN; -errno
 * @write:	As many as it takes: how many; -EAGAIN; -errno
 * @want_write:	Call @ready also when it can be written to
 * @close:	Say farewell if that can be done at once, close and free
 */
struct stream_ops {
	ssize_t (*read)(struct stream *stream, void *buffer, size_t size);
	ssize_t (*write)(struct stream *stream, const void *data, size_t size);
	void (*want_write)(struct stream *stream, bool want);
	void (*close)(struct stream *stream);
};

/**
 * struct stream - A connection's bytes; the head of what implements it
 * @ops:	How
 * @ready:	Something can be read or, if wanted, written, or it is over; set
 *		by its user with @data. It may close the stream.
 * @data:	For @ready
 *
 * After @read has given bytes there may be more that no poll will tell of (TLS
 * has decoded them): its user reads until -EAGAIN.
 */
struct stream {
	const struct stream_ops *ops;
	void (*ready)(void *data);
	void *data;
};

/**
 * stream_plain_consume() - A socket as it is
 * @fd:		Does not block; closed in any case
 *
 * Return: 0 or -errno.
 */
int stream_plain_consume(struct loop *loop, int fd, struct stream **ret);

#endif
