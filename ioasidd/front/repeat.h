/* SPDX-License-Identifier: Apache-2.0
 *
 * repeat.h - what tells a request that is repeated from a new one
 *
 * DOC: Theory of Operation
 *
 * A change may carry an id (request_id). Who repeats it, since the answer was
 * lost, is answered with what the first one made (ops/). So that an id does not
 * stand for two wishes, what is made keeps the fingerprint of its request, too:
 * a hash of all of it but the id, the etag and dry_run. Those say under which
 * conditions something is wanted, not what.
 *
 * A repeated request that comes while the first is with a worker has nothing to
 * be compared with yet: it stays in the queue (queue.c) until that is done.
 */
#ifndef IOASIDD_FRONT_REPEAT_H
#define IOASIDD_FRONT_REPEAT_H

#include "front/methods.h"
#include "model/lease.h"

/* repeat_id() - The id that a request carries; "" if none, or it has no such
 * field.
 */
const char *repeat_id(const ProtobufCMessage *input);

/**
 * repeat_fingerprint() - Make the fingerprint of a request
 * @call:	Has the request, and memory
 * @ret:	Where it goes; "" for a request without an id
 *
 * The entries of its maps, for which protobuf has no order, are sorted.
 *
 * Return: 0; -ENOMEM daemon.no-memory.
 */
int repeat_fingerprint(const struct call *call, char ret[REQUEST_FINGERPRINT_SIZE],
		       struct error *err);

#endif
