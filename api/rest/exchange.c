/* SPDX-License-Identifier: Apache-2.0
 *
 * exchange.c - a request and its answer: from its headers to a call, and back
 *
 * What is wrong with a request is known when its headers are there, but its
 * body is read all the same if it is not too long: the connection stays of use.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/sandbox.h"
#include "rest/private.h"

/* How long ioasidd may take to say that it is ready. */
#define READY_NS 5000000000ull

static const struct {
	const char *path;
	enum target target;
} own_paths[] = {
	{ "/healthz", TARGET_HEALTH },
	{ "/readyz", TARGET_READY },
	{ "/openapi.json", TARGET_DOCUMENT },
#ifdef IOASID_FAULTS
	{ "/test/open", TARGET_TRY_OPEN },
#endif
};

/* exchange_new() - A request line has come */
struct exchange *exchange_new(struct client *client, const char *uri)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	const struct limits *limits = client->rest->limits;

	if (!exchange)
		return NULL;
	exchange->uri = strdup(uri);
	if (!exchange->uri) {
		free(exchange);
		return NULL;
	}
	exchange->client = client;
	exchange->path_size = strcspn(uri, "?");
	exchange->body = TEXT_NULL(limits->message_bytes);
	arena_init(&exchange->arena, limits->request_memory);
	return exchange;
}

/* exchange_free() - It is over */
void exchange_free(struct exchange *exchange)
{
	exchange->client->rest->bodies -= exchange->body.size;
	link_call_cancel(exchange->call);
	loop_unwatch(exchange->deadline);
	if (exchange->response)
		MHD_destroy_response(exchange->response);
	exchange->feed = feed_free(exchange->feed);
	text_deinit(&exchange->body);
	arena_deinit(&exchange->arena);
	free(exchange->uri);
	free(exchange);
}

/**
 * refuse() - Answer a request with an error once it has been read
 * @exchange:	The request
 * @error:	The error; the first one counts
 */
static void refuse(struct exchange *exchange, const struct error *error)
{
	if (exchange->refused.kind == ERROR_NONE)
		exchange->refused = *error;
}

/* --- headers --- */

/**
 * find_own() - Is a path one of our own?
 * @exchange:	The request
 *
 * Return: true if it is; its target is set.
 */
static bool find_own(struct exchange *exchange)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_paths); i++) {
		if (strlen(own_paths[i].path) != exchange->path_size ||
		    memcmp(own_paths[i].path, exchange->uri,
			   exchange->path_size) != 0)
			continue;
		exchange->target = own_paths[i].target;
		str_copy(exchange->allow, sizeof(exchange->allow), "GET");
		return true;
	}
	return false;
}

/**
 * find_target() - What is a request for?
 * @exchange:	Its target is set
 * @verb:	"GET" for HEAD, too
 * @err:	Filled on failure
 *
 * Return: 0; as route_find().
 */
static int find_target(struct exchange *exchange, const char *verb,
		       struct error *err)
{
	bool options = str_eq(verb, "OPTIONS");
	int r = 0;

	if (*exchange->uri != '/' && !str_eq(exchange->uri, "*"))
		return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED,
				 "the target is not a path");
	if (str_eq(exchange->uri, "*") && options) {
		str_copy(exchange->allow, sizeof(exchange->allow),
			 "DELETE, GET, PATCH, POST, PUT");
	} else if (find_own(exchange)) {
		if (!options && !str_eq(verb, "GET"))
			return error_set(err, -EOPNOTSUPP,
					 ERROR_REQUEST_WRONG_VERB,
					 "%.*s takes GET, not %s",
					 (int)exchange->path_size,
					 exchange->uri, verb);
	} else {
		exchange->target = TARGET_RPC;
		r = route_find(&contract_ioasid, verb, exchange->uri,
			       exchange->path_size, &exchange->arena,
			       &exchange->match, exchange->allow, err);
	}
	if (!options || (r < 0 && r != -EOPNOTSUPP))
		return r;
	exchange->target = TARGET_OPTIONS;
	return 0;
}

/* exchange_begin() - Its headers are there */
bool exchange_begin(struct exchange *exchange, const char *verb)
{
	struct error err = ERROR_NULL;
	uint64_t size;

	exchange->head = str_eq(verb, "HEAD");
	if (headers_check(exchange, &size, &err) < 0) {
		refuse(exchange, &err);
		exchange->final = true;
		return false;
	}
	/* Where chunks end is where most readers have differed: nothing is read
	 * behind them.
	 */
	exchange->final = size == UINT64_MAX;
	if (find_target(exchange, exchange->head ? "GET" : verb, &err) < 0)
		refuse(exchange, &err);
	if (!size)
		return true;
	if (headers_type(exchange, &err) < 0)
		refuse(exchange, &err);
	if (size != UINT64_MAX && size > exchange->body.limit) {
		error_fill(&err, -EMSGSIZE, ERROR_REQUEST_TOO_LARGE,
			   "the body has %llu bytes; %zu is the most",
			   (unsigned long long)size, exchange->body.limit);
		exchange->refused = err;
		exchange->final = true;
		return false;
	}
	/* Who waits for our word need not send what is of no use. */
	if (exchange->refused.kind != ERROR_NONE &&
	    MHD_lookup_connection_value(exchange->client->mhd, MHD_HEADER_KIND,
					"Expect")) {
		exchange->final = true;
		return false;
	}
	return true;
}

/* --- body --- */

/* exchange_take() - A part of its body is there */
bool exchange_take(struct exchange *exchange, const char *data, size_t size)
{
	struct rest *rest = exchange->client->rest;
	struct text *body = &exchange->body;
	struct error error = ERROR_NULL;

	if (size > BODIES_MAX - rest->bodies) {
		error_fill(&error, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
			   "too many bodies come at once");
	} else {
		size_t before = body->size;

		text_put(body, data, size);
		rest->bodies += body->size - before;
	}
	if (body->failed)
		error_fill(&error, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
			   "no memory for the body");
	if (body->exceeded)
		error_fill(&error, -EMSGSIZE, ERROR_REQUEST_TOO_LARGE,
			   "the body has more than %zu bytes", body->limit);
	if (error.kind == ERROR_NONE)
		return true;
	answer_cut(exchange->client, &error);
	return false;
}

/* --- the call --- */

/* exchange_answered() - There is an answer */
void exchange_answered(struct exchange *exchange)
{
	exchange->call = NULL;
	exchange->deadline = loop_unwatch(exchange->deadline);
	client_resume(exchange->client);
}

/**
 * on_reply() - ioasidd has answered; see struct link_events
 */
static void on_reply(void *data, const uint8_t *payload, size_t size)
{
	struct exchange *exchange = data;
	static const char ready[] = "{\"status\":\"ready\"}";

	if (exchange->target == TARGET_READY)
		answer_words(exchange, ready, sizeof(ready) - 1);
	else
		answer_reply(exchange, payload, size);
	exchange_answered(exchange);
}

/**
 * on_failed() - ioasidd has refused; see struct link_events
 */
static void on_failed(void *data, const struct error *error)
{
	struct exchange *exchange = data;

	answer_error(exchange, error);
	exchange_answered(exchange);
}

static const struct link_events unary_events = {
	.reply = on_reply,
	.failed = on_failed,
};

/**
 * on_deadline() - ioasidd does not say that it is ready
 * @data:	The exchange
 */
static void on_deadline(void *data)
{
	struct exchange *exchange = data;
	struct error error = ERROR_NULL;

	exchange->call = link_call_cancel(exchange->call);
	error_fill(&error, -ETIMEDOUT, ERROR_DAEMON_UNREACHABLE,
		   "ioasidd has not answered for %llu seconds",
		   READY_NS / 1000000000);
	on_failed(exchange, &error);
}

/**
 * call() - Ask ioasidd
 * @exchange:	For whom
 * @rpc:	What
 * @message:	The request
 * @err:	Filled on failure
 *
 * Return: 0; as link_call().
 */
static int call(struct exchange *exchange, const struct rpc_type *rpc,
		const ProtobufCMessage *message, struct error *err)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	_cleanup_free_ uint8_t *payload = malloc(size ? size : 1);
	struct client *client = exchange->client;
	bool stream = rpc->server_streaming;

	if (!payload || (stream && feed_new(exchange) < 0))
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the request");
	(void)protobuf_c_message_pack(message, payload); /* = size */
	return link_call(client->rest->link, client->connection, rpc, payload,
			 size, stream ? &feed_events : &unary_events, exchange,
			 &exchange->call, err);
}

/**
 * call_ready() - Ask ioasidd whether it is ready: the least that there is
 * @exchange:	For whom
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int call_ready(struct exchange *exchange, struct error *err)
{
	static const char name[] = "ioasid.v1.Host/GetVersion";
	const struct rpc_type *rpc;
	ProtobufCMessage *message;
	int r;

	rpc = contract_rpc(&contract_ioasid, name, sizeof(name) - 1);
	message = rpc ? arena_message(&exchange->arena, rpc->input->memory) :
			NULL;
	r = message ? loop_timer(exchange->client->rest->loop, on_deadline,
				 exchange, &exchange->deadline) :
		      -ENOMEM;
	if (r < 0)
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the request");
	loop_arm(exchange->deadline, clock_mono_ns() + READY_NS);
	return call(exchange, rpc, message, err);
}

/**
 * call_method() - Ask ioasidd what the request says
 * @exchange:	All of it is there
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int call_method(struct exchange *exchange, struct error *err)
{
	const char *query = exchange->uri + exchange->path_size;
	ProtobufCMessage *message;
	int r;

	query = *query ? query + 1 : NULL;
	r = request_read(&exchange->match, query, query ? strlen(query) : 0,
			 exchange->body.data, exchange->body.size,
			 &exchange->arena, &message, err);
	if (r == 0)
		r = headers_apply(exchange, message, err);
	if (r < 0)
		return r;
	/* Its headers alone can be told without asking. */
	if (exchange->head && exchange->match.rpc->server_streaming) {
		answer_stream(exchange, NULL, NULL);
		return 0;
	}
	return call(exchange, exchange->match.rpc, message, err);
}

/**
 * target_run() - Find an answer, or make the call for it
 * @exchange:	All of it is there, and nothing wrong so far
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int target_run(struct exchange *exchange, struct error *err)
{
	static const char alive[] = "{\"status\":\"alive\"}";

	switch (exchange->target) {
	case TARGET_RPC:
		return call_method(exchange, err);
	case TARGET_READY:
		return call_ready(exchange, err);
	case TARGET_HEALTH:
		answer_words(exchange, alive, sizeof(alive) - 1);
		return 0;
	case TARGET_DOCUMENT:
		answer_words(exchange, rest_document, rest_document_size);
		return 0;
	case TARGET_OPTIONS:
		answer_options(exchange);
		return 0;
	case TARGET_TRY_OPEN:
#ifdef IOASID_FAULTS
		return error_set(err, sandbox_try_open(),
				 ERROR_PERMISSION_DENIED, "open: %m");
#else
		break;
#endif
	}
	return error_set(err, -ENOSYS, ERROR_DAEMON_INTERNAL, "no such target");
}

/* exchange_run() - All of it is there */
void exchange_run(struct exchange *exchange)
{
	struct error err = exchange->refused;

	exchange->stage = STAGE_CALL;
	if (err.kind == ERROR_NONE && exchange->body.size &&
	    exchange->target != TARGET_RPC)
		error_fill(&err, -EINVAL, ERROR_REQUEST_INVALID,
			   "this takes no body");
	if (err.kind != ERROR_NONE || target_run(exchange, &err) < 0) {
		exchange->deadline = loop_unwatch(exchange->deadline);
		exchange->feed = feed_free(exchange->feed);
		answer_error(exchange, &err);
	}
	/* What reading took is of no use while the answer is waited for. */
	exchange->client->rest->bodies -= exchange->body.size;
	text_deinit(&exchange->body);
	arena_deinit(&exchange->arena);
}
