/* SPDX-License-Identifier: Apache-2.0
 *
 * pump.h - carries the bytes of a TLS session to and from a plain socket
 *
 * What speaks HTTP/1.1 knows sockets only: it gets one end of a socketpair. In
 * each direction at most PUMP_BUFFER bytes wait here; who does not read is not
 * read from. The end of one direction is passed on when what came before it has
 * been; the other goes on.
 */
#ifndef API_TLS_PUMP_H
#define API_TLS_PUMP_H

#include <stdint.h>

#include "base/loop.h"
#include "core/stream.h"

#define PUMP_BUFFER 65536

/* A client is to take so many bytes, or all there are, in its time. */
#define PUMP_STEP 16384

struct pump;

/**
 * pump_new_consume() - Carry a session's bytes
 * @stream:	A session's; closed in any case
 * @stuck_ms:	How long a client may take for PUMP_STEP bytes
 * @over:	It has ended by itself, and is gone after the call. Its session
 *		is closed, then
 * @data:	For @over
 * @ret:	Ends with pump_free()
 * @ret_fd:	Its other end, which does not block; the caller's
 *
 * Return: 0 or -errno.
 */
int pump_new_consume(struct loop *loop, struct stream *stream,
		     uint32_t stuck_ms, void (*over)(void *data), void *data,
		     struct pump **ret, int *ret_fd);

/* pump_free() - Close both ends; NULL is allowed. Return: NULL. */
struct pump *pump_free(struct pump *pump);

#endif
