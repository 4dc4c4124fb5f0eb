/* SPDX-License-Identifier: Apache-2.0
 *
 * feed.c - streams as server-sent events
 *
 * DOC: Theory of Operation
 *
 * Each reply of a method that streams is one event: its revision as id, so that
 * who connects again can say Last-Event-ID, and its JSON as data. A comment now
 * and then shows both sides that the other is there.
 *
 * The answer begins with the first event, or after LINK_BEGIN_NS: what is
 * refused at once is refused with a status. Later errors are an event of their own, the
 * last one.
 *
 * ioasidd sends LINK_CREDIT items and then one for each that we have handed to
 * libmicrohttpd, which takes no more than its buffer. So a reader who is slow
 * holds up his own stream; one who takes nothing for FEED_STALL_S is cut.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "core/link.h"
#include "rest/private.h"
#include "transcode/problem.h"

#define HEARTBEAT_NS 15000000000ull

/* A comment, the items that ioasidd may send, and the last words. */
#define EVENTS_MAX (LINK_CREDIT + 2)

/**
 * struct event - What waits to be written
 * @text:	In the form of server-sent events
 * @item:	ioasidd may send another one when it is written
 */
struct event {
	struct text text;
	bool item;
};

/**
 * struct feed - A stream
 * @exchange:	Whose answer it is
 * @timer:	Armed for the beginning, then for the next comment
 * @events:	A ring of those that wait
 * @first:	The oldest
 * @n:		How many
 * @at:		Bytes of the oldest that are written
 * @begun:	The answer has begun
 * @over:	Nothing comes after what waits
 */
struct feed {
	struct exchange *exchange;
	struct loop_source *timer;
	struct event events[EVENTS_MAX];
	size_t first;
	size_t n;
	size_t at;
	bool begun;
	bool over;
};

/* --- writing --- */

/**
 * event_done() - The oldest event is written
 * @feed:	The stream
 */
static void event_done(struct feed *feed)
{
	struct event *event = &feed->events[feed->first];

	text_deinit(&event->text);
	if (event->item && feed->exchange->call)
		link_call_more(feed->exchange->call);
	feed->first = (feed->first + 1) % EVENTS_MAX;
	feed->n--;
	feed->at = 0;
}

/**
 * feed_read() - Give libmicrohttpd what it can take
 * @data:	The stream
 * @position:	Unused
 * @buffer:	Where it goes
 * @size:	Room there
 *
 * Return: how many bytes; 0: the connection rests until there are some.
 */
static ssize_t feed_read(void *data, uint64_t position, char *buffer,
			 size_t size)
{
	struct feed *feed = data;
	struct client *client = feed->exchange->client;
	size_t done = 0;

	if (client->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	while (feed->n && done < size) {
		const struct text *text = &feed->events[feed->first].text;
		size_t n = text->size - feed->at;

		if (n > size - done)
			n = size - done;
		memcpy(buffer + done, text->data + feed->at, n);
		done += n;
		feed->at += n;
		if (feed->at == text->size)
			event_done(feed);
	}
	if (done)
		return (ssize_t)done;
	if (feed->over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	client_suspend(client);
	return 0;
}

/**
 * feed_begin() - Begin the answer
 * @feed:	The stream
 */
static void feed_begin(struct feed *feed)
{
	struct client *client = feed->exchange->client;

	feed->begun = true;
	answer_stream(feed->exchange, feed_read, feed);
	client_resume(client);
	loop_arm(feed->timer, clock_mono_ns() + HEARTBEAT_NS);
}

/**
 * feed_put() - Let an event be written
 * @feed:	The stream
 * @text:	It; taken over
 * @item:	See struct event
 *
 * Return: false if ioasidd sends more than it was asked for, or there was no
 * memory.
 */
static bool feed_put(struct feed *feed, struct text *text, bool item)
{
	struct event *event;

	/* The last place is for the last words. */
	if (feed->n >= EVENTS_MAX - (item ? 1 : 0) ||
	    text_error(text, NULL) < 0) {
		text_deinit(text);
		return false;
	}
	event = &feed->events[(feed->first + feed->n++) % EVENTS_MAX];
	event->text = *text;
	event->item = item;
	*text = TEXT_NULL(text->limit);
	if (!feed->begun)
		feed_begin(feed);
	else
		client_resume(feed->exchange->client);
	return true;
}

/**
 * on_timer() - It is time to begin, or to show that we are there
 * @data:	The stream
 *
 * Whoever has something to read needs no comment.
 */
static void on_timer(void *data)
{
	struct feed *feed = data;
	struct text text = TEXT_NULL(64);

	loop_arm(feed->timer, clock_mono_ns() + HEARTBEAT_NS);
	if (feed->n)
		return;
	text_puts(&text, ":\n\n");
	(void)feed_put(feed, &text, false); /* the next one will do */
}

/* --- what comes --- */

/**
 * revision_of() - The revision of an item
 * @type:	Of the item
 * @message:	The item
 * @ret:	Its revision
 *
 * Return: false if it has none.
 */
static bool revision_of(const struct message_type *type,
			const ProtobufCMessage *message, uint64_t *ret)
{
	const struct field_type *field;

	field = field_named(type, "revision", strlen("revision"));
	if (!field || field->kind != KIND_UINT64 || field->repeated)
		return false;
	memcpy(ret,
	       (const uint8_t *)message + field_memory(type, field)->offset,
	       sizeof(*ret));
	return true;
}

/**
 * item_write() - Write an item as an event
 * @type:	Of the item
 * @payload:	The item, packed
 * @size:	Of it
 * @text:	Appended to
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int item_write(const struct message_type *type, const uint8_t *payload,
		      size_t size, struct text *text, struct error *err)
{
	_cleanup_arena_ struct arena arena;
	ProtobufCMessage *message;
	uint64_t revision;
	int r;

	arena_init(&arena, ANSWER_MAX);
	message = protobuf_c_message_unpack(type->memory, &arena.allocator,
					    size, payload);
	if (!message)
		return error_set(err, -EBADMSG, ERROR_DAEMON_INTERNAL,
				 "what ioasidd has sent is no %s", type->name);
	if (revision_of(type, message, &revision))
		text_format(text, "id: %llu\n", (unsigned long long)revision);
	text_puts(text, "data: ");
	r = json_write(type, message, true, text, err);
	text_puts(text, "\n\n");
	return r < 0 ? r : text_error(text, err);
}

/**
 * feed_fail() - Say an error as the last event
 * @feed:	The stream; has begun
 * @error:	The error
 */
static void feed_fail(struct feed *feed, const struct error *error)
{
	struct text text = TEXT_NULL(ANSWER_MAX);

	feed->over = true;
	text_puts(&text, "event: error\ndata: ");
	(void)problem_write(error, feed->exchange->uri, &text,
			    NULL); /* feed_put() sees it */
	text_puts(&text, "\n\n");
	if (!feed_put(feed, &text, false))
		client_resume(feed->exchange->client);
}

/**
 * on_failed() - ioasidd has ended the stream with an error
 */
static void on_failed(void *data, const struct error *error)
{
	struct exchange *exchange = data;
	struct feed *feed = exchange->feed;

	exchange->call = NULL;
	if (feed->begun) {
		feed_fail(feed, error);
		return;
	}
	exchange->feed = feed_free(feed);
	answer_error(exchange, error);
	exchange_answered(exchange);
}

/**
 * on_item() - ioasidd has sent an item
 */
static void on_item(void *data, const uint8_t *payload, size_t size)
{
	struct exchange *exchange = data;
	struct text text = TEXT_NULL(ANSWER_MAX);
	struct error err = ERROR_NULL;

	if (item_write(exchange->match.rpc->output, payload, size, &text,
		       &err) == 0) {
		if (feed_put(exchange->feed, &text, true))
			return;
		error_fill(&err, -EPROTO, ERROR_DAEMON_INTERNAL,
			   "ioasidd has sent more than was asked for");
	}
	text_deinit(&text);
	log_problem(LOG_LEVEL_WARNING, &err, "a stream ends");
	exchange->call = link_call_cancel(exchange->call);
	on_failed(exchange, &err);
}

/**
 * on_end() - ioasidd has ended the stream
 */
static void on_end(void *data, const uint8_t *payload, size_t size)
{
	struct exchange *exchange = data;
	struct feed *feed = exchange->feed;

	exchange->call = NULL;
	feed->over = true;
	if (!feed->begun)
		feed_begin(feed);
	else
		client_resume(exchange->client);
}

const struct link_events feed_events = {
	.item = on_item,
	.reply = on_end,
	.failed = on_failed,
};

/* feed_new() - Make ready for a stream */
int feed_new(struct exchange *exchange)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (!feed)
		return -ENOMEM;
	feed->exchange = exchange;
	if (loop_timer(exchange->client->rest->loop, on_timer, feed,
		       &feed->timer) < 0) {
		free(feed);
		return -ENOMEM;
	}
	loop_arm(feed->timer, clock_mono_ns() + LINK_BEGIN_NS);
	exchange->feed = feed;
	return 0;
}

/* feed_free() - Let go of a stream */
struct feed *feed_free(struct feed *feed)
{
	if (!feed)
		return NULL;
	while (feed->n) {
		text_deinit(&feed->events[feed->first].text);
		feed->first = (feed->first + 1) % EVENTS_MAX;
		feed->n--;
	}
	loop_unwatch(feed->timer);
	free(feed);
	return NULL;
}
