/* SPDX-License-Identifier: Apache-2.0
 *
 * framing.h - gRPC's messages in a stream of bytes
 *
 * Before each message come five bytes: whether it is compressed, and how long
 * it is. What is kept of a message grows as its bytes come: a length alone
 * costs nothing.
 */
#ifndef API_GRPC_FRAMING_H
#define API_GRPC_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define FRAMING_PREFIX 5

/**
 * struct framing - A message that is being received
 * @limit:	The longest one
 * @budget:	What all of a connection may keep, bytes; less what they keep
 * @prefix:	The five bytes
 * @n_prefix:	How many of them are there
 * @data:	The message, as far as it has come
 * @have:	How much of it
 * @room:	At @data
 * @whole:	All of it is there
 */
struct framing {
	size_t limit;
	size_t *budget;
	uint8_t prefix[FRAMING_PREFIX];
	size_t n_prefix;
	uint8_t *data;
	size_t have;
	size_t room;
	bool whole;
};

/**
 * framing_take() - Take bytes of a message
 * @framing:	Not whole
 * @data:	What has come
 * @size:	Of @data; what was not used is left
 *
 * Return: 0; -EOPNOTSUPP request.compressed; -EMSGSIZE request.too-large;
 * -EBADMSG request.malformed; -ENOBUFS limit.requests: the budget is not
 * enough; -ENOMEM daemon.no-memory.
 */
int framing_take(struct framing *framing, const uint8_t **data, size_t *size,
		 struct error *err);

/* framing_started() - Has any byte of a message come? */
static inline bool framing_started(const struct framing *framing)
{
	return framing->n_prefix > 0;
}

/* framing_reset() - Forget the message; what follows is another. */
void framing_reset(struct framing *framing);

/* framing_write() - The five bytes before a message of @size that we send. */
void framing_write(size_t size, uint8_t dst[FRAMING_PREFIX]);

#endif
