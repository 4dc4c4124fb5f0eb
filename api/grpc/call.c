/* SPDX-License-Identifier: Apache-2.0
 *
 * call.c - one call of gRPC: what the client says
 */
#include "grpc/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "grpc/metadata.h"
#include "grpc/session.h"

/* What HPACK's and HTTP/2's measure adds to each header (RFC 9113, 6.5.2). */
#define HEADER_OVERHEAD 32

/* A client whose headers are so many times too long is sent away. */
#define HEADER_PATIENCE 4

#define MS_NS 1000000ull

/* call_new() - A stream begins */
struct grpc_call *call_new(struct session *session, int32_t stream)
{
	struct grpc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->session = session;
	call->stream = stream;
	call->queue_end = &call->queue;
	call->deadline_ns = call->begin_ns = UINT64_MAX;
	call->in.limit = session->limits.message_bytes;
	call->in.budget = &session->input_left;
	call->next = session->calls;
	if (call->next)
		call->next->prev = call;
	session->calls = call;
	return call;
}

/* call_drop() - Let its kind know that no answer is wanted any more */
void call_drop(struct grpc_call *call)
{
	const struct call_kind *kind = call->kind;

	call->kind = NULL;
	if (kind && kind->gone)
		kind->gone(call);
	framing_reset(&call->in);
	call->timer = loop_unwatch(call->timer);
}

/* call_gone() - Its stream is over */
void call_gone(struct grpc_call *call)
{
	call_drop(call);
	answer_clear(call);
	call_status_deinit(&call->status);
	if (call->next)
		call->next->prev = call->prev;
	if (call->prev)
		call->prev->next = call->next;
	else
		call->session->calls = call->next;
	free(call);
}

/* is() - Is a name or value, which does not end, this one? */
static bool is(const char *s, size_t size, const char *what)
{
	return size == strlen(what) && !memcmp(s, what, size);
}

/**
 * set_timeout() - Note when the client gives up
 * @call:	The call
 * @value:	grpc-timeout
 * @size:	Of it
 */
static void set_timeout(struct grpc_call *call, const char *value, size_t size)
{
	uint64_t timeout_ns, now_ns = clock_mono_ns();

	if (timeout_read(value, size, &timeout_ns) < 0)
		call->bad_timeout = true;
	else if (timeout_ns < UINT64_MAX - now_ns)
		call->deadline_ns = now_ns + timeout_ns;
}

/* call_header() - A header of it */
void call_header(struct grpc_call *call, const char *name, size_t name_size,
		 const char *value, size_t value_size)
{
	size_t limit = call->session->limits.header_bytes;

	call->header_bytes += name_size + value_size + HEADER_OVERHEAD;
	if (call->header_bytes > HEADER_PATIENCE * limit)
		session_calm(call->session, "headers without end");
	if (call->header_bytes > limit || call->kind || call->ended)
		return;
	if (is(name, name_size, ":method")) {
		call->post = is(value, value_size, "POST");
	} else if (is(name, name_size, ":path")) {
		if (value_size < sizeof(call->path))
			memcpy(call->path, value, value_size);
	} else if (is(name, name_size, "content-type")) {
		call->proto = content_type_is_grpc(value, value_size);
	} else if (is(name, name_size, "te")) {
		call->trailers = is(value, value_size, "trailers");
	} else if (is(name, name_size, "grpc-timeout")) {
		set_timeout(call, value, value_size);
	}
}

/**
 * rearm() - Wait for the deadline, or for the rest of the request
 * @call:	The call
 */
static void rearm(struct grpc_call *call)
{
	const struct limits *limits = &call->session->limits;
	uint64_t until_ns = call->deadline_ns, body_ns = UINT64_MAX;

	if (!call->half_closed)
		body_ns = clock_mono_ns() +
			  MS_NS * (call->kind && call->kind->many ?
					   limits->idle_timeout_ms :
					   limits->body_timeout_ms);
	if (body_ns < until_ns)
		until_ns = body_ns;
	if (call->begin_ns < until_ns)
		until_ns = call->begin_ns;
	loop_arm(call->timer, until_ns == UINT64_MAX ? 0 : until_ns);
}

/* call_begin_at() - See call.h */
void call_begin_at(struct grpc_call *call, uint64_t at_ns)
{
	call->begin_ns = at_ns;
	rearm(call);
}

/* timed_out() - It is time to begin, or the client gives up or does not go on */
static void timed_out(void *data)
{
	struct grpc_call *call = data;
	struct session *session = call->session;
	uint64_t now_ns = clock_mono_ns();

	if (now_ns >= call->deadline_ns) {
		answer_fail(call, ERROR_REQUEST_DEADLINE,
			    "the client's deadline is over");
	} else if (now_ns >= call->begin_ns) {
		answer_begin(call);
		call_begin_at(call, UINT64_MAX);
	} else {
		answer_fail(call, ERROR_REQUEST_TOO_SLOW,
			    "the request did not come to its end in time");
	}
	session_wake(session);
}

/**
 * is_for_rest() - Does a request look for REST?
 * @call:	The call
 *
 * Each path of gRPC is a service, with its package, and a method; what comes
 * before the second slash of a path of REST has no dot.
 */
static bool is_for_rest(const struct grpc_call *call)
{
	const char *name = str_starts(call->path, "/");
	const char *slash = name ? strchr(name, '/') : NULL;

	return !call->proto && name && *name &&
	       !(slash && memchr(name, '.', (size_t)(slash - name)));
}

/**
 * refuse_headers() - See whether the headers are those of gRPC
 * @call:	The call; answered if they are not
 *
 * Return: true if they are not.
 */
static bool refuse_headers(struct grpc_call *call)
{
	if (call->header_bytes > call->session->limits.header_bytes)
		answer_fail(call, ERROR_REQUEST_HEADERS_TOO_LARGE,
			    "the headers have %zu bytes, %u are allowed",
			    call->header_bytes,
			    call->session->limits.header_bytes);
	else if (is_for_rest(call))
		answer_elsewhere(call);
	else if (!call->post)
		answer_http(call, "405", "allow", "POST");
	else if (!call->proto)
		answer_http(call, "415", "accept-post", "application/grpc");
	else if (!call->trailers)
		answer_fail(call, ERROR_REQUEST_MALFORMED,
			    "the header \"te: trailers\" is missing");
	else if (call->bad_timeout)
		answer_fail(call, ERROR_REQUEST_MALFORMED,
			    "the header grpc-timeout is none");
	return call->ended;
}

/**
 * find_kind() - What is called?
 * @call:	Gets its kind
 */
static void find_kind(struct grpc_call *call)
{
	const char *name = str_starts(call->path, "/");

	if (!name)
		name = "";
	call->kind = forward_find(call, name);
	if (!call->kind)
		call->kind = health_find(call, name);
	if (!call->kind)
		call->kind = reflection_find(call, name);
}

/* call_begin() - That were all headers */
void call_begin(struct grpc_call *call)
{
	struct session *session = call->session;

	if (refuse_headers(call))
		return;
	if (session->queued > OUTPUT_HIGH) {
		answer_fail(call, ERROR_LIMIT_REQUESTS,
			    "%zu bytes of answers on this connection were not read yet",
			    session->queued);
		return;
	}
	find_kind(call);
	if (!call->kind) {
		answer_fail(call, ERROR_REQUEST_UNKNOWN_METHOD,
			    "there is no method '%s'", call->path);
		return;
	}
	if (loop_timer(session->grpc->loop, timed_out, call, &call->timer) < 0)
		answer_fail(call, ERROR_DAEMON_NO_MEMORY,
			    "no memory for the call");
	else
		rearm(call);
}

/**
 * take_message() - A request is whole
 * @call:	The call
 *
 * A single one is kept until the client has said all: another may follow, and
 * then it is not the request that it means.
 */
static void take_message(struct grpc_call *call)
{
	if (!call->kind->many)
		return;
	call->kind->message(call, call->in.data, call->in.have);
	framing_reset(&call->in);
	if (!call->ended)
		rearm(call);
}

/* call_data() - Bytes of its request */
void call_data(struct grpc_call *call, const uint8_t *data, size_t size)
{
	struct error err = ERROR_NULL;

	while (size && !call->ended && call->kind) {
		if (call->in.whole) {
			answer_fail(call, ERROR_REQUEST_MALFORMED,
				    "the method takes one request, there are more");
		} else if (framing_take(&call->in, &data, &size, &err) < 0) {
			answer_clear(call);
			answer_end(call, &err);
		} else if (call->in.whole) {
			take_message(call);
		}
	}
}

/* call_half_closed() - The client has said all */
void call_half_closed(struct grpc_call *call)
{
	call->half_closed = true;
	if (call->ended || !call->kind)
		return;
	rearm(call);
	if (call->kind->many) {
		if (framing_started(&call->in))
			answer_fail(call, ERROR_REQUEST_MALFORMED,
				    "the last request has no end");
		else
			call->kind->half_closed(call);
	} else if (!call->in.whole) {
		answer_fail(call, ERROR_REQUEST_MALFORMED,
			    framing_started(&call->in) ?
				    "the request has no end" :
				    "there is no request");
	} else {
		call->kind->message(call, call->in.data, call->in.have);
		framing_reset(&call->in);
	}
}
