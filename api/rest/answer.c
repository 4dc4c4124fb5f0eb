/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.c - answers: replies as JSON, problems, streams, with their headers
 *
 * An answer that cannot be made for want of memory is none: the connection
 * ends.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "rest/private.h"
#include "transcode/problem.h"

/* What reading a reply may take. */
#define REPLY_MEMORY 16777216

#define JSON_TYPE "application/json"
#define PROBLEM_CONTENT_TYPE "application/problem+json"

/**
 * put_header() - Give an answer a header
 * @response:	The answer
 * @name:	Of the header
 * @value:	Its value
 *
 * Return: false without memory.
 */
static bool put_header(struct MHD_Response *response, const char *name,
		       const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

/**
 * put_answer() - An exchange has its answer
 * @exchange:	The exchange
 * @status:	Of the answer
 * @response:	The answer; may be NULL, without memory
 * @type:	Its content type; NULL for none
 *
 * Answers are for whoever asked and change with the host; none is to be
 * guessed at by a browser.
 */
static void put_answer(struct exchange *exchange, unsigned int status,
		       struct MHD_Response *response, const char *type)
{
	exchange->stage = STAGE_ANSWER;
	if (!response)
		return;
	if ((type && !put_header(response, "Content-Type", type)) ||
	    !put_header(response, "Cache-Control", "no-store") ||
	    !put_header(response, "X-Content-Type-Options", "nosniff") ||
	    (exchange->final && !put_header(response, "Connection", "close"))) {
		MHD_destroy_response(response);
		return;
	}
	exchange->response = response;
	exchange->status = status;
}

/**
 * response_of() - An answer of text
 * @text:	Its content; taken over
 *
 * Return: the answer; NULL without memory.
 */
static struct MHD_Response *response_of(struct text *text)
{
	struct MHD_Response *response;
	char *data = text->data;

	response = MHD_create_response_from_buffer_with_free_callback(
		text->size, data, free);
	if (!response)
		free(data);
	*text = TEXT_NULL(text->limit);
	return response;
}

/**
 * put_allow() - Say what a path takes
 * @exchange:	Its @allow is known
 *
 * What takes GET takes HEAD, and all take OPTIONS.
 *
 * Return: false without memory.
 */
static bool put_allow(struct exchange *exchange)
{
	char allow[ALLOW_MAX + 32];

	if (!exchange->response || !*exchange->allow)
		return true;
	str_format(allow, sizeof(allow), "%s%s, OPTIONS", exchange->allow,
		   strstr(exchange->allow, "GET") ? ", HEAD" : "");
	return put_header(exchange->response, "Allow", allow);
}

/**
 * drop_answer() - Have no answer after all
 */
static void drop_answer(struct exchange *exchange)
{
	if (exchange->response)
		MHD_destroy_response(exchange->response);
	exchange->response = NULL;
}

/**
 * problem_of() - Write a problem
 * @exchange:	Which has it; NULL if not even its path is known
 * @error:	The error
 * @text:	Appended to
 *
 * Return: its HTTP status; -errno.
 */
static int problem_of(struct exchange *exchange, const struct error *error,
		      struct text *text)
{
	if (!exchange)
		return problem_write(error, NULL, text, NULL);
	exchange->uri[exchange->path_size] = '\0';
	return problem_write(error, exchange->uri, text, NULL);
}

/* answer_error() - The answer is a problem */
void answer_error(struct exchange *exchange, const struct error *error)
{
	_cleanup_text_ struct text text = TEXT_NULL(ANSWER_MAX);
	const struct error known = *error;
	int status;

	/* It may be the exchange's own. */
	status = problem_of(exchange, &known, &text);
	if (status < 0) {
		exchange->stage = STAGE_ANSWER;
		return;
	}
	put_answer(exchange, (unsigned int)status, response_of(&text),
		   PROBLEM_CONTENT_TYPE);
	if (known.kind == ERROR_REQUEST_WRONG_VERB && !put_allow(exchange))
		drop_answer(exchange);
}

/* answer_words() - The answer is JSON that is there for ever */
void answer_words(struct exchange *exchange, const char *json, size_t size)
{
	put_answer(exchange, MHD_HTTP_OK,
		   MHD_create_response_from_buffer(size, (void *)json,
						   MHD_RESPMEM_PERSISTENT),
		   JSON_TYPE);
}

/* answer_options() - The answer to OPTIONS */
void answer_options(struct exchange *exchange)
{
	put_answer(exchange, MHD_HTTP_NO_CONTENT,
		   MHD_create_response_from_buffer(0, NULL,
						   MHD_RESPMEM_PERSISTENT),
		   NULL);
	if (!put_allow(exchange))
		drop_answer(exchange);
}

/**
 * put_etag() - Say which state of an object an answer shows
 * @exchange:	With the answer
 * @type:	Of the message
 * @message:	What it shows
 *
 * Return: false without memory.
 */
static bool put_etag(struct exchange *exchange, const struct message_type *type,
		     const ProtobufCMessage *message)
{
	const struct field_type *field;
	const char *etag;
	char value[128];

	field = field_named(type, "etag", strlen("etag"));
	if (!field || field->kind != KIND_STRING || field->repeated ||
	    !exchange->response)
		return true;
	etag = *(const char *const *)((const uint8_t *)message +
				      field_memory(type, field)->offset);
	if (!etag || !*etag || strpbrk(etag, "\"\\") ||
	    !str_format(value, sizeof(value), "\"%s\"", etag))
		return true;
	return put_header(exchange->response, "ETag", value);
}

/* answer_reply() - The answer is a reply message */
void answer_reply(struct exchange *exchange, const uint8_t *payload,
		  size_t size)
{
	const struct message_type *type = exchange->match.rpc->output;
	_cleanup_text_ struct text text = TEXT_NULL(ANSWER_MAX);
	_cleanup_arena_ struct arena arena;
	struct error err = ERROR_NULL;
	ProtobufCMessage *message;

	arena_init(&arena, REPLY_MEMORY);
	message = protobuf_c_message_unpack(type->memory, &arena.allocator,
					    size, payload);
	if (!message)
		error_fill(&err, -EBADMSG, ERROR_DAEMON_INTERNAL,
			   "the reply of ioasidd is no %s", type->name);
	if (!message || json_write(type, message, true, &text, &err) < 0 ||
	    text_error(&text, &err) < 0) {
		answer_error(exchange, &err);
		return;
	}
	put_answer(exchange, MHD_HTTP_OK, response_of(&text), JSON_TYPE);
	if (!put_etag(exchange, type, message))
		drop_answer(exchange);
}

/* answer_stream() - The answer is what @reader gives */
void answer_stream(struct exchange *exchange, MHD_ContentReaderCallback reader,
		   void *data)
{
	struct MHD_Response *response;

	response = reader ? MHD_create_response_from_callback(
				    MHD_SIZE_UNKNOWN, 4096, reader, data,
				    NULL) :
			    MHD_create_response_from_buffer(
				    0, NULL, MHD_RESPMEM_PERSISTENT);
	exchange->final = true;
	put_answer(exchange, MHD_HTTP_OK, response, "text/event-stream");
}

/* answer_cut() - Write a problem past libmicrohttpd */
void answer_cut(struct client *client, const struct error *error)
{
	_cleanup_text_ struct text text = TEXT_NULL(ANSWER_MAX);
	int status = problem_of(client->exchange, error, &text);
	char head[256];

	if (status < 0)
		return;
	str_format(head, sizeof(head),
		   "HTTP/1.1 %d %s\r\nContent-Type: " PROBLEM_CONTENT_TYPE
		   "\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
		   "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
		   status, MHD_get_reason_phrase_for((unsigned int)status),
		   text.size);
	/* Its buffer is empty, so there is room; if not, so be it. */
	(void)send(client->fd, head, strlen(head),
		   MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
	(void)send(client->fd, text.data, text.size,
		   MSG_DONTWAIT | MSG_NOSIGNAL);
}
