/* SPDX-License-Identifier: Apache-2.0
 *
 * door.c - a new connection: which protocol it speaks, and who serves it
 *
 * DOC: Theory of Operation
 *
 * HTTP/2 by prior knowledge begins with 24 bytes that no request of HTTP/1.1
 * begins with (RFC 9113, 3.4). They are peeked at, so whoever serves the
 * connection reads all of it. As long as what is there is a beginning of them
 * more is waited for; unread bytes would wake a level-triggered watch over and
 * over, so this one is edge-triggered.
 *
 * Through TLS the protocol is agreed on (ALPN), and nobody serves a client
 * whose certificate is not known to be good.
 */
#include "core/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/stream.h"
#include "tls/tls.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#define PREFACE_SIZE (sizeof(preface) - 1)

/**
 * struct visitor - A connection that nobody serves yet
 * @next:	At the same door
 * @door:	Where it stands
 * @connection:	Its number
 * @fd:		Its socket
 * @source:	Watches it
 * @timer:	Armed for when it has said too little for too long
 */
struct visitor {
	struct visitor *next;
	struct door *door;
	uint64_t connection;
	int fd;
	struct loop_source *source;
	struct loop_source *timer;
};

/**
 * struct door - Where connections stand until they are served; loop thread
 */
struct door {
	struct loop *loop;
	struct door_owner owner;
	struct visitor *visitors;
	struct tls *tls;
};

/**
 * visitor_leave() - Take a visitor from the door
 * @visitor:	Freed
 *
 * Return: its socket.
 */
static int visitor_leave(struct visitor *visitor)
{
	struct visitor **at = &visitor->door->visitors;
	int fd = visitor->fd;

	while (*at != visitor)
		at = &(*at)->next;
	*at = visitor->next;
	loop_unwatch(visitor->source);
	loop_unwatch(visitor->timer);
	free(visitor);
	return fd;
}

/**
 * visitor_end() - Close a visitor
 * @visitor:	Freed
 * @reason:	Why, for logs
 */
static void visitor_end(struct visitor *visitor, const char *reason)
{
	struct door *door = visitor->door;
	uint64_t connection = visitor->connection;

	(void)fd_close(visitor_leave(visitor));
	door->owner.closed(door->owner.data, connection, reason);
}

/**
 * served() - Was a connection taken?
 * @door:	The door
 * @connection:	Its number
 * @r:		What taking it has given; it is closed if that is a failure
 */
static void served(struct door *door, uint64_t connection, int r)
{
	if (r >= 0)
		return;
	log_warning("a connection cannot be served: %s", strerror(-r));
	door->owner.closed(door->owner.data, connection, "not served");
}

/**
 * serve() - Give a connection to who serves it
 * @door:	The door
 * @connection:	Its number
 * @fd:		Its socket
 * @http2:	What it speaks
 */
static void serve(struct door *door, uint64_t connection, int fd, bool http2)
{
	struct stream *stream;
	int r;

	if (!http2) {
		r = rest_add_consume(door->owner.rest, connection, fd);
	} else {
		r = stream_plain_consume(door->loop, fd, &stream);
		if (r == 0)
			r = grpc_add_consume(door->owner.grpc, connection,
					     stream);
	}
	served(door, connection, r);
}

/**
 * on_verified() - A client is who its certificate says; see struct tls_owner
 *
 * ioasidd is told before anything is asked.
 */
static void on_verified(void *data, uint64_t connection,
			enum tls_protocol protocol,
			const struct identity *identity, struct stream *stream)
{
	struct door *door = data;
	int fd, r;

	r = link_certificate(door->owner.link, connection, identity->uris.items,
			     identity->uris.n, identity->names.items,
			     identity->names.n, identity->fingerprint);
	if (r < 0) {
		stream->ops->close(stream);
	} else if (protocol == TLS_H2) {
		r = grpc_add_consume(door->owner.grpc, connection, stream);
	} else {
		r = tls_plain_consume(door->tls, stream, &fd);
		if (r == 0)
			r = rest_add_consume(door->owner.rest, connection, fd);
	}
	served(door, connection, r);
}

/**
 * on_unverified() - A client is not let in; see struct tls_owner
 */
static void on_unverified(void *data, uint64_t connection,
			  const struct error *error)
{
	struct door *door = data;

	log_info("connection %llu is not let in: %s",
		 (unsigned long long)connection, error->msg);
	door->owner.closed(door->owner.data, connection, error->msg);
}

/**
 * visitor_ready() - A visitor has said something, or has gone
 * @data:	The visitor
 * @events:	Unused: looking says it
 */
static void visitor_ready(void *data, uint32_t events)
{
	struct visitor *visitor = data;
	struct door *door = visitor->door;
	uint64_t connection = visitor->connection;
	char head[PREFACE_SIZE];
	ssize_t n;
	bool same;

	n = recv(visitor->fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		visitor_end(visitor, "gone before it said anything");
		return;
	}
	same = !memcmp(head, preface, (size_t)n);
	if (same && (size_t)n < PREFACE_SIZE) {
		if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			visitor_end(visitor, "gone within the preface");
		return;
	}
	serve(door, connection, visitor_leave(visitor), same);
}

/**
 * visitor_late() - A visitor has said too little for too long
 * @data:	The visitor
 */
static void visitor_late(void *data)
{
	visitor_end(data, "silent for too long");
}

/**
 * visitor_new() - Let a connection stand at the door
 * @door:	The door
 * @connection:	Its number
 * @fd:		Its socket; taken over on success
 *
 * Return: 0 or -errno.
 */
static int visitor_new(struct door *door, uint64_t connection, int fd)
{
	struct visitor *visitor = calloc(1, sizeof(*visitor));
	int r;

	if (!visitor)
		return -ENOMEM;
	visitor->door = door;
	visitor->connection = connection;
	visitor->fd = fd;
	r = loop_timer(door->loop, visitor_late, visitor, &visitor->timer);
	if (r == 0)
		r = loop_watch(door->loop, fd, EPOLLIN | EPOLLRDHUP | EPOLLET,
			       visitor_ready, visitor, &visitor->source);
	if (r < 0) {
		loop_unwatch(visitor->timer);
		free(visitor);
		return r;
	}
	loop_arm(visitor->timer,
		 clock_mono_ns() +
			 door->owner.limits->header_timeout_ms * 1000000ull);
	visitor->next = door->visitors;
	door->visitors = visitor;
	return 0;
}

/* door_add_consume() - Somebody has connected */
void door_add_consume(struct door *door, uint64_t connection, int fd, bool tcp)
{
	struct error error = ERROR_NULL;
	int r;

	if (tcp) {
		r = tls_add_consume(door->tls, connection, fd, &error);
		if (r < 0)
			on_unverified(door, connection, &error);
		return;
	}
	r = visitor_new(door, connection, fd);
	if (r == 0)
		return;
	log_warning("a connection cannot be taken: %s", strerror(-r));
	(void)fd_close(fd);
	door->owner.closed(door->owner.data, connection, "not taken");
}

/* door_close() - ioasidd has ended a connection */
void door_close(struct door *door, uint64_t connection)
{
	for (struct visitor *v = door->visitors; v; v = v->next) {
		if (v->connection != connection)
			continue;
		(void)fd_close(visitor_leave(v));
		return;
	}
	tls_close(door->tls, connection);
}

/* door_configure() - Use other TLS credentials */
int door_configure(struct door *door, char *const *files, const int *fds,
		   size_t n, struct error *err)
{
	return tls_configure(door->tls, files, fds, n, err);
}

/* door_new() - Make a door */
int door_new(struct loop *loop, const struct door_owner *owner,
	     struct door **ret)
{
	static const struct tls_owner tls_owner = {
		.verified = on_verified,
		.failed = on_unverified,
	};
	struct door *door = calloc(1, sizeof(*door));
	int r;

	if (!door)
		return -ENOMEM;
	door->loop = loop;
	door->owner = *owner;
	r = tls_new(loop, owner->limits, &tls_owner, door, &door->tls);
	if (r < 0) {
		free(door);
		return r;
	}
	*ret = door;
	return 0;
}

/* door_free() - Close those who still stand there */
struct door *door_free(struct door *door)
{
	if (!door)
		return NULL;
	while (door->visitors)
		(void)fd_close(visitor_leave(door->visitors));
	(void)tls_free(door->tls);
	free(door);
	return NULL;
}
