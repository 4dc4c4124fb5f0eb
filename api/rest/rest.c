/* SPDX-License-Identifier: Apache-2.0
 *
 * rest.c - HTTP/1.1: libmicrohttpd in our loop, and its connections
 *
 * DOC: Theory of Operation
 *
 * libmicrohttpd 0.9.75 and 1.0 are run by an epoll of their own, which is a
 * descriptor in ours, and by a timer. What was found, and is worked around:
 *
 * - Resuming a connection wakes nobody: it has to be run afterwards.
 * - A suspended connection is not watched and has no time-out.
 * - Its time-out is between two bytes: one byte in each 59 seconds is fast
 *   enough. So headers and bodies have a deadline here.
 * - On UNIX sockets it sets options of TCP, and complains in three lines for
 *   each request: so it has no log.
 * - A response can be queued before the body is read, or after, not meanwhile.
 */
#include "rest/rest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"
#include "rest/private.h"

/* Memory of a connection for headers of its request and of the answer. */
#define CONNECTION_MEMORY 32768

/* More than ioasidd lets through by far. */
#define CONNECTIONS_MAX 16384

/**
 * rest_run() - Let libmicrohttpd do what there is to do
 * @data:	The lot
 */
static void rest_run(void *data)
{
	struct rest *rest = data;
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(rest->mhd); /* fails only if it is not ours to run */
	if (MHD_get_timeout(rest->mhd, &ms) == MHD_YES)
		loop_arm(rest->timer,
			 ms ? clock_mono_ns() + ms * 1000000ull : 1);
	else
		loop_arm(rest->timer, 0);
}

/**
 * on_epoll() - One of its connections is ready
 * @data:	The lot
 * @events:	Unused
 */
static void on_epoll(void *data, uint32_t events)
{
	rest_run(data);
}

/* client_suspend() - Let a connection rest */
void client_suspend(struct client *client)
{
	client->suspended = true;
	MHD_suspend_connection(client->mhd);
	/* Who has hung up before is not told of again. */
	if (client->gone)
		loop_arm(client->timer, 1);
}

/* client_resume() - Let it go on */
void client_resume(struct client *client)
{
	if (!client->suspended)
		return;
	client->suspended = false;
	MHD_resume_connection(client->mhd);
	loop_arm(client->rest->timer, 1);
}

/* client_limit() - End it unless it gets on */
void client_limit(struct client *client, uint32_t ms)
{
	loop_arm(client->timer, ms ? clock_mono_ns() + ms * 1000000ull : 0);
}

/**
 * client_end() - Let libmicrohttpd find a connection at its end
 * @client:	The connection
 */
static void client_end(struct client *client)
{
	client->gone = true;
	(void)shutdown(client->fd, SHUT_RDWR); /* it may be so already */
	client_resume(client);
	loop_arm(client->rest->timer, 1);
}

/**
 * client_late() - A connection has taken too long
 * @data:	The connection
 *
 * Who was about to say something is told; who only was idle since his last
 * request is not, lest he take it for the answer to what he sends just now.
 * Before the first request something was said: that got him through the door.
 */
static void client_late(void *data)
{
	struct client *client = data;
	struct exchange *exchange = client->exchange;
	bool body = exchange && exchange->stage != STAGE_HEADERS;
	struct error error = ERROR_NULL;

	if (!client->gone &&
	    (exchange ? exchange->stage < STAGE_CALL : !client->asked)) {
		error_fill(&error, -ETIMEDOUT, ERROR_REQUEST_TOO_SLOW,
			   "the %s did not come in time",
			   body ? "body" : "headers");
		answer_cut(client, &error);
	}
	client_end(client);
}

/**
 * client_hung_up() - The other side has closed its socket
 * @data:	The connection
 * @events:	Unused: hang-up or error
 */
static void client_hung_up(void *data, uint32_t events)
{
	struct client *client = data;

	client->gone = true;
	client_resume(client);
}

/**
 * client_free() - A connection is over
 * @client:	The connection
 */
static void client_free(struct client *client)
{
	*(client->before ? &client->before->next : &client->rest->clients) =
		client->next;
	if (client->next)
		client->next->before = client->before;
	loop_unwatch(client->watch);
	loop_unwatch(client->timer);
	free(client);
}

/* --- what libmicrohttpd calls --- */

/**
 * on_connection() - A connection begins or ends
 */
static void on_connection(void *data, struct MHD_Connection *mhd,
			  void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct rest *rest = data;
	struct client *client = *context;
	uint64_t connection;
	bool ended;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		rest->adding->mhd = mhd;
		*context = rest->adding;
		return;
	}
	connection = client->connection;
	ended = client->ended;
	client_free(client);
	if (!ended)
		rest->closed(rest->data, connection);
}

/* client_of() - What we know of a connection. */
static struct client *client_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(
		       mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

/**
 * on_uri() - A request line is there
 *
 * Return: the exchange, as the request's context; NULL without memory.
 */
static void *on_uri(void *data, const char *uri, struct MHD_Connection *mhd)
{
	struct client *client = client_of(mhd);

	client_limit(client, client->rest->limits->header_timeout_ms);
	client->exchange = exchange_new(client, uri);
	return client->exchange;
}

/**
 * on_completed() - A request has been answered, or its connection has ended
 */
static void on_completed(void *data, struct MHD_Connection *mhd, void **context,
			 enum MHD_RequestTerminationCode why)
{
	struct client *client = client_of(mhd);

	if (*context)
		exchange_free(*context);
	*context = NULL;
	client->exchange = NULL;
	client->asked = true;
	client_limit(client, client->rest->limits->idle_timeout_ms);
}

/**
 * send_answer() - Hand the answer to libmicrohttpd
 * @exchange:	With an answer
 *
 * Return: MHD_NO: the connection ends.
 */
static enum MHD_Result send_answer(struct exchange *exchange)
{
	enum MHD_Result r;

	if (!exchange->response || exchange->client->gone)
		return MHD_NO;
	if (exchange->feed)
		(void)MHD_set_connection_option(exchange->client->mhd,
						MHD_CONNECTION_OPTION_TIMEOUT,
						FEED_STALL_S);
	r = MHD_queue_response(exchange->client->mhd, exchange->status,
			       exchange->response);
	MHD_destroy_response(exchange->response);
	exchange->response = NULL;
	return r;
}

/**
 * on_request() - A request goes on: headers, each part of its body, its end
 *
 * Return: MHD_NO: the connection ends.
 */
static enum MHD_Result on_request(void *data, struct MHD_Connection *mhd,
				  const char *url, const char *verb,
				  const char *version, const char *body,
				  size_t *size, void **context)
{
	struct exchange *exchange = *context;
	size_t n = *size;

	if (!exchange || exchange->client->gone)
		return MHD_NO;
	switch (exchange->stage) {
	case STAGE_HEADERS:
		exchange->stage = STAGE_BODY;
		client_limit(exchange->client,
			     exchange->client->rest->limits->body_timeout_ms);
		if (exchange_begin(exchange, verb))
			return MHD_YES;
		answer_error(exchange, &exchange->refused);
		return send_answer(exchange);
	case STAGE_BODY:
		if (n) {
			*size = 0;
			return exchange_take(exchange, body, n) ? MHD_YES :
								  MHD_NO;
		}
		client_limit(exchange->client, 0);
		exchange_run(exchange);
		if (exchange->stage == STAGE_ANSWER)
			return send_answer(exchange);
		client_suspend(exchange->client);
		return MHD_YES;
	case STAGE_CALL:
	case STAGE_ANSWER:
		return send_answer(exchange);
	}
	return MHD_NO;
}

/* keep_escapes() - Leave what it parses of the target as it is: it is not used,
 * and what is decoded is decoded once, by request.h. Return: its length.
 */
static size_t keep_escapes(void *data, struct MHD_Connection *mhd, char *text)
{
	return strlen(text);
}

/* --- the lot --- */

/* All of it runs on one thread. Where libmicrohttpd can be told so it must be:
 * otherwise MHD_add_connection() only queues what it is given.
 */
#if MHD_VERSION >= 0x01000000
#define ONE_THREAD MHD_USE_NO_THREAD_SAFETY
#else
#define ONE_THREAD 0
#endif

/**
 * start_mhd() - Start libmicrohttpd, without a thread or a socket
 * @rest:	The lot
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int start_mhd(struct rest *rest, struct error *err)
{
	rest->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
			MHD_USE_NO_LISTEN_SOCKET | ONE_THREAD,
		0, NULL, NULL, on_request, rest, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, rest,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, rest,
		MHD_OPTION_URI_LOG_CALLBACK, on_uri, rest,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (!rest->mhd)
		return error_set(err, -EIO, ERROR_KERNEL_SYSTEM,
				 "libmicrohttpd does not start: %m");
	return 0;
}

/* rest_new() - Be able to serve HTTP/1.1 */
int rest_new(struct loop *loop, struct link *link, const struct limits *limits,
	     void (*closed)(void *data, uint64_t connection), void *data,
	     struct rest **ret, struct error *err)
{
	struct rest *rest = calloc(1, sizeof(*rest));
	int r, epoll;

	if (!rest)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "%m");
	rest->loop = loop;
	rest->link = link;
	rest->limits = limits;
	rest->closed = closed;
	rest->data = data;
	r = start_mhd(rest, err);
	if (r < 0) {
		free(rest);
		return r;
	}
	epoll = MHD_get_daemon_info(rest->mhd, MHD_DAEMON_INFO_EPOLL_FD)
			->epoll_fd;
	r = loop_watch(loop, epoll, EPOLLIN, on_epoll, rest, &rest->source);
	if (r == 0)
		r = loop_timer(loop, rest_run, rest, &rest->timer);
	if (r < 0) {
		(void)rest_free(rest);
		return error_set(err, r, ERROR_KERNEL_SYSTEM,
				 "watch libmicrohttpd: %m");
	}
	*ret = rest;
	return 0;
}

/* rest_free() - End all connections */
struct rest *rest_free(struct rest *rest)
{
	if (!rest)
		return NULL;
	for (struct client *client = rest->clients; client;
	     client = client->next) {
		client->gone = true;
		if (!client->suspended)
			continue;
		client->suspended = false;
		MHD_resume_connection(client->mhd);
	}
	loop_unwatch(rest->source);
	MHD_stop_daemon(rest->mhd);
	loop_unwatch(rest->timer);
	free(rest);
	return NULL;
}

/**
 * client_new() - Know a connection
 * @rest:	The lot
 * @connection:	Its number
 * @fd:		Its socket; borrowed
 * @ret:	Ends with client_free()
 *
 * Return: 0 or -errno.
 */
static int client_new(struct rest *rest, uint64_t connection, int fd,
		      struct client **ret)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	client->rest = rest;
	client->connection = connection;
	client->fd = fd;
	r = loop_timer(rest->loop, client_late, client, &client->timer);
	if (r < 0) {
		free(client);
		return r;
	}
	client->next = rest->clients;
	if (client->next)
		client->next->before = client;
	rest->clients = client;
	*ret = client;
	return 0;
}

/* rest_add_consume() - Serve a connection */
int rest_add_consume(struct rest *rest, uint64_t connection, int fd)
{
	const struct sockaddr_un nobody = { .sun_family = AF_UNIX };
	struct client *client;
	enum MHD_Result added;
	int r;

	r = client_new(rest, connection, fd, &client);
	if (r < 0) {
		(void)fd_close(fd);
		return r;
	}
	rest->adding = client;
	added = MHD_add_connection(rest->mhd, fd,
				   (const struct sockaddr *)&nobody,
				   sizeof(nobody));
	rest->adding = NULL;
	if (added != MHD_YES) {
		client_free(client);
		return -ENOMEM;
	}
	r = loop_watch(rest->loop, fd, EPOLLET, client_hung_up, client,
		       &client->watch);
	if (r < 0)
		client_end(client);
	(void)MHD_set_connection_option(
		client->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
		(unsigned int)((rest->limits->idle_timeout_ms + 999) / 1000));
	client_limit(client, rest->limits->header_timeout_ms);
	loop_arm(rest->timer, 1);
	return 0;
}

/* rest_close() - ioasidd has ended a connection */
void rest_close(struct rest *rest, uint64_t connection)
{
	for (struct client *client = rest->clients; client;
	     client = client->next) {
		if (client->connection != connection)
			continue;
		client->ended = true;
		client_end(client);
		return;
	}
}
