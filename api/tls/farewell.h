/* SPDX-License-Identifier: Apache-2.0
 *
 * farewell.h - sockets whose last words are still on their way
 *
 * A TCP socket that is closed with something unread resets the connection, and
 * what was written last (an alert that says why, the end of an answer) is lost
 * at the client. So it is only told that we are done, and closed when the
 * client is, too, or has had its time.
 */
#ifndef API_TLS_FAREWELL_H
#define API_TLS_FAREWELL_H

#include <stddef.h>

#include "base/loop.h"

/* For how long, for how many bytes, for how many sockets: then it is closed. */
#define FAREWELL_MS 2000
#define FAREWELL_BYTES 1048576
#define FAREWELL_MAX 64

struct farewell;

/**
 * struct farewells - Those of one server
 * @first:	The newest
 * @n:		How many
 */
struct farewells {
	struct farewell *first;
	size_t n;
};

/* farewell_consume() - Take a socket's farewell; the oldest ends for it if
 * there are too many.
 */
void farewell_consume(struct farewells *all, struct loop *loop, int fd);

/* farewells_end() - Close all. */
void farewells_end(struct farewells *all);

#endif
