/* SPDX-License-Identifier: Apache-2.0
 *
 * private.h - what the parts of api/rest know of each other
 *
 * DOC: Theory of Operation
 *
 * libmicrohttpd reads and writes HTTP; it runs inside our loop (rest.c), which
 * gives it connections. Of each there is a client, from its first byte to its
 * last, and in it at most one exchange: a request and its answer. An exchange
 * goes through these stages:
 *
 *	HEADERS	the request line is there, the rest of the headers comes
 *	BODY	headers are there (headers.c), a body comes or not
 *	CALL	the request is with ioasidd (exchange.c); the connection is
 *		suspended
 *	ANSWER	there is an answer (answer.c); of a stream it grows (feed.c)
 *
 * libmicrohttpd's callbacks come from within MHD_run() and must not call it;
 * what ioasidd, timers and hang-ups bring comes from the loop. So only those
 * resume a connection, and MHD_run() follows in a round of its own.
 */
#ifndef API_REST_PRIVATE_H
#define API_REST_PRIVATE_H

#include <microhttpd.h>

#include "base/arena.h"
#include "rest/rest.h"
#include "transcode/request.h"
#include "transcode/transcode.h"

/* The longest answer as JSON. A reply has LINK_MESSAGE_MAX bytes at most, and
 * those of a list of devices become six times as many.
 */
#define ANSWER_MAX 8388608

/* How long the reader of a stream may take nothing, seconds. */
#define FEED_STALL_S 30u

/* Bodies of all requests together, bytes. */
#define BODIES_MAX 67108864

struct feed;

/* schema/openapi.json; generated. */
extern const char rest_document[];
extern const size_t rest_document_size;

/**
 * struct rest - All of it; loop thread only
 * @closed:	Told of connections that are over, with @data
 * @mhd:	Reads and writes HTTP
 * @source:	Watches its epoll
 * @timer:	Armed for when it wants to run next
 * @clients:	All connections
 * @adding:	The one that is being given to @mhd
 * @bodies:	Bytes of all bodies that are there
 */
struct rest {
	struct loop *loop;
	struct link *link;
	const struct limits *limits;
	void (*closed)(void *data, uint64_t connection);
	void *data;
	struct MHD_Daemon *mhd;
	struct loop_source *source;
	struct loop_source *timer;
	struct client *clients;
	struct client *adding;
	size_t bodies;
};

/**
 * struct client - A connection
 * @connection:	Its number on the link
 * @fd:		Its socket; libmicrohttpd's
 * @mhd:	What libmicrohttpd calls it
 * @watch:	Tells once when the other side has hung up: while a connection
 *		is suspended libmicrohttpd does not look
 * @timer:	Armed for when it has taken too long for something
 * @gone:	The other side has hung up, or we have ended it
 * @ended:	ioasidd has ended it, and need not be told
 * @asked:	A request of it has been answered
 * @suspended:	libmicrohttpd lets it rest
 * @exchange:	At work; NULL between requests
 */
struct client {
	struct client *next;
	struct client *before;
	struct rest *rest;
	uint64_t connection;
	int fd;
	struct MHD_Connection *mhd;
	struct loop_source *watch;
	struct loop_source *timer;
	bool gone;
	bool ended;
	bool asked;
	bool suspended;
	struct exchange *exchange;
};

/**
 * enum target - What a request is for
 * @TARGET_RPC:		A method of the contract
 * @TARGET_HEALTH:	/healthz: does ioasid-api live?
 * @TARGET_READY:	/readyz: does ioasidd answer?
 * @TARGET_DOCUMENT:	/openapi.json
 * @TARGET_OPTIONS:	Any path, by OPTIONS
 * @TARGET_TRY_OPEN:	/test/open, in builds with FAULTS
 */
enum target {
	TARGET_RPC,
	TARGET_HEALTH,
	TARGET_READY,
	TARGET_DOCUMENT,
	TARGET_OPTIONS,
	TARGET_TRY_OPEN,
};

enum stage {
	STAGE_HEADERS,
	STAGE_BODY,
	STAGE_CALL,
	STAGE_ANSWER,
};

/**
 * struct exchange - A request and its answer
 * @client:	On which connection
 * @stage:	See above
 * @uri:	As sent, freed with free()
 * @path_size:	Of the path at its beginning, bytes
 * @head:	It is HEAD: answered as GET, without body
 * @target:	What it is for
 * @match:	With TARGET_RPC: the method
 * @allow:	Verbs of the path, for Allow; empty if not known
 * @refused:	What is wrong with it; ERROR_NONE while nothing is
 * @final:	The connection ends with the answer
 * @body:	As far as it has come
 * @arena:	For the request message; empty once that is sent
 * @call:	With ioasidd; NULL if none
 * @deadline:	With TARGET_READY: armed for when ioasidd takes too long
 * @response:	The answer, when there is one
 * @status:	Of it
 * @feed:	The stream that is the answer; NULL if it is none
 */
struct exchange {
	struct client *client;
	enum stage stage;
	char *uri;
	size_t path_size;
	bool head;
	enum target target;
	struct route_match match;
	char allow[ALLOW_MAX];
	struct error refused;
	bool final;
	struct text body;
	struct arena arena;
	struct link_call *call;
	struct loop_source *deadline;
	struct MHD_Response *response;
	unsigned int status;
	struct feed *feed;
};

/* --- rest.c: connections --- */

/* client_suspend() - Let a connection rest; from libmicrohttpd's callbacks. */
void client_suspend(struct client *client);

/* client_resume() - Let it go on, if it rests; from the loop. */
void client_resume(struct client *client);

/* client_limit() - End it unless it gets on in @ms; 0: it may take its time. */
void client_limit(struct client *client, uint32_t ms);

/* --- headers.c --- */

/**
 * headers_check() - See that headers mean the same to everybody
 * @exchange:	Its headers are there
 * @ret_body:	Bytes of the body as announced; UINT64_MAX if not known
 * @err:	Filled on failure
 *
 * Return: 0; -EBADMSG request.malformed: the connection must end; -E2BIG
 * request.headers-too-large.
 */
int headers_check(struct exchange *exchange, uint64_t *ret_body,
		  struct error *err);

/* headers_type() - See that a body is JSON. Return: 0; -EINVAL
 * request.content-type.
 */
int headers_type(struct exchange *exchange, struct error *err);

/**
 * headers_apply() - Take what headers say into the request message
 * @exchange:	Of a method
 * @message:	As path, query and body have made it
 * @err:	Filled on failure
 *
 * Return: 0; -EINVAL request.invalid; as arena_error().
 */
int headers_apply(struct exchange *exchange, ProtobufCMessage *message,
		  struct error *err);

/* --- answer.c --- */

/* answer_error() - The answer is a problem. */
void answer_error(struct exchange *exchange, const struct error *error);

/* answer_reply() - The answer is a reply message. */
void answer_reply(struct exchange *exchange, const uint8_t *payload,
		  size_t size);

/* answer_words() - The answer is JSON that is there for ever. */
void answer_words(struct exchange *exchange, const char *json, size_t size);

/* answer_options() - The answer to OPTIONS: what the path takes. */
void answer_options(struct exchange *exchange);

/* answer_stream() - The answer is what @reader gives. */
void answer_stream(struct exchange *exchange,
		   MHD_ContentReaderCallback reader, void *data);

/* answer_cut() - Write a problem past libmicrohttpd, which is still reading,
 * and say that nothing follows. The caller ends the connection.
 */
void answer_cut(struct client *client, const struct error *error);

/* --- feed.c --- */

extern const struct link_events feed_events;

/* feed_new() - Make ready for a stream; @exchange is @data of feed_events.
 * Return: 0 or -ENOMEM.
 */
int feed_new(struct exchange *exchange);

/* feed_free() - NULL is allowed. Return: NULL. */
struct feed *feed_free(struct feed *feed);

/* --- exchange.c --- */

/* exchange_new() - A request line has come. Return: NULL without memory. */
struct exchange *exchange_new(struct client *client, const char *uri);

/* exchange_free() - It is over; what is still with ioasidd is cancelled. */
void exchange_free(struct exchange *exchange);

/**
 * exchange_begin() - Its headers are there
 * @verb:	"GET"
 *
 * Return: false if it must be answered at once, without reading a body.
 */
bool exchange_begin(struct exchange *exchange, const char *verb);

/**
 * exchange_take() - A part of its body is there
 *
 * Return: false if the connection must end; the client has been told.
 */
bool exchange_take(struct exchange *exchange, const char *data, size_t size);

/* exchange_run() - All of it is there: find an answer, now or by a call. */
void exchange_run(struct exchange *exchange);

/* exchange_answered() - There is an answer: let it be sent. */
void exchange_answered(struct exchange *exchange);

#endif
