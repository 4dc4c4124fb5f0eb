/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c - one HTTP/2 connection: bytes in, bytes out, and time
 */
#include "grpc/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

/* Bytes that are read at a time, and in a round of the loop: others wait. */
#define READ_SIZE 16384
#define READ_ROUND (16 * READ_SIZE)

/* More than nghttp2 gives at a time: a frame of 16 KiB, with its head. */
#define PIECE_MAX 20480

/* How long a client may take to answer a PING. */
#define PING_NS 20000000000ull

#define MS_NS 1000000ull

static void ready(void *data);
static void due(void *data);

/**
 * say_settings() - What clients may do here
 * @session:	New
 *
 * Return: 0; -errno.
 */
static int say_settings(struct session *session)
{
	const struct limits *limits = &session->limits;
	const nghttp2_settings_entry entries[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->header_bytes },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};

	return nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, entries,
				       ARRAY_SIZE(entries)) ?
		       -ENOMEM :
		       0;
}

/**
 * make() - The parts of a session that can fail to be made
 * @session:	New, with its @grpc
 *
 * Return: 0; -ENOMEM.
 */
static int make(struct session *session)
{
	struct grpc *grpc = session->grpc;

	if (nghttp2_session_server_new2(&session->h2, grpc->callbacks, session,
					grpc->options))
		return -ENOMEM;
	if (loop_timer(grpc->loop, due, session, &session->timer) < 0 ||
	    say_settings(session) < 0) {
		loop_unwatch(session->timer);
		nghttp2_session_del(session->h2);
		return -ENOMEM;
	}
	return 0;
}

/* session_new_consume() - Begin a connection */
int session_new_consume(struct grpc *grpc, uint64_t connection,
			struct stream *stream)
{
	struct session *session = calloc(1, sizeof(*session));
	uint64_t now_ns = clock_mono_ns();

	if (!session) {
		stream->ops->close(stream);
		return -ENOMEM;
	}
	session->grpc = grpc;
	session->connection = connection;
	session->limits = *grpc->limits;
	if (session->limits.message_bytes > LINK_MESSAGE_MAX)
		session->limits.message_bytes = LINK_MESSAGE_MAX;
	session->input_left = INPUT_MAX;
	session->heard_ns = session->headers_ns = now_ns;
	if (make(session) < 0) {
		stream->ops->close(stream);
		free(session);
		return -ENOMEM;
	}
	session->stream = stream;
	stream->ready = ready;
	stream->data = session;
	session->next = grpc->sessions;
	if (session->next)
		session->next->prev = session;
	grpc->sessions = session;
	session_wake(session);
	return 0;
}

/* session_free() - End a connection now */
void session_free(struct session *session)
{
	nghttp2_session_del(session->h2);
	while (session->calls)
		call_gone(session->calls);
	loop_unwatch(session->timer);
	session->stream->ops->close(session->stream);
	if (session->next)
		session->next->prev = session->prev;
	if (session->prev)
		session->prev->next = session->next;
	else
		session->grpc->sessions = session->next;
	free(session->left);
	free(session);
}

/**
 * end() - End a connection that is over, and tell
 * @session:	With a reason; gone afterwards
 */
static void end(struct session *session)
{
	struct grpc *grpc = session->grpc;
	uint64_t connection = session->connection;

	log_debug("connection %llu: %s", (unsigned long long)connection,
		  session->why);
	session_free(session);
	grpc->closed(grpc->data, connection);
}

/* session_calm() - It misbehaves */
void session_calm(struct session *session, const char *why)
{
	if (session->why)
		return;
	session->why = why;
	/* Without memory there is no GOAWAY; it is over all the same. */
	(void)nghttp2_submit_goaway(
		session->h2, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(session->h2),
		NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)why, strlen(why));
}

/**
 * next_due() - When something is to be done next
 * @session:	The session
 */
static uint64_t next_due(const struct session *session)
{
	uint64_t idle_ns = MS_NS * session->limits.idle_timeout_ms;
	uint64_t next = session->ping_ns ? session->ping_ns + PING_NS :
					   session->heard_ns + idle_ns;
	uint64_t headers = session->headers_ns +
			   MS_NS * session->limits.header_timeout_ms;

	if (session->why || session->again)
		return 1;
	if (session->headers_ns && headers < next)
		next = headers;
	if (session->stuck_ns && session->stuck_ns + idle_ns < next)
		next = session->stuck_ns + idle_ns;
	if (session->queued && session->moved_ns + idle_ns < next)
		next = session->moved_ns + idle_ns;
	return next;
}

/* blocked() - The stream takes no more, for now. */
static void blocked(struct session *session)
{
	session->stream->ops->want_write(session->stream, true);
	if (!session->stuck_ns)
		session->stuck_ns = clock_mono_ns();
}

/**
 * put() - Write as much as the stream takes
 * @session:	The session; it is over if the stream is broken
 * @data:	What
 * @size:	Of it
 *
 * Return: how many bytes it took.
 */
static size_t put(struct session *session, const uint8_t *data, size_t size)
{
	struct stream *stream = session->stream;
	size_t done = 0;

	while (done < size) {
		ssize_t n = stream->ops->write(stream, data + done,
					       size - done);

		if (n > 0) {
			session->stuck_ns = 0;
			done += (size_t)n;
			continue;
		}
		if (n == -EAGAIN)
			blocked(session);
		else if (!session->why)
			session->why = "it cannot be written to";
		break;
	}
	return done;
}

/**
 * put_left() - Write what the stream did not take before
 * @session:	The session
 *
 * Return: true if nothing is left.
 */
static bool put_left(struct session *session)
{
	if (!session->left)
		return true;
	session->left_at += put(session, session->left + session->left_at,
				session->left_size - session->left_at);
	if (session->left_at < session->left_size)
		return false;
	free(session->left);
	session->left = NULL;
	session->stream->ops->want_write(session->stream, false);
	return true;
}

/**
 * keep() - Keep what the stream did not take
 * @session:	The session; it is over without memory
 */
static void keep(struct session *session, const uint8_t *data, size_t size)
{
	session->left = malloc(size);
	if (!session->left) {
		session->why = "no memory for its answers";
		return;
	}
	memcpy(session->left, data, size);
	session->left_size = size;
	session->left_at = 0;
}

/**
 * gather() - Have nghttp2 make bytes
 * @session:	The session; it is over if nghttp2 cannot
 *
 * Return: how many there are at grpc->gather.
 */
static size_t gather(struct session *session)
{
	uint8_t *to = session->grpc->gather;
	size_t have = 0;

	while (have + PIECE_MAX <= GATHER_MAX) {
		const uint8_t *piece;
		ssize_t n = nghttp2_session_mem_send(session->h2, &piece);

		if (!n)
			break;
		if (n < 0 || n > PIECE_MAX) {
			session->why = "nghttp2 cannot write";
			break;
		}
		memcpy(to + have, piece, (size_t)n);
		have += (size_t)n;
	}
	return have;
}

/**
 * send_out() - Say all that there is to say, as far as the stream takes it
 * @session:	The session
 */
static void send_out(struct session *session)
{
	while (put_left(session)) {
		size_t have = gather(session), done;

		if (!have)
			break;
		done = put(session, session->grpc->gather, have);
		if (done < have) {
			keep(session, session->grpc->gather + done,
			     have - done);
			break;
		}
	}
	if (session->starved && session->queued <= OUTPUT_HIGH / 2) {
		session->starved = false;
		for (struct grpc_call *c = session->calls; c; c = c->next)
			answer_passed(c);
	}
	if (!session->why && !session->leaving &&
	    !nghttp2_session_want_read(session->h2) &&
	    !nghttp2_session_want_write(session->h2))
		session->why = "it has ended";
}

/**
 * take_in() - Read what there is, a round's worth
 * @session:	The session; it may be over
 */
static void take_in(struct session *session)
{
	struct stream *stream = session->stream;
	uint8_t buffer[READ_SIZE];
	size_t round = 0;
	ssize_t n;

	session->again = false;
	while (!session->why && round < READ_ROUND) {
		n = stream->ops->read(stream, buffer, sizeof(buffer));
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			session->why = n ? "it cannot be read from" :
					   "the client has closed it";
			return;
		}
		session->heard_ns = clock_mono_ns();
		session->ping_ns = 0;
		round += (size_t)n;
		n = nghttp2_session_mem_recv(session->h2, buffer, (size_t)n);
		if (n < 0)
			session_calm(session, nghttp2_strerror((int)n));
	}
	session->again = !session->why;
}

/* session_step() - Read, if it is time to, and write */
bool session_step(struct session *session, bool read)
{
	session->busy = true;
	if (read)
		take_in(session);
	send_out(session);
	session->busy = false;
	return !session->why;
}

/**
 * run() - Read, if it is time to, and write
 * @session:	May be gone afterwards
 */
static void run(struct session *session, bool read)
{
	if (!session_step(session, read))
		end(session);
	else
		loop_arm(session->timer, next_due(session));
}

/* ready() - The stream can be read from or written to, or is over */
static void ready(void *data)
{
	run(data, true);
}

/* session_wake() - There is something to be said */
void session_wake(struct session *session)
{
	if (session->busy)
		return;
	session->busy = true;
	if (!session->why)
		send_out(session);
	session->busy = false;
	loop_arm(session->timer, next_due(session));
}

/**
 * late() - See what has lasted too long
 * @session:	The session; it is over if something has
 */
static void late(struct session *session)
{
	const struct limits *limits = &session->limits;
	uint64_t idle_ns = MS_NS * limits->idle_timeout_ms;
	uint64_t now_ns = clock_mono_ns();

	if (session->headers_ns &&
	    now_ns >= session->headers_ns + MS_NS * limits->header_timeout_ms)
		session_calm(session, "its headers did not come to their end");
	else if (session->stuck_ns &&
		 now_ns >= session->stuck_ns + idle_ns)
		session_calm(session, "it does not read");
	else if (session->queued && now_ns >= session->moved_ns + idle_ns)
		session_calm(session, "it takes no answers");
	else if (session->ping_ns && now_ns >= session->ping_ns + PING_NS)
		session_calm(session, "it does not answer a PING");
	else if (!session->ping_ns && now_ns >= session->heard_ns + idle_ns) {
		session->ping_ns = now_ns;
		if (nghttp2_submit_ping(session->h2, NGHTTP2_FLAG_NONE, NULL))
			session_calm(session, "no memory for a PING");
	}
}

/* due() - Something has lasted, or there is more to be read */
static void due(void *data)
{
	struct session *session = data;

	if (!session->why && !session->again)
		late(session);
	run(session, session->again);
}

/* session_goodbye() - Say that no further call is taken */
void session_goodbye(struct session *session)
{
	/* It is ended in any case: what cannot be said is not. */
	(void)nghttp2_submit_goaway(
		session->h2, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(session->h2),
		NGHTTP2_NO_ERROR, NULL, 0);
	session->leaving = true;
	(void)session_step(session, false);
}
