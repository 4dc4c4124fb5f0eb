/* SPDX-License-Identifier: Apache-2.0
 *
 * front.h - the native socket: clients, their requests and the answers
 */
#ifndef IOASIDD_FRONT_FRONT_H
#define IOASIDD_FRONT_FRONT_H

#include "ops/host.h"

struct front;
struct limits;

/**
 * front_start() - Serve the native socket
 * @host:		Its loop, registry, workers and kernel are used; gets
 *			@operation_ended and @front set
 * @socket_path:	Where; its folder must exist
 * @ret:		Ends with front_stop()
 *
 * Loop thread. Uses two descriptors for each connection, of which there are
 * as many as limits.h says.
 *
 * Return: 0; -EADDRINUSE if somebody listens there; others.
 */
int front_start(struct host *host, const char *socket_path,
		struct front **ret, struct error *err);

/**
 * front_limit() - Limit clients anew
 *
 * Loop thread. What they have beyond it stays.
 */
void front_limit(struct front *front, const struct limits *limits);

/**
 * front_stop() - Close all connections and remove the socket
 * @front:	NULL is allowed
 *
 * Loop thread, before the workers and the loop are ended. Nothing is called
 * any more on its behalf; requests that are with workers end without a peer.
 *
 * Return: NULL.
 */
struct front *front_stop(struct front *front);

#endif
