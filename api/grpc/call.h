/* SPDX-License-Identifier: Apache-2.0
 *
 * call.h - one call of gRPC: a stream of HTTP/2
 *
 * DOC: Theory of Operation
 *
 * Headers come and are checked; then messages, framed (call.c). What is called
 * has a kind (struct call_kind): a method of the contract, which is passed on
 * (forward.c), or one of gRPC's own (health.c, reflection.c). Answers are
 * queued and leave as the client's window lets them; at the end come trailers
 * with the status (answer.c). A call ends once: answered, failed, cancelled by
 * the client or with its connection; then its kind hears of it, once.
 */
#ifndef API_GRPC_CALL_H
#define API_GRPC_CALL_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "grpc/framing.h"
#include "grpc/status.h"
#include "transcode/tables.h"

/* The longest path that is kept; no method has one so long. */
#define CALL_PATH_MAX 128

/* Answers of a call that were not taken yet: a stream is asked for more again
 * when less than this many bytes are left.
 */
#define CALL_LOW 16384

/* What reading a request of gRPC's own services may take, bytes. */
#define CALL_MEMORY 65536

struct grpc_call;
struct session;

/**
 * struct call_kind - What is called
 * @many:	Requests are a stream: @message is called for each as it comes;
 *		otherwise once, when the client has said all
 * @message:	A request
 * @half_closed: With @many: the client has said all
 * @passed:	So many answers have left; NULL if it does not matter
 * @gone:	No answer is wanted any more
 */
struct call_kind {
	bool many;
	void (*message)(struct grpc_call *call, const uint8_t *data,
			size_t size);
	void (*half_closed)(struct grpc_call *call);
	void (*passed)(struct grpc_call *call, size_t n);
	void (*gone)(struct grpc_call *call);
};

/**
 * struct out_message - An answer that waits
 * @next:	After it
 * @size:	Of @data
 * @data:	With its prefix
 */
struct out_message {
	struct out_message *next;
	size_t size;
	uint8_t data[];
};

/**
 * struct grpc_call - A call
 * @session:	Its connection
 * @next:	In its list
 * @prev:	In its list
 * @stream:	Its stream's number
 *
 * @path:	":path"; empty if there is none, or it is too long
 * @post:	":method" is POST
 * @proto:	"content-type" is one of ours
 * @trailers:	"te" is "trailers"
 * @bad_timeout: "grpc-timeout" is none
 * @header_bytes: As SETTINGS_MAX_HEADER_LIST_SIZE counts
 * @half_closed: The client has said all
 * @in:		The request that is being received
 *
 * @kind:	What is called; NULL before that is known, and after its @gone
 * @state:	The kind's
 * @data:	The kind's
 * @timer:	For what follows, and a request that does not come
 * @begin_ns:	When its headers leave, if nothing has by then; UINT64_MAX for
 *		with the first answer
 * @deadline_ns: When the client gives up; UINT64_MAX for never
 *
 * @responding:	Headers of the answer were given to nghttp2
 * @ended:	@status is set: after the queue comes the end
 * @status:	How it ended
 * @queue:	Answers that wait, oldest first
 * @queue_end:	Where the next one is hung
 * @queue_at:	How many bytes of the first have left
 * @queued:	Bytes of all
 * @owed:	Answers that have left and that the kind was not told of
 */
struct grpc_call {
	struct session *session;
	struct grpc_call *next;
	struct grpc_call *prev;
	int32_t stream;

	char path[CALL_PATH_MAX];
	bool post;
	bool proto;
	bool trailers;
	bool bad_timeout;
	size_t header_bytes;
	bool half_closed;
	struct framing in;

	const struct call_kind *kind;
	void *state;
	const void *data;
	struct loop_source *timer;
	uint64_t begin_ns;
	uint64_t deadline_ns;

	bool responding;
	bool ended;
	struct call_status status;
	struct out_message *queue;
	struct out_message **queue_end;
	size_t queue_at;
	size_t queued;
	size_t owed;
};

/* --- call.c: what the client says; while nghttp2 reads --- */

/* call_new() - A stream begins. Return: NULL without memory. */
struct grpc_call *call_new(struct session *session, int32_t stream);

/* call_gone() - Its stream is over. */
void call_gone(struct grpc_call *call);

/* call_header() - A header of it. */
void call_header(struct grpc_call *call, const char *name, size_t name_size,
		 const char *value, size_t value_size);

/* call_begin() - That were all headers. */
void call_begin(struct grpc_call *call);

/* call_data() - Bytes of its request. */
void call_data(struct grpc_call *call, const uint8_t *data, size_t size);

/* call_half_closed() - The client has said all. */
void call_half_closed(struct grpc_call *call);

/* call_begin_at() - Of an answer that may be long in coming, send the headers at
 * that time.
 */
void call_begin_at(struct grpc_call *call, uint64_t at_ns);

/* call_drop() - Let its kind know that no answer is wanted any more. */
void call_drop(struct grpc_call *call);

/* --- answer.c: what is answered; session_wake() is the caller's --- */

/* answer_begin() - Send the headers, unless they have left. */
void answer_begin(struct grpc_call *call);

/**
 * answer_send() - Send a message
 * @call:	Not ended; fails if there is no room for it
 * @data:	The message, packed
 * @size:	Of it
 */
void answer_send(struct grpc_call *call, const uint8_t *data, size_t size);

/* answer_message() - The same, of a message that is not packed yet. */
void answer_message(struct grpc_call *call, const ProtobufCMessage *message);

/**
 * answer_end() - End a call
 * @call:	Nothing is done if it has ended
 * @error:	How; NULL for success. What waits is sent before.
 */
void answer_end(struct grpc_call *call, const struct error *error);

/**
 * answer_fail() - End a call with an error, in one line
 *
 * What waits is not sent any more.
 */
void answer_fail(struct grpc_call *call, enum error_id id, const char *fmt,
		 ...) __attribute__((format(printf, 3, 4)));

/* answer_elsewhere() - End what is a request of REST: it is served by HTTP/1.1,
 * and curl, for one, then asks that by itself.
 */
void answer_elsewhere(struct grpc_call *call);

/* answer_http() - End what is no call of gRPC with a status of HTTP. */
void answer_http(struct grpc_call *call, const char *status,
		 const char *header, const char *value);

/* answer_clear() - Forget what waits. */
void answer_clear(struct grpc_call *call);

/* answer_passed() - Tell the kind what has left, if it is time to. */
void answer_passed(struct grpc_call *call);

/* --- the kinds --- */

/* forward_find() - Is a method of the contract called? Return: its kind. */
const struct call_kind *forward_find(struct grpc_call *call, const char *name);

/* health_find() - Is the health service called? */
const struct call_kind *health_find(struct grpc_call *call, const char *name);

/* reflection_find() - Is reflection called? */
const struct call_kind *reflection_find(struct grpc_call *call,
					const char *name);

struct grpc;

/* health_changed() - Tell all that watch. session_wake() is the caller's. */
void health_changed(struct grpc *grpc);

#endif
