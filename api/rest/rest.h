/* SPDX-License-Identifier: Apache-2.0
 *
 * rest.h - HTTP/1.1: REST, server-sent events, the document, health
 */
#ifndef API_REST_REST_H
#define API_REST_REST_H

#include "core/limits.h"
#include "core/link.h"

struct rest;

/**
 * rest_new() - Be able to serve HTTP/1.1
 * @link:	Where calls go
 * @limits:	Borrowed; changes are seen by new requests
 * @closed:	A connection is over; its descriptor is closed, its calls are
 *		cancelled
 * @data:	For @closed
 */
int rest_new(struct loop *loop, struct link *link, const struct limits *limits,
	     void (*closed)(void *data, uint64_t connection), void *data,
	     struct rest **ret, struct error *err);

/* rest_free() - End all connections. NULL is allowed. Return: NULL. */
struct rest *rest_free(struct rest *rest);

/**
 * rest_add_consume() - Serve a connection
 * @connection:	Its number on the link
 * @fd:		A stream socket, plain; taken over in any case
 *
 * Return: 0 or -errno.
 */
int rest_add_consume(struct rest *rest, uint64_t connection, int fd);

/* rest_close() - ioasidd has ended a connection. Nothing if there is none. */
void rest_close(struct rest *rest, uint64_t connection);

#endif
