/* SPDX-License-Identifier: Apache-2.0
 *
 * framing.c - gRPC's messages in a stream of bytes
 */
#include "grpc/framing.h"

#include <stdlib.h>
#include <string.h>

/* The first piece of memory for a message. */
#define ROOM_MIN 256

/* message_size() - How long the message is, by its prefix. */
static size_t message_size(const struct framing *framing)
{
	const uint8_t *p = framing->prefix;

	return (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 |
	       p[4];
}

/**
 * check_prefix() - See whether the message is one that we take
 * @framing:	With a whole prefix
 */
static int check_prefix(const struct framing *framing, struct error *err)
{
	size_t size = message_size(framing);

	if (framing->prefix[0] == 1)
		return error_set(err, -EOPNOTSUPP, ERROR_REQUEST_COMPRESSED,
				 "the message is compressed");
	if (framing->prefix[0])
		return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED,
				 "a message begins with the flags 0x%02x",
				 framing->prefix[0]);
	if (size > framing->limit)
		return error_set(err, -EMSGSIZE, ERROR_REQUEST_TOO_LARGE,
				 "the message has %zu bytes, %zu are allowed",
				 size, framing->limit);
	return 0;
}

/**
 * grow() - Have room for more of the message
 * @framing:	The message
 * @need:	How much there is to be in all
 */
static int grow(struct framing *framing, size_t need, struct error *err)
{
	size_t room = framing->room ? framing->room : ROOM_MIN;
	uint8_t *data;

	if (need <= framing->room)
		return 0;
	while (room < need)
		room *= 2;
	if (room > message_size(framing))
		room = message_size(framing);
	if (room - framing->room > *framing->budget)
		return error_set(
			err, -ENOBUFS, ERROR_LIMIT_REQUESTS,
			"the requests of this connection that have not ended are too long together");
	data = realloc(framing->data, room);
	if (!data)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the request");
	*framing->budget -= room - framing->room;
	framing->data = data;
	framing->room = room;
	return 0;
}

/* take_prefix() - Take bytes of the prefix. */
static void take_prefix(struct framing *framing, const uint8_t **data,
			size_t *size)
{
	size_t n = FRAMING_PREFIX - framing->n_prefix;

	if (n > *size)
		n = *size;
	memcpy(framing->prefix + framing->n_prefix, *data, n);
	framing->n_prefix += n;
	*data += n;
	*size -= n;
}

/* framing_take() - Take bytes of a message */
int framing_take(struct framing *framing, const uint8_t **data, size_t *size,
		 struct error *err)
{
	size_t n;
	int r;

	if (framing->n_prefix < FRAMING_PREFIX && *size) {
		take_prefix(framing, data, size);
		if (framing->n_prefix < FRAMING_PREFIX)
			return 0;
		r = check_prefix(framing, err);
		if (r < 0)
			return r;
	}
	if (framing->n_prefix < FRAMING_PREFIX)
		return 0;

	n = message_size(framing) - framing->have;
	if (n > *size)
		n = *size;
	if (n) {
		r = grow(framing, framing->have + n, err);
		if (r < 0)
			return r;
		memcpy(framing->data + framing->have, *data, n);
		framing->have += n;
		*data += n;
		*size -= n;
	}
	framing->whole = framing->have == message_size(framing);
	return 0;
}

/* framing_reset() - Forget the message; what follows is another */
void framing_reset(struct framing *framing)
{
	if (framing->budget)
		*framing->budget += framing->room;
	free(framing->data);
	framing->data = NULL;
	framing->have = 0;
	framing->room = 0;
	framing->n_prefix = 0;
	framing->whole = false;
}

/* framing_write() - The five bytes before a message that we send */
void framing_write(size_t size, uint8_t dst[FRAMING_PREFIX])
{
	dst[0] = 0;
	dst[1] = (uint8_t)(size >> 24);
	dst[2] = (uint8_t)(size >> 16);
	dst[3] = (uint8_t)(size >> 8);
	dst[4] = (uint8_t)size;
}
