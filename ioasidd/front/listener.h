/* SPDX-License-Identifier: Apache-2.0
 *
 * listener.h - sockets that are listened on, and who comes in by them
 */
#ifndef IOASIDD_FRONT_LISTENER_H
#define IOASIDD_FRONT_LISTENER_H

#include <stdbool.h>

#include "base/error.h"
#include "base/loop.h"

struct listener;

/* Takes a connection, which does not block and is his, on the loop's thread. */
typedef void (*listener_fn)(void *data, int fd);

/**
 * listener_new() - Make a UNIX socket and listen
 * @path:	Where; a socket there that nobody listens on is replaced
 * @type:	SOCK_SEQPACKET or SOCK_STREAM
 * @accepted:	Called with each connection
 * @data:	For @accepted
 * @ret:	Ends with listener_free()
 *
 * Everybody may connect: each uid may claim what is addressed to it.
 *
 * Return: 0; -EADDRINUSE kernel.system if somebody listens there; others.
 */
int listener_new(struct loop *loop, const char *path, int type,
		 listener_fn accepted, void *data, struct listener **ret,
		 struct error *err);

/**
 * listener_new_tcp() - Listen on a TCP port
 * @address:	"192.0.2.1:8443" or "[2001:db8::1]:8443"; no names
 *
 * The rest as listener_new(). The address need not be there yet.
 *
 * Return: 0; -EINVAL kernel.system if it is no address; others of bind(2).
 */
int listener_new_tcp(struct loop *loop, const char *address,
		     listener_fn accepted, void *data, struct listener **ret,
		     struct error *err);

/* listener_hold() - Take no connections for a while, or again: they wait with
 * the kernel.
 */
void listener_hold(struct listener *listener, bool hold);

/* listener_free() - Stop listening and remove the socket, if it is still ours.
 * NULL is allowed. Return: NULL.
 */
struct listener *listener_free(struct listener *listener);

#endif
