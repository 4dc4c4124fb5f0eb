/* SPDX-License-Identifier: Apache-2.0
 *
 * door.h - a new connection: which protocol it speaks, and who serves it
 */
#ifndef API_CORE_DOOR_H
#define API_CORE_DOOR_H

#include "core/limits.h"
#include "core/link.h"
#include "grpc/grpc.h"
#include "rest/rest.h"

struct door;

/**
 * struct door_owner - Who serves, and who is told
 * @link:	Is told whose certificates there are
 * @rest:	Serves HTTP/1.1
 * @grpc:	Serves HTTP/2
 * @limits:	Borrowed; changes are seen by new connections
 * @closed:	A connection has ended, or was ended, before anybody served it;
 *		its descriptor is closed
 * @data:	For @closed
 */
struct door_owner {
	struct link *link;
	struct rest *rest;
	struct grpc *grpc;
	const struct limits *limits;
	void (*closed)(void *data, uint64_t connection, const char *reason);
	void *data;
};

/* door_new() - @owner is copied. Return: 0 or -ENOMEM. */
int door_new(struct loop *loop, const struct door_owner *owner,
	     struct door **ret);

/* door_free() - Close those who still stand there, after all who were served:
 * what is served by TLS goes through the door's hands to the end. NULL is
 * allowed. Return: NULL.
 */
struct door *door_free(struct door *door);

/**
 * door_configure() - Use other TLS credentials
 * @files:	See tls_configure(), also for what it returns
 */
int door_configure(struct door *door, char *const *files, const int *fds,
		   size_t n, struct error *err);

/**
 * door_add_consume() - Somebody has connected
 * @connection:	Its number on the link
 * @fd:		A stream socket; taken over in any case
 * @tcp:	It is to speak TLS, with a certificate that is good
 *
 * Without TLS its first bytes are looked at, and stay for whoever serves it.
 * Who says nothing for as long as headers may take is closed.
 */
void door_add_consume(struct door *door, uint64_t connection, int fd, bool tcp);

/* door_close() - ioasidd has ended a connection. Nothing if it does not stand
 * here.
 */
void door_close(struct door *door, uint64_t connection);

#endif
