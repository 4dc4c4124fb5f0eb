/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.c - one call of gRPC: what is answered
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "grpc/call.h"
#include "grpc/session.h"

/* The most headers or trailers of an answer. */
#define HEADERS_MAX 6

/**
 * struct headers - Headers of an answer
 */
struct headers {
	nghttp2_nv nv[HEADERS_MAX];
	size_t n;
};

/* add() - Add a header; nghttp2 copies it when it is submitted. */
static void add(struct headers *headers, const char *name, const char *value)
{
	headers->nv[headers->n++] = (nghttp2_nv){
		.name = (uint8_t *)name,
		.value = (uint8_t *)value,
		.namelen = strlen(name),
		.valuelen = strlen(value),
	};
}

/* add_first() - The headers that each answer of gRPC begins with. */
static void add_first(struct headers *headers)
{
	add(headers, ":status", "200");
	add(headers, "content-type", "application/grpc");
	add(headers, "grpc-accept-encoding", "identity");
}

/**
 * add_status() - How a call ended
 * @headers:	Added to
 * @status:	How
 * @code:	Room for its number
 */
static void add_status(struct headers *headers,
		       const struct call_status *status, char code[12])
{
	snprintf(code, 12, "%d", status->code);
	add(headers, "grpc-status", code);
	if (status->message)
		add(headers, "grpc-message", status->message);
	if (status->details)
		add(headers, "grpc-status-details-bin", status->details);
}

/* answer_passed() - Tell the kind what has left, if it is time to */
void answer_passed(struct grpc_call *call)
{
	size_t n = call->owed;

	if (!n || call->queued > CALL_LOW)
		return;
	if (call->session->queued > OUTPUT_HIGH) {
		call->session->starved = true;
		return;
	}
	call->owed = 0;
	if (call->kind && call->kind->passed)
		call->kind->passed(call, n);
}

/* pop() - The first answer has left, or is forgotten. */
static void pop(struct grpc_call *call)
{
	struct out_message *first = call->queue;

	call->queue = first->next;
	if (!call->queue)
		call->queue_end = &call->queue;
	call->queue_at = 0;
	call->queued -= first->size;
	call->session->queued -= first->size;
	free(first);
}

/* answer_clear() - Forget what waits */
void answer_clear(struct grpc_call *call)
{
	while (call->queue)
		pop(call);
}

/**
 * take() - Fill a frame from the queue
 * @call:	The call
 * @buffer:	The frame
 * @size:	Room there
 *
 * Return: how many bytes.
 */
static size_t take(struct grpc_call *call, uint8_t *buffer, size_t size)
{
	size_t done = 0;

	while (call->queue && done < size) {
		struct out_message *first = call->queue;
		size_t n = first->size - call->queue_at;

		if (n > size - done)
			n = size - done;
		memcpy(buffer + done, first->data + call->queue_at, n);
		call->session->moved_ns = clock_mono_ns();
		done += n;
		call->queue_at += n;
		if (call->queue_at < first->size)
			continue;
		pop(call);
		call->owed++;
	}
	return done;
}

/* read_queue() - nghttp2 wants to send DATA: of what waits, or the trailers. */
static ssize_t read_queue(nghttp2_session *h2, int32_t stream, uint8_t *buffer,
			  size_t size, uint32_t *flags,
			  nghttp2_data_source *source, void *data)
{
	struct grpc_call *call = source->ptr;
	struct headers trailers = { .n = 0 };
	size_t n = take(call, buffer, size);
	char code[12];

	answer_passed(call);
	if (call->queue)
		return (ssize_t)n;
	if (!call->ended)
		return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;

	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	add_status(&trailers, &call->status, code);
	if (nghttp2_submit_trailer(h2, stream, trailers.nv, trailers.n))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return (ssize_t)n;
}

/**
 * go_on() - Have nghttp2 send what there is
 * @call:	The call
 *
 * Without memory for that, the stream alone is reset.
 */
static void go_on(struct grpc_call *call)
{
	nghttp2_data_provider provider = {
		.source.ptr = call,
		.read_callback = read_queue,
	};
	nghttp2_session *h2 = call->session->h2;
	struct headers headers = { .n = 0 };

	if (call->responding) {
		/* Fails if it has not stopped: then it comes by itself. */
		(void)nghttp2_session_resume_data(h2, call->stream);
		return;
	}
	call->responding = true;
	add_first(&headers);
	if (nghttp2_submit_response(h2, call->stream, headers.nv, headers.n,
				    &provider))
		(void)nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE,
						call->stream,
						NGHTTP2_INTERNAL_ERROR);
}

/* answer_begin() - Send the headers, unless they have left */
void answer_begin(struct grpc_call *call)
{
	if (!call->responding && !call->ended)
		go_on(call);
}

/* only_status() - Answer with nothing but how the call ended. */
static void only_status(struct grpc_call *call)
{
	nghttp2_session *h2 = call->session->h2;
	struct headers headers = { .n = 0 };
	char code[12];

	call->responding = true;
	add_first(&headers);
	add_status(&headers, &call->status, code);
	if (nghttp2_submit_response(h2, call->stream, headers.nv, headers.n,
				    NULL))
		(void)nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE,
						call->stream,
						NGHTTP2_INTERNAL_ERROR);
}

/* room_for() - A message without its bytes. Return: NULL: the call fails. */
static struct out_message *room_for(struct grpc_call *call, size_t size)
{
	struct out_message *message;

	if (call->session->queued + size > OUTPUT_MAX) {
		answer_fail(call, ERROR_LIMIT_REQUESTS,
			    "%zu bytes of answers on this connection were not read yet",
			    call->session->queued);
		return NULL;
	}
	message = malloc(sizeof(*message) + FRAMING_PREFIX + size);
	if (!message) {
		answer_fail(call, ERROR_DAEMON_NO_MEMORY,
			    "no memory for the answer");
		return NULL;
	}
	message->next = NULL;
	message->size = FRAMING_PREFIX + size;
	framing_write(size, message->data);
	return message;
}

/* push() - Queue a message. */
static void push(struct grpc_call *call, struct out_message *message)
{
	*call->queue_end = message;
	call->queue_end = &message->next;
	if (!call->session->queued)
		call->session->moved_ns = clock_mono_ns();
	call->queued += message->size;
	call->session->queued += message->size;
	go_on(call);
}

/* answer_send() - Send a message */
void answer_send(struct grpc_call *call, const uint8_t *data, size_t size)
{
	struct out_message *message = room_for(call, size);

	if (!message)
		return;
	if (size)
		memcpy(message->data + FRAMING_PREFIX, data, size);
	push(call, message);
}

/* answer_message() - The same, of a message that is not packed yet */
void answer_message(struct grpc_call *call, const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	struct out_message *out = room_for(call, size);

	if (!out)
		return;
	(void)protobuf_c_message_pack(message, out->data + FRAMING_PREFIX);
	push(call, out);
}

/* answer_end() - End a call */
void answer_end(struct grpc_call *call, const struct error *error)
{
	if (call->ended)
		return;
	call->ended = true;
	call_status_set(&call->status, error);
	call_drop(call);
	if (call->responding || call->queue)
		go_on(call);
	else
		only_status(call);
}

/* answer_fail() - End a call with an error, in one line */
void answer_fail(struct grpc_call *call, enum error_id id, const char *fmt,
		 ...)
{
	struct error err = ERROR_NULL;
	char words[256];
	va_list args;

	if (call->ended)
		return;
	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	error_fill(&err, -EIO, id, "%s", words);
	answer_clear(call);
	answer_end(call, &err);
}

/* answer_elsewhere() - End what is a request of REST */
void answer_elsewhere(struct grpc_call *call)
{
	call->ended = true;
	call->responding = true;
	(void)nghttp2_submit_rst_stream(call->session->h2, NGHTTP2_FLAG_NONE,
					call->stream,
					NGHTTP2_HTTP_1_1_REQUIRED);
}

/* answer_http() - End what is no call of gRPC with a status of HTTP */
void answer_http(struct grpc_call *call, const char *status,
		 const char *header, const char *value)
{
	struct headers headers = { .n = 0 };

	call->ended = true;
	call->responding = true;
	add(&headers, ":status", status);
	add(&headers, header, value);
	if (nghttp2_submit_response(call->session->h2, call->stream,
				    headers.nv, headers.n, NULL))
		(void)nghttp2_submit_rst_stream(call->session->h2,
						NGHTTP2_FLAG_NONE,
						call->stream,
						NGHTTP2_INTERNAL_ERROR);
}
