/* SPDX-License-Identifier: Apache-2.0
 *
 * listener.h - the native socket's file, and who comes in by it
 */
#ifndef IOASIDD_FRONT_LISTENER_H
#define IOASIDD_FRONT_LISTENER_H

#include "base/error.h"
#include "base/loop.h"

struct listener;

/**
 * listener_new() - Make the socket and listen
 * @path:	Where; a socket there that nobody listens on is replaced
 * @accepted:	Called on the loop's thread with each connection, which does not
 *		block and is his
 * @data:	For @accepted
 * @ret:	Ends with listener_free()
 *
 * Everybody may connect: each uid may claim what is addressed to it.
 *
 * Return: 0; -EADDRINUSE kernel.system if somebody listens there; others.
 */
int listener_new(struct loop *loop, const char *path,
		 void (*accepted)(void *data, int fd), void *data,
		 struct listener **ret, struct error *err);

/* listener_free() - Stop listening and remove the socket, if it is still ours.
 * NULL is allowed. Return: NULL.
 */
struct listener *listener_free(struct listener *listener);

#endif
