/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.h - the server side of TLS: connections by TCP come in, verified streams
 *	   go out
 *
 * DOC: Theory of Operation
 *
 * A connection that came by TCP is given here and nowhere else. It comes back
 * when its client is verified (see credentials.h), as a stream for whoever
 * speaks HTTP/2, or by tls_plain_consume() as a socket for whoever speaks
 * HTTP/1.1. So nobody gets a byte of a client that is not verified.
 *
 * New credentials are for all: a connection whose certificate is no longer good
 * to them is ended, and one whose certificate comes to its end, too. Its user
 * finds an error when it reads, as if the client had gone.
 *
 * At most TLS_HANDSHAKES_MAX handshakes are under way. Who comes then takes the
 * place of the oldest one: those who are served say their words in the time of
 * a round trip, those who stall get in each other's way.
 */
#ifndef API_TLS_TLS_H
#define API_TLS_TLS_H

#include "core/limits.h"
#include "tls/session.h"

#define TLS_HANDSHAKES_MAX 256

struct tls;

/**
 * struct tls_owner - What becomes of connections
 * @verified:	The client is who @identity (borrowed) says; @stream is taken
 *		over. tls_plain_consume() makes a socket of it for TLS_HTTP1
 * @failed:	It has not come to that, and the connection is over
 */
struct tls_owner {
	void (*verified)(void *data, uint64_t connection,
			 enum tls_protocol protocol,
			 const struct identity *identity,
			 struct stream *stream);
	void (*failed)(void *data, uint64_t connection,
		       const struct error *error);
};

/**
 * tls_new() - Be able to speak TLS, when there are credentials
 * @limits:	Borrowed; changes are seen by new connections
 * @owner:	Borrowed
 *
 * Return: 0 or -ENOMEM.
 */
int tls_new(struct loop *loop, const struct limits *limits,
	    const struct tls_owner *owner, void *data, struct tls **ret);

/* tls_free() - End handshakes and plain sockets; streams that others have are
 * closed before. NULL is allowed. Return: NULL.
 */
struct tls *tls_free(struct tls *tls);

/**
 * tls_configure() - Use new credentials, or none
 * @files:	What each of @fds is; others than ours are passed over
 * @fds:	Borrowed
 *
 * Return: as credentials_new(); on failure the former ones stay.
 */
int tls_configure(struct tls *tls, char *const *files, const int *fds, size_t n,
		  struct error *err);

/**
 * tls_add_consume() - Somebody has connected by TCP
 * @connection:	Its number on the link
 * @fd:		A connected stream socket; taken over in any case
 *
 * Return: 0; -ENOTCONN without credentials; -ENOMEM; other -errno.
 */
int tls_add_consume(struct tls *tls, uint64_t connection, int fd,
		    struct error *err);

/**
 * tls_plain_consume() - Make a plain socket of a stream
 * @stream:	From @verified; taken over in any case
 * @ret_fd:	A stream socket that does not block; the caller's. When it is
 *		closed the client is sent what was written to it before, and the
 *		end
 *
 * Return: 0 or -errno.
 */
int tls_plain_consume(struct tls *tls, struct stream *stream, int *ret_fd);

/* tls_close() - ioasidd has ended a connection; after its user was told.
 * Nothing if there is none. @failed is not called.
 */
void tls_close(struct tls *tls, uint64_t connection);

#endif
