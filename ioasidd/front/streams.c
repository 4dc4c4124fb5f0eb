/* SPDX-License-Identifier: Apache-2.0
 *
 * streams.c - requests that are answered many times: watches of changes
 */
#include "front/streams.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "front/contract.h"
#include "front/events.h"

#define ALL_COLLECTIONS ((1u << CHANGE_COLLECTION_COUNT) - 1)

/**
 * enum outcome - What has come of the attempt to send one item
 * @SENT:	It was sent, or was not for this stream; go on
 * @CAUGHT_UP:	There is none
 * @WAITS:	The client takes none now
 * @FAILED:	The stream is to be ended with an error
 */
enum outcome {
	SENT,
	CAUGHT_UP,
	WAITS,
	FAILED,
};

/**
 * ring() - Let the loop look at all streams
 * @data:	The front; from any thread, under the registry's lock
 *
 * A counter that is full says it, too.
 */
static void ring(void *data)
{
	const struct front *front = data;
	const uint64_t one = 1;

	if (write(front->bell, &one, sizeof(one)) < 0)
		return;
}

/**
 * find_change() - The change that is next for a stream
 * @request:	The stream
 * @ret:	A packet that tells of it; NULL if it is not for this stream
 * @ret_revision: Of the change
 *
 * Return: SENT if there is one; CAUGHT_UP; FAILED with @err filled.
 */
static enum outcome find_change(const struct request *request,
				struct packet **ret, uint64_t *ret_revision,
				struct error *err)
{
	struct registry *reg = request->front->host->registry;
	const struct logged *entry = NULL;
	int r;

	*ret = NULL;
	registry_lock(reg);
	r = changes_next(&reg->changes, request->revision, &entry);
	if (r == 0 && entry) {
		*ret_revision = entry->revision;
		if (!request->blocked &&
		    (request->collections & 1u << entry->collection))
			r = event_packet(reg, request->id, entry,
					 &request->client->caller, ret);
	}
	registry_unlock(reg);

	if (r == -ESTALE)
		error_set(err, r, ERROR_WATCH_SLOW,
			  "the changes after revision %" PRIu64 ", the last that was sent, are not kept any more",
			  request->revision);
	else if (r < 0)
		error_set(err, r, ERROR_DAEMON_NO_MEMORY,
			  "no memory for the change after revision %" PRIu64,
			  request->revision);
	return r < 0 ? FAILED : entry ? SENT : CAUGHT_UP;
}

/**
 * send_one() - Send the next item of a stream if its client can take it
 * @request:	The stream; its client may be closed afterwards
 */
static enum outcome send_one(struct request *request, struct error *err)
{
	struct client *client = request->client;
	struct packet *packet;
	uint64_t revision = 0;
	enum outcome r;

	if (!request->blocked && !client_ready(client))
		request->blocked = true;
	r = find_change(request, &packet, &revision, err);
	if (r != SENT)
		return r;
	if (request->blocked)
		return WAITS;
	if (packet && !request->credit) {
		free(packet);
		return WAITS;
	}
	request->revision = revision;
	if (packet) {
		request->credit--;
		client_send_consume(client, packet);
	}
	return SENT;
}

/**
 * pump() - Send what a stream's client can take, up to its turn
 * @request:	The stream; may be freed
 *
 * Return: true if there is more that could be sent at once.
 */
static bool pump(struct request *request)
{
	struct client *client = client_ref(request->client);
	struct error err = ERROR_NULL;
	enum outcome r = SENT;
	int i;

	/* A client that is closed has no request any more. */
	for (i = 0; i < STREAM_ITEMS_PER_ROUND && r == SENT && client->user;
	     i++)
		r = send_one(request, &err);
	if (r == FAILED && client->user)
		request_refuse(request, &err);
	client_unref(client);
	return r == SENT;
}

/**
 * pump_all() - Let all streams, or those of one client, have their turn
 * @front:	The front
 * @client:	Whose; NULL for all
 *
 * Sending may close clients, and so end other streams: the cursor steps over
 * those.
 */
static void pump_all(struct front *front, const struct client *client)
{
	bool more = false;

	front->stream_cursor = front->streams;
	while (front->stream_cursor) {
		struct request *request = front->stream_cursor;

		front->stream_cursor = request->next_wait;
		if (!client || request->client == client)
			more |= pump(request);
	}
	if (more)
		ring(front);
}

/**
 * rung() - There are changes
 * @data:	The front
 * @events:	Not of interest
 *
 * What is entered from here on rings again.
 */
static void rung(void *data, uint32_t events)
{
	struct front *front = data;
	struct registry *reg = front->host->registry;
	uint64_t n;

	if (read(front->bell, &n, sizeof(n)) < 0)
		return;
	registry_lock(reg);
	front->observer.wanted = front->streams;
	registry_unlock(reg);
	pump_all(front, NULL);
}

/* streams_start() - Begin to keep a log of changes */
int streams_start(struct front *front, struct error *err)
{
	struct registry *reg = front->host->registry;
	int r;

	front->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (front->bell < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "eventfd: %m");
	r = loop_watch(front->host->loop, front->bell, EPOLLIN, rung, front,
		       &front->bell_source);
	if (r < 0) {
		front->bell = fd_close(front->bell);
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
				 "no memory for watches");
	}
	front->observer = (struct registry_observer){
		.write = event_write,
		.entered = ring,
		.data = front,
	};
	registry_lock(reg);
	registry_observe(reg, &front->observer);
	registry_unlock(reg);
	return 0;
}

/* streams_stop() - Nobody is told any more */
void streams_stop(struct front *front)
{
	struct registry *reg = front->host->registry;

	if (!front->bell_source)
		return;
	registry_lock(reg);
	registry_observe(reg, NULL);
	registry_unlock(reg);
	front->bell_source = loop_unwatch(front->bell_source);
	front->bell = fd_close(front->bell);
}

/**
 * check_limits() - Is there room for one more stream?
 * @request:	Attached
 *
 * Return: 0; -EAGAIN limit.watchers.
 */
static int check_limits(const struct request *request, struct error *err)
{
	if (request->user->n_streams >= request->front->limits.watchers_per_uid)
		return error_set(err, -EAGAIN, ERROR_LIMIT_WATCHERS,
				 "%s has %u watches already",
				 request->user->principal,
				 request->user->n_streams);
	if (request->front->n_streams >= STREAMS_MAX)
		return error_set(err, -EAGAIN, ERROR_LIMIT_WATCHERS,
				 "there are %d watches already", STREAMS_MAX);
	return 0;
}

/**
 * take_collections() - Read which collections a stream is of
 * @request:	The stream
 *
 * Return: 0; -EINVAL request.invalid.
 */
static int take_collections(struct request *request, struct error *err)
{
	const pb_watch *in = (const void *)request->input;

	for (size_t i = 0; i < in->n_collections; i++) {
		int c = change_collection_from_name(in->collections[i]);

		if (c < 0)
			return error_set(err, c, ERROR_REQUEST_INVALID,
					 "field collections: devices, groups, iommus, leases and operations can be watched");
		request->collections |= 1u << c;
	}
	if (!in->n_collections)
		request->collections = ALL_COLLECTIONS;
	return 0;
}

/**
 * take_revision() - Find where a stream begins, and ask to hear of changes
 * @request:	The stream
 *
 * Return: 0; -ESTALE watch.expired.
 */
static int take_revision(struct request *request, struct error *err)
{
	const pb_watch *in = (const void *)request->input;
	struct front *front = request->front;
	struct registry *reg = front->host->registry;
	const struct logged *entry;
	uint64_t shown;
	int r = 0;

	registry_lock(reg);
	shown = reg->shown;
	request->revision = in->revision ? in->revision : shown;
	if (request->revision > shown)
		r = -ESTALE;
	else
		r = changes_next(&reg->changes, request->revision, &entry);
	if (r == 0)
		front->observer.wanted = true;
	registry_unlock(reg);

	if (r == 0)
		return 0;
	return error_set(err, r, ERROR_WATCH_EXPIRED, in->revision > shown ?
			 "revision %" PRIu64 " is later than any of this ioasidd's" :
			 "the changes after revision %" PRIu64 " are not kept any more",
			 in->revision);
}

/* stream_begin() - Begin a watch of changes */
void stream_begin(struct request *request)
{
	struct front *front = request->front;
	struct error err = ERROR_NULL;
	int r;

	request_attach(request);
	request->credit = request->client->stream_credit ?
				  request->client->stream_credit :
				  UINT64_MAX;
	r = check_limits(request, &err);
	if (r == 0)
		r = take_collections(request, &err);
	if (r == 0)
		r = take_revision(request, &err);
	if (r < 0) {
		request_refuse(request, &err);
		return;
	}
	request->stream = true;
	request->user->n_streams++;
	front->n_streams++;
	request->next_wait = front->streams;
	if (request->next_wait)
		request->next_wait->prev_wait = request;
	front->streams = request;
	if (pump(request))
		ring(front);
}

/* stream_forget() - It ends: take it out of the list */
void stream_forget(struct request *request)
{
	struct front *front = request->front;

	if (!request->stream)
		return;
	request->stream = false;
	request->user->n_streams--;
	front->n_streams--;
	if (front->stream_cursor == request)
		front->stream_cursor = request->next_wait;
	if (request->prev_wait)
		request->prev_wait->next_wait = request->next_wait;
	else
		front->streams = request->next_wait;
	if (request->next_wait)
		request->next_wait->prev_wait = request->prev_wait;
}

/* stream_credit() - Its client takes so many more items. What is more than all
 * that could ever be kept is no better than that.
 */
void stream_credit(struct request *request, uint32_t items)
{
	if (!request->client->stream_credit)
		return;
	request->credit += items;
	if (request->credit > CHANGES_MAX)
		request->credit = CHANGES_MAX;
	if (pump(request))
		ring(request->front);
}

/* streams_drained() - A client can take more bytes */
void streams_drained(struct front *front, struct client *client)
{
	for (struct request *one = front->streams; one; one = one->next_wait)
		if (!client || one->client == client)
			one->blocked = false;
	pump_all(front, client);
}
