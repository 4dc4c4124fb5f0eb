/* SPDX-License-Identifier: Apache-2.0
 *
 * grpc.h - HTTP/2: gRPC, its health service and reflection
 */
#ifndef API_GRPC_GRPC_H
#define API_GRPC_GRPC_H

#include "core/limits.h"
#include "core/link.h"
#include "core/stream.h"

struct grpc;

/**
 * grpc_new() - Be able to serve gRPC
 * @link:	Where calls go
 * @limits:	Borrowed; changes are seen by new connections
 * @closed:	A connection is over; its stream is closed, its calls are
 *		cancelled
 * @data:	For @closed
 */
int grpc_new(struct loop *loop, struct link *link, const struct limits *limits,
	     void (*closed)(void *data, uint64_t connection), void *data,
	     struct grpc **ret, struct error *err);

/* grpc_use_contract() - Serve another contract than that of ioasidd: for tests,
 * before there is a connection.
 */
void grpc_use_contract(struct grpc *grpc, const struct contract *contract);

/* grpc_free() - End all connections: calls fail with daemon.stopping, a GOAWAY
 * is sent, and clients have a fifth of a second to read it: the one thing here
 * that waits. @closed is not called. NULL is allowed. Return: NULL.
 */
struct grpc *grpc_free(struct grpc *grpc);

/**
 * grpc_add_consume() - Serve a connection that speaks HTTP/2
 * @connection:	Its number on the link
 * @stream:	Its bytes, none read yet; taken over in any case
 *
 * Return: 0 or -errno.
 */
int grpc_add_consume(struct grpc *grpc, uint64_t connection,
		     struct stream *stream);

/* grpc_close() - ioasidd has ended a connection. Nothing if there is none.
 * @closed is not called.
 */
void grpc_close(struct grpc *grpc, uint64_t connection);

#endif
