/* SPDX-License-Identifier: Apache-2.0
 *
 * streams.h - requests that are answered many times: watches of changes
 *
 * DOC: Theory of Operation
 *
 * A stream is a cursor into the log of changes (model/changes.h) and nothing is
 * kept for it: an item is made of the log when its client can take it, which is
 * when its socket has room and, for a client of ioasid-api, when that has given
 * credit for it. So a reader that is slow costs nothing but the log that there
 * is anyway; when what it needs is not kept any more the stream ends with
 * watch.slow, and when it is there again it goes on from where it was.
 *
 * Who publishes a change writes to an eventfd; the loop then looks at all
 * streams, a few items of each in turn.
 *
 * What a caller may see is decided for each change when it is sent, of whom the
 * object was for at that revision, not of what it has become since: one who may
 * not see a device is not told of it later, either. An object that was his until
 * then and is not any more is sent as removed, once.
 *
 * All of it is the loop thread's.
 */
#ifndef IOASIDD_FRONT_STREAMS_H
#define IOASIDD_FRONT_STREAMS_H

#include "front/request.h"

/* Streams at once in all; of one uid, see limits.h. */
#define STREAMS_MAX 256

/* Items of one stream before the others have their turn. */
#define STREAM_ITEMS_PER_ROUND 32

/**
 * streams_start() - Begin to keep a log of changes
 *
 * Return: 0 or -errno.
 */
int streams_start(struct front *front, struct error *err);

/* streams_stop() - Nobody is told any more; all clients are closed. Nothing is
 * done if it was not started.
 */
void streams_stop(struct front *front);

/**
 * stream_begin() - Begin a watch of changes
 * @request:	Its input is a WatchEventsRequest; the front's, or freed
 */
void stream_begin(struct request *request);

/* stream_forget() - It ends: take it out of the list; nothing is done if it is
 * no stream.
 */
void stream_forget(struct request *request);

/* stream_credit() - Its client takes so many more items. */
void stream_credit(struct request *request, uint32_t items);

/* streams_drained() - A client can take more bytes; NULL for all that could
 * not.
 */
void streams_drained(struct front *front, struct client *client);

#endif
